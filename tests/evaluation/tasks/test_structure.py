from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import structure
from selfsent.evaluation.tasks.structure import SpanCounts, Treebank, inner_spans, score_trees, tree_spans
from selfsent.parsing.brackets import parse_bracketed
from selfsent.trees.builders import right_branching
from selfsent.trees.tree import Tree

TREES = """
(S (NP (DT the) (JJ old) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (DT the) (NN roof)))) (. .))
(S (NP (PRP it)) (VP (VBD rained)) (. .))
(S (S (NP (NNS dogs)) (VP (VBP run))) (, ,) (CC and) (S (NP (NNS cats)) (VP (VBP sleep))))
"""
OPTIONS = SuiteOptions(num_resamples=50)


class Branching:
    """A tree model that answers with one fixed builder."""

    def __init__(self, build=right_branching) -> None:
        self.build = build

    def encode(self, inputs, **kwargs):
        raise NotImplementedError

    def word_trees(self, sentences: Sequence[Sequence[str]]):
        trees = [self.build(len(words)) for words in sentences]
        return [(tree.left, tree.right) for tree in trees]


@pytest.fixture
def treebank() -> Treebank:
    return Treebank.of(parse_bracketed(TREES))


def test_punctuation_is_removed_and_trivial_spans_are_left_out(treebank: Treebank):
    assert treebank.sentences == [
        ("the", "old", "cat", "sat", "on", "the", "roof"),
        ("dogs", "run", "and", "cats", "sleep"),
    ]
    assert treebank.gold == [{(0, 3), (3, 7), (4, 7), (5, 7)}, {(0, 2), (3, 5)}]
    assert treebank.num_left_out == 1


def test_f1_of_hand_worked_spans():
    predicted = [frozenset({(0, 2), (0, 3), (4, 6)}), frozenset({(1, 3)})]
    gold = [frozenset({(0, 2), (4, 6)}), frozenset({(0, 2)})]
    counts = SpanCounts.of(predicted, gold)
    np.testing.assert_allclose(counts.sentence_f1(), [2 * 2 / 5, 0])
    assert counts.corpus_f1() == pytest.approx(2 * 2 / 7)


def test_whole_sentences_and_single_words_do_not_count():
    assert inner_spans([(0, 1), (0, 4), (1, 3), (1, 3)], 4) == {(1, 3)}


def test_a_right_branching_model_scores_as_right_branching_trees(treebank: Treebank):
    score = score_trees("PTB", tree_spans(Branching(), treebank.sentences), treebank, OPTIONS)
    assert score.value == pytest.approx(score.also["right_trees"])
    # First sentence: right-branching spans (1..5, 7), two of the four gold ones... counted by hand below.
    first = 2 * len({(3, 7), (4, 7), (5, 7)}) / (5 + 4)
    second = 2 * len({(3, 5)}) / (3 + 2)
    assert score.value == pytest.approx((first + second) / 2)
    assert score.also["num_left_out"] == 1
    assert score.num_items == 2


def test_the_treebanks_own_trees_made_binary_reach_the_best_that_binary_trees_can(treebank: Treebank):
    parses = [tree for tree in parse_bracketed(TREES) if len(tree.words) > 3]
    bare = [tree.kept([any(map(str.isalnum, word)) for word in tree.words]) for tree in parses]
    for direction in ("left", "right"):
        spans = [inner_spans(tree.binarise(direction).spans, len(tree.words)) for tree in bare]
        score = score_trees("PTB", spans, treebank, OPTIONS)
        assert score.value == pytest.approx(score.also["best_binary_trees"])
        assert score.value < 1


def test_every_score_reads_the_treebank_file(tmp_path: Path):
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees/gum.ptb").write_text(TREES)
    (score,) = structure.evaluate(Branching(), tmp_path, OPTIONS)
    assert (score.task, score.metric.name, score.num_items) == ("GUM", "f1", 2)
    assert score.ci95 is not None
    assert score.metric.statistic is not None
    assert score.items is not None
    assert score.value == pytest.approx(score.metric.statistic(score.items))


def test_a_model_without_trees_is_told_so(tiny_static_model: SentenceTransformer, tmp_path: Path):
    with pytest.raises(UserError, match=r"StaticEmbedding builds no trees.*needs a tree model"):
        structure.evaluate(tiny_static_model, tmp_path, OPTIONS)


def test_a_missing_treebank_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"trees/ptb-sample\.mrg or trees/gum\.ptb"):
        structure.evaluate(Branching(), tmp_path, OPTIONS)
    with pytest.raises(UserError, match="no treebank in the hub"):
        structure.evaluate(Branching(), None, OPTIONS)


def test_a_flat_treebank_is_refused(tmp_path: Path):
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees/gum.ptb").write_text("(S (DT a) (NN b))")
    with pytest.raises(UserError, match="no sentence with an inner constituent"):
        structure.evaluate(Branching(), tmp_path, OPTIONS)


def test_a_tree_over_too_few_words_is_refused(treebank: Treebank):
    broken = Branching(
        lambda num_words: Tree(num_words - 1, *(side[:-1] for side in (right_branching(num_words).left,) * 2))
    )
    with pytest.raises(UserError, match="a tree over 7 words has 5 merges"):
        tree_spans(broken, treebank.sentences)
