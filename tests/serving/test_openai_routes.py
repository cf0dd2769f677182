"""Embeddings, as the clients of the OpenAI API ask for them."""

import base64

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI

TEXTS = ["Two dogs run along the beach.", "The cat sleeps on the warm roof.", "😀", " "]


@pytest.fixture
def client(model_address):
    return OpenAI(base_url=f"{model_address}/v1", api_key="unused", max_retries=0, timeout=60)


def test_the_openai_client_gets_the_vectors_of_encode(client, served_model):
    model, _ = served_model
    answer = client.embeddings.create(model="text-embedding-3-small", input=TEXTS)  # it asks for base64
    assert answer.model == "little-tree"
    assert [one.index for one in answer.data] == [0, 1, 2, 3]
    np.testing.assert_allclose([one.embedding for one in answer.data], model.encode(TEXTS), atol=1e-6)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens
    tokens = sum(len(model[0].tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS)
    assert answer.usage.prompt_tokens == tokens
    one = client.embeddings.create(model="any", input=TEXTS[0], encoding_format="float")
    np.testing.assert_allclose(one.data[0].embedding, model.encode(TEXTS[0]), atol=1e-6)


def test_both_formats_hold_the_same_numbers(model_address):
    body = {"input": TEXTS, "model": "any"}
    numbers = httpx.post(f"{model_address}/v1/embeddings", json=body | {"encoding_format": "float"}).json()["data"]
    packed = httpx.post(f"{model_address}/v1/embeddings", json=body | {"encoding_format": "base64"}).json()["data"]
    for one, other in zip(numbers, packed, strict=True):
        unpacked = np.frombuffer(base64.b64decode(other["embedding"]), "<f4")
        np.testing.assert_array_equal(np.array(one["embedding"], dtype=np.float32), unpacked)


def test_fewer_dimensions_are_the_leading_values(client, served_model):
    whole = served_model[0].encode(TEXTS[0])
    few = client.embeddings.create(model="any", input=TEXTS[0], dimensions=3).data[0].embedding
    length = np.linalg.norm(whole[:3]) if abs(np.linalg.norm(whole) - 1) < 1e-3 else 1
    np.testing.assert_allclose(few, whole[:3] / length, atol=1e-6)
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions must be at most 100"):
        client.embeddings.create(model="any", input="a", dimensions=101)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"input": [1, 2, 3]}, "token ids"),
        ({"input": [[1, 2], [3]]}, "token ids"),
        ({"input": ""}, "input[0] must have at least 1 character"),
        ({"input": []}, "at least 1 item"),
        ({"input": ["a"] * 2049}, "at most 2048 items, got a list of 2,049"),
        ({"input": "a" * 50_001}, "at most 50000 characters, got 50,001 characters"),
        ({"input": {"a": 1}}, "got an object"),
        ({"input": "a", "encoding_format": "int8"}, "'float' or 'base64', got 'int8'"),
        ({"input": "a", "dimensions": "3"}, "dimensions must be a valid integer, got '3'"),
        ({}, "input is missing"),
    ],
)
def test_bad_input_is_refused_as_the_client_expects_it(model_address, asked, words):
    refused = httpx.post(f"{model_address}/v1/embeddings", json=asked)
    assert refused.status_code == 422
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert words in refused.json()["error"]["message"]


def test_the_models_are_the_one_there_is(client):
    assert [model.id for model in client.models.list()] == ["little-tree"]
    assert client.models.retrieve("little-tree").owned_by == "selfsent"
    with pytest.raises(openai.NotFoundError, match="little-tree"):
        client.models.retrieve("text-embedding-3-small")


def test_a_prompt_is_the_one_that_was_named(tiny_static_model, tmp_path):
    from tests.serving.running_service import LITTLE, running

    from selfsent.serving.service import Service

    tiny_static_model.prompts = {"query": "cat: ", "document": "dog: "}
    tiny_static_model.save_pretrained(str(tmp_path / "prompted"))
    with running(Service.open(str(tmp_path / "prompted"), device="cpu", limits=LITTLE)) as address:
        client = OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)
        for kind, encode in (("query", "encode_query"), ("document", "encode_document")):
            answer = client.embeddings.create(model="any", input="roof", extra_body={"input_type": kind})
            expected = getattr(tiny_static_model, encode)("roof")
            np.testing.assert_allclose(answer.data[0].embedding, expected, atol=1e-6)


def test_langchain_embeds_queries_and_documents(model_address, served_model):
    langchain = pytest.importorskip("langchain_openai", reason="needs langchain-openai: pip install 'selfsent[dev]'")
    embeddings = langchain.OpenAIEmbeddings(
        model="any", base_url=f"{model_address}/v1", api_key="unused", check_embedding_ctx_length=False
    )
    expected = served_model[0].encode(TEXTS[:2])
    np.testing.assert_allclose(embeddings.embed_documents(TEXTS[:2]), expected, atol=1e-6)
    np.testing.assert_allclose(embeddings.embed_query(TEXTS[0]), expected[0], atol=1e-6)


def test_the_openai_wrapper_of_mteb_encodes(client, served_model, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken", reason="needs tiktoken: pip install 'selfsent[dev]'")
    wrapper = pytest.importorskip("mteb.models.model_implementations.openai_models", reason="needs selfsent[eval]")
    # The wrapper counts tokens by OpenAI's vocabulary, which it would download; here a byte is a token.
    bytes_alone = tiktoken.Encoding(
        "bytes", pat_str=".", mergeable_ranks={bytes([n]): n for n in range(256)}, special_tokens={}
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda _name: bytes_alone)
    model = wrapper.OpenAIModel("any", max_tokens=8191, embed_dim=100, client=client)
    vectors = model.encode([{"text": [*TEXTS[:2], ""]}], task_metadata=None, hf_split="test", hf_subset="default")
    np.testing.assert_allclose(vectors[:2], served_model[0].encode(TEXTS[:2]), atol=1e-6)
    assert not vectors[2].any()
