"""A parser of spaCy's trained on treebanks, where no pipeline can be downloaded: one that gives constituents.

    python -m benchmarks.treebank_parser --output parser DATA/trees/gum.ptb.xz DATA/trees/ptb-sample.mrg.xz
    selfsent parse corpus.txt --model parser/model-last --output parses/corpus.parquet

spaCy parses dependencies, and `selfsent.parsing.dependencies` turns heads into binary trees, right dependents before
left ones. So heads can be chosen that give a binary tree back exactly: of two constituents either may lead the other,
but the left one only where its head is its first word. It does where that is a verb, a preposition or a wh-word; else
the right one leads. On those heads the parser is trained, with a tagger beside it for the sake of the shared
embeddings. Every twentieth tree is held out, and F1 of its constituents printed (protocol of the suite structure).
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import spacy  # pyright: ignore[reportMissingImports] an extra of the package
from spacy.cli.init_config import init_config  # pyright: ignore[reportMissingImports]
from spacy.cli.train import train  # pyright: ignore[reportMissingImports]
from spacy.language import Language  # pyright: ignore[reportMissingImports]
from spacy.tokens import Doc, DocBin  # pyright: ignore[reportMissingImports]
from spacy.vocab import Vocab  # pyright: ignore[reportMissingImports]

from selfsent.evaluation.tasks.structure import SpanCounts, inner_spans
from selfsent.parsing.brackets import ParsedTree, read_bracketed_file
from selfsent.parsing.dependencies import ROOT, depths_of_heads
from selfsent.trees.split_depths import trees_of_depths, without_tokens

HELD_OUT = 20
LEADING_TAGS = ("V", "MD", "TO", "IN", "W")
MAX_WORDS = 200


def heads_of(tree: ParsedTree) -> list[int]:
    """Give each word a head, and -1 to one, so that the binary tree can be had back."""
    num_words = len(tree.words)
    start, lead = list(range(num_words)), list(range(num_words))
    heads = [ROOT] * num_words
    merges = tree.binarise("right")
    for left, right in zip(merges.left.tolist(), merges.right.tolist(), strict=True):
        left_leads = lead[left] == start[left] and tree.tags[lead[left]].startswith(LEADING_TAGS)
        head, dependent = (left, right) if left_leads else (right, left)
        heads[lead[dependent]] = lead[head]
        start.append(start[left])
        lead.append(lead[head])
    return heads


def document(vocab: Vocab, tree: ParsedTree) -> Doc:
    """Make the example that the tagger and the parser learn one sentence from."""
    heads = heads_of(tree)
    return Doc(
        vocab,
        words=list(tree.words),
        tags=list(tree.tags),
        heads=[word if head == ROOT else head for word, head in enumerate(heads)],
        deps=["ROOT" if head == ROOT else "dep" for head in heads],
        sent_starts=[word == 0 for word in range(len(heads))],
    )


def train_pipeline(
    training: Sequence[ParsedTree], held_out: Sequence[ParsedTree], folder: Path, max_epochs: int
) -> Language:
    """Train a tagger and a parser with the settings spaCy suggests for a processor, and keep the last state."""
    vocab = spacy.blank("en").vocab
    folder.mkdir(parents=True, exist_ok=True)
    files = {"train": folder / "train.spacy", "dev": folder / "dev.spacy"}
    for file, trees in zip(files.values(), (training, held_out), strict=True):
        DocBin(docs=[document(vocab, tree) for tree in trees]).to_disk(file)
    config = init_config(lang="en", pipeline=["tagger", "parser"], optimize="efficiency")
    config["training"].update({"max_epochs": max_epochs, "max_steps": 0, "patience": 0, "eval_frequency": 500})
    config["paths"].update({name: str(file) for name, file in files.items()})
    config.to_disk(folder / "config.cfg")
    train(folder / "config.cfg", folder)
    return spacy.load(folder / "model-last")


def f1(depths_of: Callable[[ParsedTree], np.ndarray], trees: Iterable[ParsedTree]) -> tuple[float, int]:
    """Score binary trees, given as split depths over all words: mean F1 of the sentences, and their number."""
    predicted, gold = [], []
    for tree in trees:
        is_kept = [any(character.isalnum() for character in word) for word in tree.words]
        num_words = sum(is_kept)
        spans = inner_spans(tree.kept(is_kept).spans, num_words)
        if spans:
            depths = without_tokens(depths_of(tree), is_kept)
            (binary,) = trees_of_depths(depths, np.array([num_words]), "right")
            predicted.append(inner_spans(binary.spans, num_words))
            gold.append(spans)
    return float(SpanCounts.of(predicted, gold).sentence_f1().mean()), len(gold)


def main() -> None:
    """Train, keep the pipeline, print what it does on trees it has not seen."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("treebanks", type=Path, nargs="+", help="files of bracketed trees, plain or compressed")
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--max-epochs", type=int, default=4)
    given = options.parse_args()
    banks = {bank.name: list(read_bracketed_file(bank)) for bank in given.treebanks}
    held_out = {name: trees[::HELD_OUT] for name, trees in banks.items()}
    training = [tree for trees in banks.values() for place, tree in enumerate(trees) if place % HELD_OUT]
    fitting = [tree for tree in training if len(tree.words) <= MAX_WORDS]
    pipeline = train_pipeline(fitting, list(chain.from_iterable(held_out.values())), given.output, given.max_epochs)

    def parsed(tree: ParsedTree) -> np.ndarray:
        words = pipeline(Doc(pipeline.vocab, words=list(tree.words)))
        return depths_of_heads([ROOT if word.head.i == word.i else word.head.i for word in words])

    for name, trees in held_out.items():
        score, num_sentences = f1(parsed, trees)
        right, _ = f1(lambda tree: np.arange(len(tree.words) - 1), trees)
        scores = f"F1 {100 * score:.1f}, merged from the right {100 * right:.1f}"
        print(f"{name}, {num_sentences:,} sentences held out: {scores}")


if __name__ == "__main__":
    main()
