"""The table of the methods: rows to learn from, a small run of each, and mistakes with the answer to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.conftest import SENTENCES

Overrides = Mapping[str, Any]
PAIRS = list(zip(SENTENCES[::2], SENTENCES[1::2], strict=True))
TEXTS = [{"text": text} for text in SENTENCES]
ENTAILED = [{"anchor": one, "positive": other} for one, other in PAIRS]
JUDGED = [{"sentence1": one, "sentence2": other, "score": 3} for one, other in PAIRS]
LABELLED = [{"premise": one, "hypothesis": other, "label": number % 3} for number, (one, other) in enumerate(PAIRS)]
TRIPLETS = [{"anchor": one, "positive": other, "negative": "No."} for one, other in PAIRS]
TRANSLATED = [{"en": one, "de": other} for one, other in PAIRS]
DOCUMENTS = [
    {
        "_id": f"d{number}",
        "title": f"About the {thing}",
        "text": " ".join(f"The {thing} of place {number} is part {part} of what we know." for part in range(4)),
    }
    for number, thing in enumerate(("river", "engine", "garden", "violin", "market", "planet") * 5)
]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the contract must know of one method.

    Args:
        rows: What it learns from.
        options: Options that make the run small.
        training: Arguments of the host's trainer that make it short.
        base: The model it starts from: one of the tests' own, a kind that is made anew, or none.
        has_teacher: Whether the run is given a teacher.
        mistakes: Options and arguments out of range, and what the error says.
        needs: A package that is not always installed.
    """

    rows: Sequence[Mapping[str, Any]] = tuple(TEXTS)
    options: Overrides = field(default_factory=dict[str, Any])
    training: Overrides = field(default_factory=lambda: {"max_steps": 2, "per_device_train_batch_size": 4})
    base: Literal["bert", "static"] | None = None
    has_teacher: bool = False
    mistakes: tuple[tuple[Overrides, str], ...]
    needs: str | None = None


NO_BASE = ({"base": "some-model"}, "takes no --base.*some-model")
NO_TEACHER = ({"teacher": "some-model"}, "learns without a teacher")
NO_TEMPERATURE = ({"temperature": 0.0}, r"temperature=0\.0")
TREE: Overrides = {"channels": 2, "channel_size": 2, "vocab_size": 200}
SHORT: Overrides = {"max_seq_length": 16}
NETWORK: Overrides = {"dimension": 8, "vocab_size": 200}
OF_TREES = (NO_BASE, NO_TEACHER, ({"structure": "forest"}, "structure.*forest.*induced"))
OF_NETWORKS = (*OF_TREES, ({"dimension": 0}, "dimension=0"))
OF_SBERT = (({"base": "static"}, "fine-tunes a transformer.*static"), NO_TEACHER, ({"num_layers": 0}, "num_layers=0"))

CASES: dict[str, Case] = {
    "self-strae": Case(options=TREE, mistakes=(*OF_TREES, NO_TEMPERATURE)),
    "strae": Case(options={**TREE, "structure": "balanced"}, mistakes=(*OF_TREES, NO_TEMPERATURE)),
    "banyan": Case(options=TREE, mistakes=OF_TREES),
    "tree-lstm": Case(options=NETWORK, mistakes=OF_NETWORKS),
    "iornn": Case(options=NETWORK, mistakes=(*OF_NETWORKS, NO_TEMPERATURE)),
    "bi-lstm": Case(options=NETWORK, mistakes=(NO_BASE, NO_TEACHER, ({"dimension": 7}, "dimension=7"))),
    "fasttext": Case(
        options={"dimension": 8, "min_count": 1, "buckets": 50},
        training={"num_train_epochs": 1},
        mistakes=(NO_BASE, NO_TEACHER, ({"window": 0}, "window=0")),
        needs="gensim",
    ),
    "document-contrast": Case(
        rows=DOCUMENTS,
        options={"width": 8},
        training={"num_train_epochs": 1, "per_device_train_batch_size": 8},
        mistakes=(({"base": "some-model"}, "--base must be .*got some-model"), NO_TEACHER, ({"width": 0}, "width.*0")),
    ),
    "document-distillation": Case(
        rows=DOCUMENTS,
        options={"passage_words": 20, "vocab_size": 200},
        has_teacher=True,
        mistakes=(
            ({"base": "tree"}, "--base must be static.*tree"),
            ({"passage_words": 0}, "passage_words.*0"),
        ),
    ),
    "simcse": Case(base="bert", mistakes=(NO_TEMPERATURE, NO_TEACHER, ({"view": "x"}, "view=.x.*repeat"))),
    "simcse-sup": Case(
        base="bert", rows=ENTAILED, mistakes=(({"hard_negative_weight": 0.0}, r"hard_negative_weight=0\.0"), NO_TEACHER)
    ),
    "sbert-classification": Case(
        base="bert", rows=LABELLED, options=SHORT, mistakes=(*OF_SBERT, ({"labels": "one"}, "labels.*one"))
    ),
    "sbert-regression": Case(
        base="bert", rows=JUDGED, options=SHORT, mistakes=(*OF_SBERT, ({"score_range": "5"}, "score_range.*5"))
    ),
    "sbert-triplet": Case(
        base="bert", rows=TRIPLETS, options=SHORT, mistakes=(*OF_SBERT, ({"margin": 0.0}, r"margin.*0"))
    ),
    "sarcse": Case(
        base="bert",
        options={"channels": 4},
        mistakes=(({"base": "static"}, "cannot start from --base static"), NO_TEACHER, ({"beta": -1.0}, r"beta=-1\.0")),
    ),
    "sct": Case(
        base="bert",
        options={**SHORT, "queue_size": 8},
        mistakes=(NO_TEMPERATURE, NO_TEACHER, ({"queues": "x"}, "queues='x'.*two, one"), ({"view": "x"}, "view.*x")),
    ),
    "sct-distill": Case(
        base="bert",
        options={**SHORT, "queue_size": 8},
        has_teacher=True,
        mistakes=(
            ({"objective": "x"}, "objective='x'"),
            ({"share_queues": True, "comparison": "contrastive"}, "share_q"),
        ),
    ),
    "mlm": Case(
        base="bert",
        options={**SHORT, "packed": False},
        mistakes=(({"base": "static"}, "trains a transformer.*static"), NO_TEACHER, ({"width": 1}, "width")),
    ),
    "multilingual": Case(
        rows=TRANSLATED,
        base="static",
        options={"hidden_size": 16},
        has_teacher=True,
        mistakes=(({"objective": "x"}, "objective.*x"), ({"hidden_size": 0}, "hidden_size=0|width=0")),
    ),
    "translation-ranking": Case(
        rows=TRANSLATED,
        base="bert",
        mistakes=(({"ranking_weight": 0.0}, "leave nothing to learn from"), NO_TEACHER, NO_TEMPERATURE),
    ),
}
