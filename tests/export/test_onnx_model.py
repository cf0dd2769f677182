"""Graphs of ONNX give torch's embeddings, opened without torch and by the host."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert
from tests.runtime.host_models import saved
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.export import onnx_model
from selfsent.export.onnx_model import require_onnx, write_onnx
from selfsent.model_content import model_content_hash
from selfsent.modules import OnnxEncoder
from selfsent.runtime import open_model

TEXTS = ["", "cat", "Two dogs run along the beach.", "the committee approved the budget " * 30, "café 数"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    """A random transformer with pooling, and a prompt."""
    from tests.conftest import SENTENCES

    bert = open_bert(write_bert(tmp_path_factory.mktemp("bert"), SENTENCES))
    modules = [bert, Pooling(16, pooling_mode="mean"), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu", prompts={"query": "the cat "})


@pytest.fixture(scope="module")
def folder(model: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its graph."""
    place = tmp_path_factory.mktemp("onnx")
    write_onnx(model, place)
    return place


def test_the_runtime_gives_the_embeddings_of_torch(model: SentenceTransformer, folder: Path) -> None:
    ours = open_model(folder)
    assert ours is not None
    assert np.allclose(ours.encode(TEXTS), model.encode(TEXTS), atol=1e-5)
    assert np.allclose(ours.encode_query(TEXTS), np.asarray(model.encode_query(TEXTS)), atol=1e-5)
    assert np.allclose(ours.encode("cat"), model.encode("cat"), atol=1e-5)
    assert (ours.dimension, ours.max_tokens) == (16, 32)
    expected = [len(ids) for ids in model.tokenizer(TEXTS)["input_ids"]]
    assert ours.num_tokens(TEXTS) == expected


def test_many_texts_come_back_in_their_order(model: SentenceTransformer, folder: Path) -> None:
    ours = open_model(folder)
    assert ours is not None
    texts = ["the cat " * (number % 7) + str(number) for number in range(100)]
    assert np.allclose(ours.encode(texts), model.encode(texts), atol=1e-5)


def test_the_host_opens_it_too(model: SentenceTransformer, folder: Path, tmp_path: Path) -> None:
    for opened in (
        selfsent.load(folder, device="cpu"),
        SentenceTransformer(str(folder), device="cpu", trust_remote_code=True),
    ):
        assert isinstance(opened[0], OnnxEncoder)
        assert np.allclose(opened.encode(TEXTS), model.encode(TEXTS), atol=1e-5)
        assert opened.max_seq_length == 32
        assert opened.get_embedding_dimension() == 16
    opened.save_pretrained(str(tmp_path / "again"))
    assert np.allclose(selfsent.load(tmp_path / "again").encode(TEXTS), model.encode(TEXTS), atol=1e-5)


def test_the_graph_counts_in_the_content_of_the_model(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "other")
    with (tmp_path / "other" / "model.onnx").open("ab") as stream:
        stream.write(b"more")
    assert model_content_hash(tmp_path / "other") != model_content_hash(folder)


def test_encoding_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from selfsent.loading import open_to_encode\n"
        f"print(open_to_encode({str(folder)!r}).encode(['a cat']).shape, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "(1, 16) False"


def test_a_tree_model_is_refused(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = saved("tree", tiny_tokenizer, tmp_path / "model")
    with pytest.raises(UserError, match="onnx is for transformers, got a model that begins with TreeEncoder"):
        write_onnx(model, tmp_path)


def test_a_graph_that_gives_other_embeddings_is_refused(
    model: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "encode", lambda texts, **_: np.ones((len(texts), 16)))
    with pytest.raises(UserError, match="gives other embeddings than torch"):
        write_onnx(model, tmp_path)


def test_missing_packages_are_one_line(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name))
    with pytest.raises(UserError, match=r"--format onnx needs onnxscript: `pip install 'selfsent\[onnx\]'`"):
        require_onnx()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"onnxruntime is not installed: `pip install 'selfsent\[onnx\]'`"):
        open_model(folder)


def test_a_broken_graph_is_one_line(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"cannot open .*export the model anew") as caught:
        selfsent.load(tmp_path / "broken")
    assert "\n" not in str(caught.value)
    (tmp_path / "broken" / "config.json").write_text(json.dumps({"inputs": 3}))
    with pytest.raises(UserError, match="no graph of ONNX"):
        selfsent.load(tmp_path / "broken")


def test_what_cannot_be_traced_is_one_line(
    model: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("data-dependent\ncontrol flow")

    monkeypatch.setattr(onnx_model.torch.onnx, "export", fails)
    with pytest.raises(UserError, match="cannot be written as a graph of ONNX: data-dependent control flow"):
        write_onnx(model, tmp_path)
