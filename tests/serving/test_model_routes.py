"""Trees, similarities and facts, asked over HTTP."""

from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from tests.serving.running_service import LITTLE, running

from selfsent.serving.service import Service

TEXT = "Two dogs run 😀 along  the beach."


def test_the_nodes_of_a_tree_cover_the_text(address):
    found = httpx.get(f"{address}/tree", params={"text": TEXT}).json()
    assert found["text"] == TEXT
    nodes = found["nodes"]
    leaves = [node for node in nodes if "left" not in node]
    assert [node["id"] for node in nodes] == list(range(len(nodes)))
    assert len(nodes) == 2 * len(leaves) - 1
    assert [node["id"] for node in nodes if "parent" not in node] == [nodes[-1]["id"]]
    pieces = [TEXT[leaf["start"] : leaf["end"]] for leaf in leaves]
    assert all(piece == piece.strip() or piece.isspace() for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(TEXT.split())
    for node in nodes:
        if "left" in node:
            left, right = nodes[node["left"]], nodes[node["right"]]
            assert (node["start"], node["end"]) == (left["start"], right["end"])
            assert left["parent"] == right["parent"] == node["id"]


def test_a_tree_is_drawn_too(address):
    drawn = httpx.get(f"{address}/tree", params={"text": "<b>dogs</b> & cats", "format": "svg"})
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert ET.fromstring(drawn.text).tag.endswith("svg")


def test_an_empty_text_and_a_model_without_trees_are_said_so(address, tiny_static_model, tmp_path):
    assert httpx.get(f"{address}/tree", params={"text": ""}).json()["detail"].startswith("text must have at least 1")
    assert httpx.get(f"{address}/tree").json()["detail"] == "text is missing"
    assert httpx.get(f"{address}/tree", params={"text": "a" * 10_001}).status_code == 422
    tiny_static_model.save_pretrained(str(tmp_path / "flat"))
    with running(Service.open(str(tmp_path / "flat"), device="cpu", limits=LITTLE)) as flat:
        refused = httpx.get(f"{flat}/tree", params={"text": "dogs"})
        assert refused.status_code == 404
        assert refused.json()["detail"] == "the model flat builds no trees; serve a tree model to see them"
        assert httpx.get(f"{flat}/facts").json()["model"]["kind"] == "static"


def test_a_similarity_is_the_cosine(address, served_model):
    model, _ = served_model
    pairs = [["Two dogs run.", "A cat sleeps."], ["the sea", "the sea"], ["", "rain"]]
    found = httpx.post(f"{address}/similarity", json={"pairs": pairs}).json()["similarities"]
    one, other = model.encode(pairs[0])
    assert found[0] == pytest.approx(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), abs=1e-5)
    assert found[1] == pytest.approx(1, abs=1e-6)
    assert found[2] == 0
    assert httpx.post(f"{address}/similarity", json={"pairs": []}).json() == {"similarities": []}
    refused = httpx.post(f"{address}/similarity", json={"pairs": [["a"]]})
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "pairs[0] must have at least 2 items, got a list of 1",
    )


def test_the_facts_name_model_and_store_without_places(address, model_address, served_store):
    facts = httpx.get(f"{address}/facts").json()
    assert (facts["model"]["name"], facts["model"]["kind"], facts["report"]) == ("little-tree", "tree", False)
    assert facts["store"]["documents"] == 4
    assert facts["store"]["passages"] >= 4
    assert str(served_store.parent) not in str(facts)
    assert httpx.get(f"{model_address}/facts").json()["store"] == {}
