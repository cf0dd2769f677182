"""Models in int8: near the vectors they were made of, and the same wherever they are opened."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tests.modules.transformer_models import open_bert, write_bert
from tests.runtime.host_models import KINDS, saved
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.export.int8_model import write_int8
from selfsent.model_content import model_content_hash
from selfsent.runtime import open_model


@pytest.mark.parametrize("kind", KINDS)
def test_the_vectors_are_the_same_in_the_host_in_selfsent_and_without_torch(
    kind: str, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved(kind, tiny_tokenizer, tmp_path / "model", {"query": "the "})
    (tmp_path / "small").mkdir()
    write_int8(model, tmp_path / "small")
    host = SentenceTransformer(str(tmp_path / "small"), device="cpu", trust_remote_code=True)
    ours, without_torch = selfsent.load(tmp_path / "small", device="cpu"), open_model(tmp_path / "small")
    assert without_torch is not None
    texts = [*sentences, ""]
    expected = np.asarray(host.encode(texts))
    finite = expected[np.isfinite(expected)]
    assert np.array_equal(np.asarray(ours.encode(texts)), expected)
    assert np.allclose(without_torch.encode(texts), expected, rtol=0, atol=1e-6 * np.abs(finite).max(initial=1))
    assert without_torch.prompts["query"] == host.prompts["query"] == "the "


@pytest.mark.parametrize("kind", ["sum", "weighted", "static", "static-normalised", "pooled-mean", "balanced"])
def test_the_vectors_are_near_those_of_float32(
    kind: str, tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, sentences: list[str]
) -> None:
    model = saved(kind, tiny_tokenizer, tmp_path / "model")
    (tmp_path / "small").mkdir()
    write_int8(model, tmp_path / "small")
    small = open_model(tmp_path / "small")
    assert small is not None
    before, after = np.asarray(model.encode(sentences)), small.encode(sentences)
    cosines = (before * after).sum(axis=1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    assert cosines.min() > 0.999
    assert not np.array_equal(before, after)


def test_the_table_takes_a_quarter(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = saved("sum", tiny_tokenizer, tmp_path / "model")
    (tmp_path / "small").mkdir()
    write_int8(model, tmp_path / "small")
    before, after = ((tmp_path / name / "model.safetensors").stat().st_size for name in ("model", "small"))
    num_tokens = len(tiny_tokenizer)
    assert before - after == pytest.approx(num_tokens * (24 * 4 - 24 - 4), abs=200)  # a header that is longer by a name
    assert model_content_hash(tmp_path / "small") != model_content_hash(tmp_path / "model")


def test_a_model_in_int8_is_trained_on_in_float32(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = saved("tree", tiny_tokenizer, tmp_path / "model")
    (tmp_path / "small").mkdir()
    write_int8(model, tmp_path / "small")
    opened = selfsent.load(tmp_path / "small", device="cpu")
    opened[0].embedding.weight.data += 1
    opened.save_pretrained(str(tmp_path / "again"))
    again = selfsent.load(tmp_path / "again", device="cpu")
    assert np.array_equal(again.encode(["the cat"]), opened.encode(["the cat"]))


def test_a_transformer_is_refused(tmp_path: Path, sentences: list[str]) -> None:
    model = SentenceTransformer(modules=[open_bert(write_bert(tmp_path / "bert", sentences))], device="cpu")
    with pytest.raises(UserError, match="int8 is for tree and static models, got a transformer; take --format onnx"):
        write_int8(model, tmp_path)
