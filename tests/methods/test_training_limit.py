"""The limit of training is not the limit of the model, whatever method trains it."""

import json
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.methods.one_run import built
from tests.modules.transformer_models import open_bert, write_bert

from selfsent.data.sources import open_source
from selfsent.methods import METHODS
from selfsent.options import configure

PAIRS = list(zip(SENTENCES[::2], SENTENCES[1::2], strict=True))
TEXTS = [{"text": text} for text in SENTENCES]
ROWS = {
    "simcse": TEXTS,
    "simcse-sup": [{"anchor": one, "positive": other} for one, other in PAIRS],
    "sbert-classification": [
        {"premise": one, "hypothesis": other, "label": number % 3} for number, (one, other) in enumerate(PAIRS)
    ],
    "sbert-regression": [{"sentence1": one, "sentence2": other, "score": 3} for one, other in PAIRS],
    "sbert-triplet": [{"anchor": one, "positive": other, "negative": "No."} for one, other in PAIRS],
    "sarcse": TEXTS,
    "sct": TEXTS,
    "sct-distill": TEXTS,
    "mlm": TEXTS,
    "multilingual": [{"en": one, "de": other} for one, other in PAIRS],
    "translation-ranking": [{"en": one, "de": other} for one, other in PAIRS],
}
OPTIONS: dict[str, dict[str, Any]] = {"sct": {"queue_size": 8}, "sct-distill": {"queue_size": 8}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of 64 positions that says it reads 48 tokens."""
    folder = tmp_path_factory.mktemp("limits")
    write_bert(folder / "bert", SENTENCES)
    model = SentenceTransformer(modules=[open_bert(folder / "bert", max_seq_length=48), Pooling(16)], device="cpu")
    model.save_pretrained(str(folder / "base"), create_model_card=False)
    return folder / "base"


def test_every_method_that_has_a_limit_is_tried_here():
    with_limit = {name for name, method in METHODS.items() if hasattr(method.config, "max_seq_length")}
    assert with_limit == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_training_texts_are_cut_and_the_model_keeps_the_limit_of_its_base(name: str, base: Path, tmp_path: Path):
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]), encoding="utf8")
    method = METHODS[name]
    teacher = str(base) if method.takes_teacher else None
    caches = {"teacher_cache": str(tmp_path / "vectors")} if teacher else {}
    config = configure(method.config, {"max_seq_length": 10, **OPTIONS.get(name, {}), **caches}, method=name)
    parts = built(method.build, config, open_source(data), tmp_path / "model", base=str(base), teacher=teacher)
    assert (parts.max_seq_length, parts.model.max_seq_length) == (10, 48)
