"""The suite ``bitext``: finding the translation of a sentence among those of all the others, both ways.

Protocol: a sentence is right if the nearest of all sentences of the other language, by cosine, is its own translation;
the headline is the mean of the two directions. No margin and no threshold.

Layout: ``parallel/{name}/test.tsv`` with a header of language codes; the first language against each of the others. A
pool of translations without a test part, ``parallel/{name}/en-de.tsv``, gives the pairs that ``is_heldout`` draws, at
most 1,000, no sentence twice on either side: a training on such a pool must leave them out.

Source: Artetxe and Schwenk 2019 for the task; 1,000 pairs as in their Tatoeba test sets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.data.compression import format_suffixes
from selfsent.data.heldout import hash_of_text
from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.ranking import nearest
from selfsent.evaluation.records import HubData, Record, read_records
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, Vectors, encode_distinct
from selfsent.evaluation.statistics import Mean, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions

_HELDOUT_SHARE = 0.05
_MAX_HELDOUT_PAIRS = 1000
_POOL_NAME = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")
_HUB = HubData(name="mteb/tatoeba-bitext-mining", revision="69e8f12da6e31d59addadda9a9c8a2e601a0e282")
_HUB_LANGUAGES = {"de": "deu", "fr": "fra", "ja": "jpn", "nl": "nld", "zh": "cmn"}


@dataclass(frozen=True, kw_only=True)
class Bitext:
    """Sentences and their translations.

    Args:
        name: The task, ``multi30k/en-de``.
        sources: Sentences of the one language.
        targets: Their translations, in the same order.
    """

    name: str
    sources: Sequence[str]
    targets: Sequence[str]


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model on every bitext under ``parallel/``.

    Args:
        model: The model.
        data_dir: Folder with ``parallel/``; ``None`` for Tatoeba from the hub.
        options: Uses ``split`` (of a pool there is but the held-out part), ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        Accuracy of each, the mean of both directions; each direction beside it.

    Raises:
        UserError: There is no bitext, a file is wrong, or the embeddings are.
    """
    bitexts = _from_hub() if data_dir is None else read_bitexts(data_dir, options.split)
    texts = (text for bitext in bitexts for text in (*bitext.sources, *bitext.targets))
    vectors = encode_distinct(model, texts, batch_size=options.batch_size, what="translations")
    return [
        score_bitext(vectors.of(bitext.sources), vectors.of(bitext.targets), task=bitext.name, options=options)
        for bitext in bitexts
    ]


def score_bitext(
    source_vectors: Vectors, target_vectors: Vectors, *, task: str, options: SuiteOptions | None = None
) -> Score:
    """Score how often the nearest sentence of the other language is the translation.

    Args:
        source_vectors: One row a sentence.
        target_vectors: Its translation in the same row.
        task: Name of the task.
        options: Uses ``num_resamples`` and ``seed``.
    """
    options = options or SuiteOptions()
    items = np.column_stack([_found(source_vectors, target_vectors), _found(target_vectors, source_vectors)])
    return Score(
        task=task,
        metric=METRICS["accuracy"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, Mean(), num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also={"accuracy_forward": float(items[:, 0].mean()), "accuracy_backward": float(items[:, 1].mean())},
        items=items,
    )


def _found(queries: Vectors, candidates: Vectors) -> NDArray[np.float64]:
    orders = nearest(queries, candidates, top_k=1)
    return np.array([order[0] == row for row, order in enumerate(orders)], dtype=np.float64)


def is_heldout(source: str) -> bool:
    """Tell whether a pair of a pool without a test part is held out for evaluation, by its first sentence alone.

    Args:
        source: The sentence of the first column (English in the Tatoeba files). All its translations, into whichever
            language, are held out, or none of them.
    """
    return hash_of_text(source.strip()) < _HELDOUT_SHARE * 2**64


def read_bitexts(data_dir: Path, split: str = "test") -> list[Bitext]:
    """Read all bitexts under ``parallel/``, by name.

    Raises:
        UserError: There is none, or one is malformed.
    """
    root = data_dir / "parallel"
    files = sorted(file for file in root.glob("*/*") if file.is_file()) if root.is_dir() else []
    bitexts: list[Bitext] = []
    for file in files:
        stem = file.name.partition(".")[0]
        if format_suffixes(file)[0] != ".tsv":
            continue
        if stem == split:
            bitexts += _tested(file)
        elif _POOL_NAME.fullmatch(stem):
            bitexts.append(_heldout(file, stem))
    if not bitexts:
        raise UserError(
            f"no bitext in {root}; it must hold NAME/{split}.tsv with a header of language codes and a sentence a "
            f"column, or a pool of translations {root}/NAME/en-de.tsv"
        )
    return bitexts


def _tested(path: Path) -> list[Bitext]:
    records = read_records(path, columns=())
    first, *others = records[0].values
    if not others:
        raise UserError(f"{path} has one column, {first}; give it two or more, headed by language codes")
    sources = [record.text(first) for record in records]
    return [
        Bitext(
            name=f"{path.parent.name}/{first}-{other}",
            sources=sources,
            targets=[record.text(other) for record in records],
        )
        for other in others
    ]


def _heldout(path: Path, languages: str) -> Bitext:
    """The held-out pairs in the order of their hashes, whole texts distinct on both sides."""
    first, second = languages.split("-")
    records = read_records(path, columns=(first, second))
    drawn = sorted(
        (record for record in records if is_heldout(record.text(first))), key=lambda r: hash_of_text(r.text(first))
    )
    sources: dict[str, str] = {}
    targets: set[str] = set()
    for record in drawn:
        source, target = record.text(first).strip(), record.text(second).strip()
        if source not in sources and target not in targets and len(sources) < _MAX_HELDOUT_PAIRS:
            sources[source] = target
            targets.add(target)
    return Bitext(name=f"{path.parent.name}/{languages}", sources=list(sources), targets=list(sources.values()))


def _from_hub() -> list[Bitext]:
    bitexts: list[Bitext] = []
    for language, code in _HUB_LANGUAGES.items():
        data = replace(_HUB, config=f"{code}-eng")
        records = data.records(columns=("sentence1", "sentence2"), instead="parallel/NAME/test.tsv")
        bitexts.append(_hub_bitext(language, records))
    return bitexts


def _hub_bitext(language: str, records: Sequence[Record]) -> Bitext:
    return Bitext(
        name=f"tatoeba/{language}-en",
        sources=[record.text("sentence1") for record in records],
        targets=[record.text("sentence2") for record in records],
    )
