"""Which model folders are opened without torch, and why the others are not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tests.runtime.host_models import saved, tree
from transformers import PreTrainedTokenizerFast

from selfsent.runtime import open_model, why_torch


def change(path: Path, **values: Any) -> None:
    """Change values of a file of JSON."""
    path.write_text(json.dumps(json.loads(path.read_text("utf8")) | values), "utf8")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"structure": "given"}, "given"),
        ({"inducer": "beam"}, "beam"),
        ({"inducer": "chart"}, "chart"),
    ],
)
def test_trees_that_need_torch_are_left_to_the_host(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    SentenceTransformer(modules=[tree(tiny_tokenizer, **settings)], device="cpu").save_pretrained(str(tmp_path))
    assert open_model(tmp_path) is None
    assert reason in (why_torch(tmp_path) or "")


def test_a_transformer_is_left_to_the_host(models_dir: Path) -> None:
    assert open_model(models_dir / "all-MiniLM-L6-v2") is None
    assert why_torch(models_dir / "all-MiniLM-L6-v2") == "its first module is Transformer"
    assert open_model(models_dir / "bert-tiny-wiki34m") is None


def test_a_folder_that_is_not_there_or_broken_is_left_to_the_host(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    assert open_model(tmp_path / "nowhere") is None
    saved("tree", tiny_tokenizer, tmp_path)
    assert why_torch(tmp_path) is None
    for name, reason in (
        ("tokenizer.json", "tokenizer.json"),
        ("model.safetensors", "model.safetensors"),
        ("tokenizer_config.json", "tokenizer_config.json"),
        ("modules.json", "modules.json"),
    ):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"{ broken")
        assert reason in (why_torch(tmp_path) or "")
        (tmp_path / name).write_bytes(content)
    assert open_model(tmp_path) is not None


def test_a_tokenizer_that_its_wrapper_changes_is_left_to_the_host(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    saved("tree", tiny_tokenizer, tmp_path)
    path = tmp_path / "tokenizer_config.json"
    content = path.read_text("utf8")
    for values in ({"cls_token": "[CLS]"}, {"truncation_side": "left"}, {"tokenizer_class": "BertTokenizer"}):
        change(path, **values)
        assert "tokenizer" in (why_torch(tmp_path) or "")
        path.write_text(content, "utf8")


def test_weights_of_half_precision_are_left_to_the_host(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    saved("static", tiny_tokenizer, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: value.astype(np.float16) for name, value in weights.items()}, tmp_path / "model.safetensors")
    assert why_torch(tmp_path) == f"{tmp_path} has no table of float32"


def test_a_folder_of_model2vec_has_the_hosts_vectors(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    saved("static", tiny_tokenizer, tmp_path)
    generator = np.random.default_rng(0)
    num_tokens = len(tiny_tokenizer)
    save_file(
        {
            "embeddings": generator.normal(size=(10, 16)).astype(np.float32),
            "mapping": generator.integers(0, 10, num_tokens),
            "weights": generator.random(num_tokens),
        },
        tmp_path / "model.safetensors",
    )
    ours, host = open_model(tmp_path), SentenceTransformer(str(tmp_path), device="cpu")
    assert ours is not None
    texts = ["the cat sleeps", "", "rain on the roof"]
    assert np.allclose(ours.encode(texts), host.encode(texts), atol=1e-6)
