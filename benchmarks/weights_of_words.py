"""Measure what better weights of words give a sum: STS-B dev of weighed sums of a random table and of tree-10m's start.

    SELFSENT_DATA=DIR python -m benchmarks.weights_of_words

Writes ``results/limits-of-trees/weights.md``. Tokenizer, counts and start are those of ``recipes/tree-10m.toml``: the
25,000 pieces of 478,102 sentences, tables of 512 values. The random part of a table has three seeds; what is counted in
the corpus (topics and spelling) is the same for all. No test set is read, and weights are learned without labels.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.learned_weights import Floats, learned
from benchmarks.limits_of_trees import OUTPUT, SENTENCES_10M, Table
from benchmarks.phrases import find_phrases
from scipy.sparse import csr_array

from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.data.sources import open_source
from selfsent.data.tokenizer import train_tokenizer
from selfsent.evaluation.sentence_vectors import cosines
from selfsent.evaluation.statistics import Spearman
from selfsent.evaluation.tasks.sts import read_pairs
from selfsent.methods.table_start import TableOptions, start_table
from selfsent.modules.tree_encoder import TreeEncoder

_A = 5e-4
_SEEDS = (1, 2, 3)
_WIDTH = 512
_COMPONENT_SENTENCES = 20_000
_INFORMATION, _LEAST = (2.0, 4.0, 6.0, 8.0), 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """Texts with a weight for each token.

    Args:
        texts: The texts.
        weights: Weights of all tokens, in order.
    """

    texts: TokenizedTexts
    weights: Floats

    def sums(self, table: Floats) -> Floats:
        """Add up the weighed rows of each text."""
        shape = (len(self.texts), len(table))
        return csr_array((self.weights.astype(np.float32), self.texts.ids, self.texts.starts), shape=shape) @ table


def by_token(texts: TokenizedTexts, weights: Floats) -> Words:
    """Weigh each token by the weight of its id."""
    return Words(texts=texts, weights=weights[texts.ids])


def places(texts: TokenizedTexts) -> Floats:
    """Say where in its text each token stands, from 0 to 1: the middle of its share of the text."""
    lengths = np.diff(texts.starts)
    within = np.arange(len(texts.ids)) - np.repeat(texts.starts[:-1], lengths)
    return (within + 0.5) / np.repeat(lengths, lengths)


def smooth_inverse(counts: Floats, a: float) -> Floats:
    """Weigh each id by ``a / (a + p)``, p its share of the counts."""
    return a / (a + counts / counts.sum())


def inverse_document(texts: TokenizedTexts, per_block: int) -> Floats:
    """Weigh each id by ``log(N / df)`` over blocks of so many texts; an id that is nowhere counts as in one block."""
    numbers = np.repeat(np.arange(len(texts)) // per_block, np.diff(texts.starts))
    distinct = np.unique(numbers * texts.num_ids + texts.ids)
    held = np.bincount(distinct % texts.num_ids, minlength=texts.num_ids)
    return np.log((numbers[-1] + 1) / np.maximum(held, 1))


def without_common(vectors: Floats, fitted_on: Floats, num_components: int) -> Floats:
    """Take the first principal directions of some vectors, not centred, out of others."""
    _, directions = np.linalg.eigh(fitted_on.T @ fitted_on)
    common = directions[:, -num_components:]
    return vectors - vectors @ common @ common.T


class Bench:
    """The corpus, the pairs of STS-B dev, and the tables.

    Args:
        corpus: Sentences of the corpus.
        data_dir: Folder with ``sts``.
    """

    def __init__(self, corpus: Sequence[str], data_dir: Path) -> None:
        tokenizer = train_tokenizer(corpus)
        compiled = tokenizer.backend_tokenizer
        self.corpus = TokenizedTexts.of(corpus, compiled)
        self.counts = self.corpus.counts()
        pairs = read_pairs(data_dir, "STSBenchmark", "dev")
        self.gold = pairs.gold
        self.dev = TokenizedTexts.of([*pairs.sentences1, *pairs.sentences2], compiled)
        self.sif = smooth_inverse(self.counts, _A)
        options = TableOptions(table_init="lsa", texts_a_passage=4, spelling=True)
        self.tables = tables(tokenizer, self.corpus, options)
        self.shown = Table(["weights", "setting", "random table", "start of tree-10m"], words=2)

    def score(self, vectors: Floats) -> float:
        """Spearman's correlation, times 100, of cosines with what people say."""
        left, right = np.split(vectors, 2)
        return 100 * Spearman()(np.stack([cosines(left, right), self.gold], axis=1))

    def row(self, kind: str, setting: str, vectors: Callable[[Floats, int], Floats]) -> None:
        """Add a row: mean and standard deviation over seeds, with each kind of table.

        Args:
            kind: What weighs.
            setting: How.
            vectors: Gives the vectors of the dev sentences by a table, and by the seed that it was drawn with.
        """
        cells: list[str] = []
        for drawn in self.tables:
            values = [self.score(vectors(table, seed)) for seed, table in zip(_SEEDS, drawn, strict=True)]
            cells.append(f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}")
        self.shown.add(kind, setting, *cells)

    def plain(self, kind: str, setting: str, words: Words) -> None:
        """Add a row of weights that no table changes."""
        self.row(kind, setting, lambda table, _: words.sums(table))


