"""Measure two limits of tree models from raw text: STS of sums of word embeddings, and F1 of trees against treebanks.

    SELFSENT_DATA=DIR SELFSENT_MODELS=DIR python -m benchmarks.limits_of_trees

``results/limits-of-trees/sums.md``: sums of words (which trees from the sum of their children are) with tables that
were learned from far more than 10M words, weighed as `tree-10m` weighs, on the seven STS tasks. ``merges.md``: F1 of
trees against treebanks, where neighbours are merged by the cosine of such embeddings, by the attention of pretrained
transformers, or by the mutual information of neighbouring words in 10M words.
"""

import argparse
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import AutoModel, AutoTokenizer

from selfsent.atomic import write_text
from selfsent.counts.token_frequencies import count_tokens
from selfsent.data.sources import open_source
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.structure import Spans, Treebank, find_treebanks, inner_spans, score_trees, tree_spans
from selfsent.evaluation.tasks.sts import evaluate
from selfsent.modules.attention_trees import word_affinity
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.parsing.brackets import read_bracketed_file
from selfsent.trees.affinity import merged_by_affinity
from selfsent.trees.builders import FIXED_BUILDERS

OUTPUT = Path("results/limits-of-trees")
SENTENCES_10M = 478_102
"""Sentences of the corpus that hold ten million words."""
_FREQUENCY_WEIGHT = 5e-4
_SHORT = 10
_JUDGED = 500
"""Sentences by which the best head is chosen."""
_MODELS = {"MiniLM": "all-MiniLM-L6-v2", "bert-tiny": "bert-tiny-wiki34m"}


