"""The suite ``structure``: how far a tree model's trees agree with a treebank, beside uninformed trees.

The protocol is the usual one of unsupervised parsing. Punctuation and symbols (words without a letter or digit) are
removed before the model sees the words. Spans of one word and of the whole sentence are left out on both sides, and a
unary chain is one span. Sentences that keep no span in the treebank are left out and counted. The headline is the mean
of the sentences' F1.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from selfsent.data.compression import COMPRESSIONS
from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, TreeModel
from selfsent.evaluation.statistics import STATISTICS, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.parsing.brackets import ParsedTree, read_bracketed_file
from selfsent.printed_text import progress_bar
from selfsent.trees.builders import FIXED_BUILDERS, random_tree
from selfsent.trees.tree import IntArray, Tree

Spans = frozenset[tuple[int, int]]
"""Half-open word spans that are neither one word nor the whole sentence."""

TREEBANKS = {"PTB": "trees/ptb-sample.mrg", "GUM": "trees/gum.ptb"}
_SHORT_SENTENCE = 10
_NUM_RANDOM_TREES = 5
_SENTENCES_AT_ONCE = 512


def inner_spans(spans: Iterable[tuple[int, int]], num_words: int) -> Spans:
    """Leave out what every tree has: single words and the whole sentence.

    Args:
        spans: Half-open word spans.
        num_words: Words of the sentence.
    """
    return frozenset((start, end) for start, end in spans if 1 < end - start < num_words)


@dataclass(frozen=True)
class SpanCounts:
    """Agreement of predicted with gold spans, one entry a sentence."""

    matched: IntArray
    predicted: IntArray
    gold: IntArray

    @classmethod
    def of(cls, predicted: Sequence[Spans], gold: Sequence[Spans]) -> "SpanCounts":
        """Count the spans of each sentence and those on both sides."""
        pairs = list(zip(predicted, gold, strict=True))
        counts = np.array([(len(ours & theirs), len(ours), len(theirs)) for ours, theirs in pairs], dtype=np.int64)
        return cls(*counts.reshape(-1, 3).T)

    def sentence_f1(self) -> Float[np.ndarray, " B"]:
        """F1 of every sentence; 0 where nothing matches."""
        return 2 * self.matched / np.maximum(self.predicted + self.gold, 1)

    def corpus_f1(self) -> float:
        """F1 of all spans of all sentences pooled."""
        return float(2 * self.matched.sum() / max(int((self.predicted + self.gold).sum()), 1))


@dataclass(frozen=True)
class Treebank:
    """The sentences of a treebank that can be scored: their words and gold spans.

    Args:
        sentences: Words of each sentence, punctuation removed.
        gold: Inner spans of each sentence, never empty.
        num_left_out: Sentences without an inner span (too short or flat).
    """

    sentences: list[tuple[str, ...]]
    gold: list[Spans]
    num_left_out: int

    @classmethod
    def of(cls, trees: Iterable[ParsedTree]) -> "Treebank":
        """Remove punctuation from every tree and keep those with at least one inner span."""
        sentences: list[tuple[str, ...]] = []
        gold: list[Spans] = []
        num_left_out = 0
        for tree in trees:
            bare = tree.kept([any(character.isalnum() for character in word) for word in tree.words])
            spans = inner_spans(bare.spans, len(bare.words))
            if spans:
                sentences.append(bare.words)
                gold.append(spans)
            else:
                num_left_out += 1
        return cls(sentences, gold, num_left_out)


def tree_spans(model: TreeModel, sentences: Sequence[Sequence[str]]) -> list[Spans]:
    """Ask a tree model for its trees and read the inner spans off them.

    Args:
        model: The tree module.
        sentences: Words of each sentence.
    """
    spans: list[Spans] = []
    for words, (left, right) in zip(sentences, _word_trees(model, sentences), strict=True):
        if len(left) != len(words) - 1:
            raise UserError(
                f"a tree over {len(words)} words has {len(left)} merges; the model must make {len(words) - 1}"
            )
        spans.append(inner_spans(Tree(len(words), left, right).spans, len(words)))
    return spans


def _word_trees(model: TreeModel, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[IntArray, IntArray]]:
    """Ask for the trees of some sentences at a time, with a progress bar once it takes over two seconds."""
    with progress_bar(total=len(sentences), what="trees", unit="sentence") as progress:
        for start in range(0, len(sentences), _SENTENCES_AT_ONCE):
            chunk = sentences[start : start + _SENTENCES_AT_ONCE]
            yield from model.word_trees(chunk)
            progress.update(len(chunk))


def score_trees(task: str, predicted: Sequence[Spans], treebank: Treebank, options: SuiteOptions) -> Score:
    """Score predicted trees against a treebank and put the uninformed trees beside them.

    Args:
        task: Name of the treebank.
        predicted: Inner spans of each sentence of the treebank.
        treebank: Words and gold spans.
        options: Resampling settings.

    Returns:
        Mean sentence F1 (``f1``); also corpus F1 and the F1 of sentences up to ten words; by the same measure left,
        right, balanced and random trees, and the best that any binary tree can reach (a treebank's trees are flatter).
    """
    counts = SpanCounts.of(predicted, treebank.gold)
    items, mean = counts.sentence_f1(), STATISTICS["mean"]
    lengths = np.array([len(words) for words in treebank.sentences])
    short = lengths <= _SHORT_SENTENCE
    also: dict[str, float | int | str] = {"corpus_f1": counts.corpus_f1()}
    if short.any():
        also["f1_up_to_10_words"] = float(items[short].mean())
    also |= _uninformed(treebank, lengths)
    also["num_left_out"] = treebank.num_left_out
    return Score(
        task=task,
        metric=METRICS["f1"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items[:, None], mean, num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also=also,
        items=items[:, None],
    )


def _uninformed(treebank: Treebank, lengths: NDArray[np.int64]) -> dict[str, float]:
    """Mean sentence F1 of trees that do not read the sentence, and of the best binary tree there is."""

    def mean_f1(build: Callable[[int], Tree]) -> float:
        spans = [inner_spans(build(num_words).spans, num_words) for num_words in lengths.tolist()]
        return float(SpanCounts.of(spans, treebank.gold).sentence_f1().mean())

    generator = np.random.default_rng(0)
    random = [mean_f1(lambda num_words: random_tree(num_words, generator)) for _ in range(_NUM_RANDOM_TREES)]
    num_gold = np.array([len(spans) for spans in treebank.gold])
    ceiling = 2 * num_gold / (num_gold + lengths - 2)
    fixed = {f"{name}_trees": mean_f1(build) for name, build in sorted(FIXED_BUILDERS.items())}
    return fixed | {"random_trees": float(np.mean(random)), "best_binary_trees": float(ceiling.mean())}


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Compare a tree model's trees with the treebanks.

    Args:
        model: A ``SentenceTransformer`` whose first module is a ``TreeModel``.
        data_dir: Folder with ``trees/ptb-sample.mrg`` and ``trees/gum.ptb``, compressed or not; one of them is enough.
        options: Uses ``num_resamples`` and ``seed``.

    Returns:
        One score a treebank that is there.

    Raises:
        UserError: The model builds no trees, or there is no treebank.
    """
    tree_model = tree_module(model)
    scores: list[Score] = []
    for task, path in find_treebanks(data_dir).items():
        treebank = Treebank.of(read_bracketed_file(path))
        if not treebank.sentences:
            raise UserError(f"{path} holds no sentence with an inner constituent; structure needs parsed sentences")
        scores.append(score_trees(task, tree_spans(tree_model, treebank.sentences), treebank, options))
    return scores


def tree_module(model: Encoder) -> TreeModel:
    """Give the module of a model that builds trees, its first.

    Raises:
        UserError: The model builds no trees.
    """
    first = next(iter(model), None) if isinstance(model, Iterable) else model
    if isinstance(first, TreeModel):
        return first
    raise UserError(
        f"{type(first).__name__} builds no trees; the suite structure needs a tree model, such as `selfsent train "
        "self-strae` makes"
    )


def find_treebanks(data_dir: Path | None) -> dict[str, Path]:
    """Find the treebanks of the data folder by task name.

    Raises:
        UserError: There is none.
    """
    candidates = {
        task: [data_dir / f"{file}{suffix}" for suffix in ("", *COMPRESSIONS)] if data_dir else []
        for task, file in TREEBANKS.items()
    }
    found = {task: next(filter(Path.is_file, paths), None) for task, paths in candidates.items()}
    present = {task: path for task, path in found.items() if path is not None}
    if not present:
        raise UserError(
            f"no treebank in {data_dir or 'the hub'}; it must hold {' or '.join(TREEBANKS.values())},"
            " plain or compressed, of bracketed trees; check --data-dir"
        )
    return present