def tables(tokenizer: Any, corpus: TokenizedTexts, options: TableOptions) -> tuple[list[Floats], list[Floats]]:
    """Random tables by seed, and the same with what is counted in the corpus added."""
    drawn: list[Floats] = []
    counted: Floats | None = None
    for seed in _SEEDS:
        torch.manual_seed(seed)
        encoder = TreeEncoder(tokenizer=tokenizer, channels=_WIDTH // 2, channel_size=2, composition_init="sum")
        drawn.append(encoder.embedding.weight.detach().numpy().copy())
        if counted is None:
            start_table(encoder, corpus, options)
            counted = encoder.embedding.weight.detach().numpy() - drawn[0]
    return drawn, [table + counted for table in drawn]


def of_counts(bench: Bench) -> None:
    """Rows of weights that counts give."""
    bench.plain("none", "", by_token(bench.dev, np.ones(len(bench.counts))))
    for a in (1e-2, 3e-3, 1e-3, _A, 2e-4, 1e-4, 5e-5):
        bench.plain("a / (a + p)", f"a = {a:g}", by_token(bench.dev, smooth_inverse(bench.counts, a)))
    for per_block, told in ((1, "sentences"), (4, "four sentences"), (16, "sixteen sentences")):
        weights = inverse_document(bench.corpus, per_block)
        bench.plain("idf", told, by_token(bench.dev, weights))
        bench.plain("idf squared", told, by_token(bench.dev, weights**2))


def of_positions(bench: Bench) -> None:
    """Rows of weights by where in a sentence a token stands, times ``a / (a + p)``."""
    along = 1 - 2 * places(bench.dev)
    weighed = bench.sif[bench.dev.ids]
    for more in (0.5, 0.25, -0.25, -0.5):
        told = f"{1 + more:g} at the beginning to {1 - more:g} at the end"
        bench.plain("position", told, Words(texts=bench.dev, weights=weighed * (1 + more * along)))
    for more in (0.5, -0.5):
        told = f"{1 + more:g} at both ends to {1 - more:g} in the middle"
        weights = weighed * (1 + more * (2 * abs(along) - 1))
        bench.plain("position", told, Words(texts=bench.dev, weights=weights))


def of_learning(bench: Bench) -> None:
    """Rows of weights that are learned without labels."""
    classes = np.log2(bench.counts + 1).astype(np.int64)
    ids = np.arange(len(bench.counts))
    for halves in (False, True):
        for groups, told in ((classes, "by class of frequency"), (ids, "by token")):
            for start, begun in ((np.ones(len(ids)), "from 1"), (bench.sif, f"from a = {_A:g}")):
                views = "halves of a sentence" if halves else "neighbouring sentences"
                learn = partial(learned, bench.corpus, groups=groups, start=start, halves=halves)
                bench.row(f"learned {told}", f"{views}, {begun}", partial(_learned_sums, bench.dev, learn))


def _learned_sums(texts: TokenizedTexts, learn: Callable[..., Floats], table: Floats, seed: int) -> Floats:
    return by_token(texts, learn(table=table, seed=seed)).sums(table)


def of_components(bench: Bench) -> None:
    """Rows of sums without the common components of the corpus' sums."""
    some = every(bench.corpus, len(bench.corpus) // _COMPONENT_SENTENCES)
    for weights, told in ((np.ones(len(bench.sif)), "no weights"), (bench.sif, f"a = {_A:g}")):
        words, fitted_on = by_token(bench.dev, weights), by_token(some, weights)
        for number in (1, 5):
            bench.row("common components removed", f"{number}, {told}", partial(_purged_sums, words, fitted_on, number))


def _purged_sums(words: Words, fitted_on: Words, number: int, table: Floats, _: int) -> Floats:
    return without_common(words.sums(table), fitted_on.sums(table), number)


def every(texts: TokenizedTexts, step: int) -> TokenizedTexts:
    """Give one text of so many."""
    bounds = zip(texts.starts[:-1:step], texts.starts[1::step], strict=True)
    parts = [texts.ids[first:last] for first, last in bounds]
    return replace(texts, ids=np.concatenate(parts), starts=np.cumsum([0, *map(len, parts)]))


def of_phrases(bench: Bench) -> None:
    """Rows with entries for phrases: in place of their tokens, or beside them."""
    tokens = by_token(bench.dev, bench.sif)
    for threshold in _INFORMATION:
        phrases = find_phrases(bench.corpus, threshold=threshold, least=_LEAST)
        weights = smooth_inverse(phrases.joined(bench.corpus).counts(), _A)
        joined, own = by_token(phrases.joined(bench.dev), weights), by_token(phrases.alone(bench.dev), weights)
        told = (
            f"{len(phrases.keys):,} pairs of {threshold:g} nats or more, {len(own.texts.ids):,} times in the sentences"
        )
        for kind, parts in (("phrases for their pieces", [joined]), ("phrases beside their pieces", [tokens, own])):
            bench.row(kind, told, partial(_sums_with_phrases, parts, len(phrases.keys)))


def _sums_with_phrases(parts: Sequence[Words], number: int, table: Floats, seed: int) -> Floats:
    longer = with_new_rows(table, seed, number=number)
    return np.sum([part.sums(longer) for part in parts], axis=0)


def with_new_rows(table: Floats, seed: int, *, number: int) -> Floats:
    """Add random rows to a table, uniform and of the same mean square."""
    bound = float(np.sqrt(3 * np.square(table).mean()))
    rows = np.random.default_rng(seed).uniform(-bound, bound, (number, table.shape[1]))
    return np.concatenate([table, rows.astype(np.float32)])


def main() -> int:
    """Print and write the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    data_dir = Path(os.environ["SELFSENT_DATA"])
    source = open_source(data_dir / "corpus" / "enwiki-sentences.txt.xz", max_rows=SENTENCES_10M)
    bench = Bench(list(source.texts()), data_dir)
    for rows in (of_counts, of_positions, of_components, of_phrases, of_learning):
        rows(bench)
    bench.shown.write(OUTPUT / "weights.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