class Table:
    """Rows of a table in Markdown, each printed as it comes.

    Args:
        heads: Names of the columns.
        words: How many columns from the left hold words; the others hold numbers.
    """

    def __init__(self, heads: Sequence[str], *, words: int) -> None:
        self.lines: list[str] = []
        self.add(*heads)
        self.add(*["---"] * words, *["---:"] * (len(heads) - words))

    def add(self, *cells: str) -> None:
        """Append a row."""
        self.lines.append(f"| {' | '.join(cells)} |")
        print(self.lines[-1], flush=True)

    def write(self, path: Path) -> None:
        """Write the table into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "\n".join(self.lines) + "\n")


def encoder_of(tokenizer: Any, table: torch.Tensor) -> TreeEncoder:
    """A tree encoder of a table, whose cell is the sum."""
    width = table.shape[1]
    encoder = TreeEncoder(tokenizer=tokenizer, channels=width // 2, channel_size=2, composition_init="sum")
    encoder.embedding.weight = nn.Parameter(table, requires_grad=False)
    return encoder.eval()


def tables(models: Path) -> dict[str, tuple[Any, torch.Tensor]]:
    """Tokenizer and table of tokens by name: of pretrained models, and a random one."""
    found: dict[str, tuple[Any, torch.Tensor]] = {}
    for name, folder in _MODELS.items():
        tokenizer = AutoTokenizer.from_pretrained(models / folder)
        body: Any = AutoModel.from_pretrained(models / folder)
        found[name] = tokenizer, body.get_input_embeddings().weight.detach()
    tokenizer, table = found["MiniLM"]
    generator = torch.Generator().manual_seed(1)
    return {"random, 512 values": (tokenizer, torch.randn(len(table), 512, generator=generator)), **found}


def similarity(data_dir: Path, found: Mapping[str, tuple[Any, torch.Tensor]], sentences: Sequence[str]) -> Table:
    """STS-B dev and sts7 of sums of each table, bare and weighed."""
    shown = Table(["table", "weights", "STS-B dev", "sts7"], words=2)
    counts: dict[int, torch.Tensor] = {}
    for name, (tokenizer, table) in found.items():
        if id(tokenizer) not in counts:
            counts[id(tokenizer)] = torch.from_numpy(count_tokens(sentences, tokenizer).counts.astype(np.float32))
        shares = counts[id(tokenizer)] / counts[id(tokenizer)].sum()
        weights = _FREQUENCY_WEIGHT / (_FREQUENCY_WEIGHT + shares)
        for told, weighed in (("none", table), ("a = 0.0005", table * weights[: len(table), None])):
            model = SentenceTransformer(modules=[encoder_of(tokenizer, weighed)], device="cpu")
            dev = evaluate(model, data_dir, SuiteOptions(split="dev", num_resamples=2))
            test = evaluate(model, data_dir, SuiteOptions(num_resamples=2))
            dev_value = next(score.value for score in dev if score.task == "STSBenchmark")
            mean = sum(score.value for score in test) / len(test)
            shown.add(name, told, f"{100 * dev_value:.2f}", f"{100 * mean:.2f}")
    return shown


class Attention:
    """A transformer and the attention between the words of sentences.

    Args:
        folder: Where the transformer is.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def affinities(self, sentences: Sequence[Sequence[str]]) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the attention between the words of each sentence, ``(layers x heads, words, words)``."""
        for words in sentences:
            read = self._tokenizer([list(words)], is_split_into_words=True, truncation=True, return_tensors="pt")
            with torch.no_grad():
                layers = self._model(**read, output_attentions=True).attentions
            heads = torch.cat(layers, dim=1)[0].numpy()
            yield np.stack([word_affinity(head, read.word_ids(0), len(words)) for head in heads])


def spans_by(affinities: Iterable[np.ndarray[Any, Any]]) -> list[Spans]:
    """Spans of the trees that affinities give."""
    return [inner_spans(merged_by_affinity(one).spans, len(one)) for one in affinities]


def mutual_information(known: set[str], corpus: Sequence[str]) -> Callable[[str, str], float]:
    """Count a corpus, and give the pointwise mutual information of two neighbours among the known words."""
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for sentence in corpus:
        words = sentence.lower().replace(",", " ").replace(".", " ").split()
        single.update(words)
        pairs.update(pair for pair in pairwise(words) if pair[0] in known and pair[1] in known)
    total = single.total()

    def bond(left: str, right: str) -> float:
        together = pairs[left.lower(), right.lower()] + 0.1
        return math.log(together * total / ((single[left.lower()] + 1) * (single[right.lower()] + 1)))

    return bond


def _parted(bonds: Sequence[float]) -> Spans:
    """Spans of the tree that parts a sentence where the bond of two neighbours is least."""
    spans: list[tuple[int, int]] = []
    open_ones = [(0, len(bonds) + 1)]
    while open_ones:
        start, end = open_ones.pop()
        spans.append((start, end))
        if end - start > 1:
            cut = start + 1 + int(np.argmin(bonds[start : end - 1]))
            open_ones += [(start, cut), (cut, end)]
    return inner_spans(spans, len(bonds) + 1)


def structure(
    data_dir: Path, models: Path, found: Mapping[str, tuple[Any, torch.Tensor]], corpus: Sequence[str]
) -> Table:
    """F1 of the trees of each score, of all sentences and of those up to ten words."""
    banks = {name: Treebank.of(read_bracketed_file(path)) for name, path in find_treebanks(data_dir).items()}
    names = list(banks)
    heads = [head for name in names for head in (name, f"{name}, up to {_SHORT} words")]
    shown = Table(["merged by", *heads], words=1)

    def row(ground: str, spans_of: Callable[[str, Treebank], list[Spans]]) -> None:
        cells: list[str] = []
        for name, bank in banks.items():
            score = score_trees(name, spans_of(name, bank), bank, SuiteOptions(num_resamples=2))
            cells += [f"{100 * score.value:.1f}", f"{100 * float(score.also['f1_up_to_10_words']):.1f}"]
        shown.add(ground, *cells)

    for ground, (tokenizer, table) in found.items():
        encoder = encoder_of(tokenizer, table)
        row(f"cosine, {ground}", lambda _, bank, encoder=encoder: tree_spans(encoder, bank.sentences))
    known = {word.lower() for bank in banks.values() for words in bank.sentences for word in words}
    bond = mutual_information(known, corpus)
    row(
        "mutual information of neighbours",
        lambda _, bank: [_parted([bond(*pair) for pair in pairwise(words)]) for words in bank.sentences],
    )
    judge = names[-1]
    for model, folder in _MODELS.items():
        attention = Attention(models / folder)
        judged = list(attention.affinities(banks[judge].sentences[:_JUDGED]))
        best = _best_head(judged, banks[judge])
        by_bank = {name: _by_attention(attention, bank, best) for name, bank in banks.items()}
        row(f"attention, {model}", lambda name, _, found=by_bank: found[name][0])
        told = f"attention, {model}, the best of {len(judged[0])} heads on {judge}"
        row(told, lambda name, _, found=by_bank: found[name][1])
    for name in ("right", "left", "balanced"):
        row(f"{name} branching", lambda _, bank, name=name: _fixed(name, bank))
    return shown


def _fixed(name: str, bank: Treebank) -> list[Spans]:
    return [inner_spans(FIXED_BUILDERS[name](len(words)).spans, len(words)) for words in bank.sentences]


def _by_attention(attention: Attention, bank: Treebank, best: int) -> tuple[list[Spans], list[Spans]]:
    """Spans by the mean of all heads, and by one of them."""
    by_mean: list[Spans] = []
    by_best: list[Spans] = []
    for heads in attention.affinities(bank.sentences):
        by_mean += spans_by([heads.mean(axis=0)])
        by_best += spans_by([heads[best]])
    return by_mean, by_best


def _best_head(affinities: Sequence[np.ndarray[Any, Any]], bank: Treebank) -> int:
    """The head whose trees are nearest to the first sentences of a treebank."""
    bank = replace(bank, sentences=bank.sentences[: len(affinities)], gold=bank.gold[: len(affinities)])
    options = SuiteOptions(num_resamples=2)
    scores = [
        score_trees("", spans_by(one[head] for one in affinities), bank, options).value
        for head in range(len(affinities[0]))
    ]
    return int(np.argmax(scores))


def main() -> int:
    """Print and write both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    data_dir, models = Path(os.environ["SELFSENT_DATA"]), Path(os.environ["SELFSENT_MODELS"])
    corpus = list(open_source(data_dir / "corpus" / "enwiki-sentences.txt.xz", max_rows=SENTENCES_10M).texts())
    found = tables(models)
    similarity(data_dir, found, corpus).write(OUTPUT / "sums.md")
    structure(data_dir, models, found, corpus).write(OUTPUT / "merges.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
