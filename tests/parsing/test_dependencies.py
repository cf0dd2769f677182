import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.parsing.bad_tree import BadTree, good_trees
from selfsent.parsing.dependencies import (
    DependencyTree,
    crossed_arc,
    depths_of_heads,
    projective,
    read_conllu,
)
from selfsent.trees.split_depths import trees_of_depths


def conllu(*words: tuple[str, int], text: str | None = None) -> str:
    lines = [f"# text = {text}"] if text else []
    lines += [f"{i}\t{form}\t_\t_\t_\t_\t{head}\t_\t_\t_" for i, (form, head) in enumerate(words, start=1)]
    return "\n".join(lines) + "\n\n"


def spans(heads: list[int]) -> list[tuple[int, int]]:
    return sorted(trees_of_depths(depths_of_heads(heads), np.array([len(heads)]), "right")[0].spans)


def is_projective(heads: tuple[int, ...] | list[int]) -> bool:
    """By the definition: every word between a head and its dependent descends from the head."""

    def descends(word: int, ancestor: int) -> bool:
        while word not in (-1, ancestor):
            word = heads[word]
        return word == ancestor

    return all(
        descends(between, head)
        for word, head in enumerate(heads)
        if head >= 0
        for between in range(min(word, head) + 1, max(word, head))
    )


def test_a_head_takes_its_right_dependents_first_then_its_left_ones():
    # the cat sat on mats: ((the cat) (sat (on mats)))
    assert spans([1, 2, -1, 2, 3]) == [(0, 2), (0, 5), (2, 5), (3, 5)]
    # old big cats of mine: (old (big (cats (of mine))))
    assert spans([2, 2, -1, 2, 3]) == [(0, 5), (1, 5), (2, 5), (3, 5)]
    # gave him books: ((gave him) books), the nearest first
    assert spans([-1, 0, 0]) == [(0, 2), (0, 3)]


def test_a_sentence_of_one_word_has_no_gap():
    assert depths_of_heads([-1]).tolist() == []


def test_several_roots_are_one_flat_constituent():
    depths = depths_of_heads([-1, -1, 1, -1])
    assert depths.tolist() == [0, 1, 0]


def random_heads(num_words: int, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    order = generator.permutation(num_words)
    heads = [-1] * num_words
    for place in range(1, num_words):
        heads[order[place]] = int(order[generator.integers(place)])
    return heads


@given(st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=300, deadline=None)
def test_projectivity_is_that_of_the_definition_and_lifting_reaches_it(num_words: int, seed: int):
    heads = random_heads(num_words, seed)
    lifted = projective(heads)
    assert (crossed_arc(heads) is None) == is_projective(heads)
    assert (lifted == tuple(heads)) == is_projective(heads)
    assert is_projective(lifted)
    ancestors = [set(itertools.takewhile(lambda w: w >= 0, chain(heads, word))) | {-1} for word in range(num_words)]
    assert all(head in ancestors[word] for word, head in enumerate(lifted)), "a word is lifted to an ancestor"


def chain(heads: list[int], word: int):
    while word >= 0:
        word = heads[word]
        yield word


@given(st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_every_head_with_all_below_it_is_a_constituent(num_words: int, seed: int):
    heads = projective(random_heads(num_words, seed))
    below = [{word} for word in range(num_words)]
    for word in range(num_words):
        for ancestor in chain(list(heads), word):
            if ancestor >= 0:
                below[ancestor].add(word)
    expected = {(min(words), max(words) + 1) for words in below if len(words) > 1}
    assert expected <= set(spans(list(heads)))


def test_a_non_projective_tree_is_refused_with_its_arc():
    # A hearing is scheduled on the issue today: "on" hangs from "hearing" across "is scheduled".
    tree = DependencyTree(
        words=("A", "hearing", "is", "scheduled", "on", "the", "issue", "today"), heads=(1, 3, 3, -1, 1, 6, 4, 3)
    )
    with pytest.raises(UserError, match="not projective: between 'on' and its head 'hearing'"):
        tree.split_depths()
    assert projective(tree.heads) == (1, 3, 3, -1, 3, 6, 4, 3)


def test_a_file_is_read_with_its_texts_ranges_and_empty_nodes(tmp_path: Path):
    file = tmp_path / "fr.conllu"
    file.write_text(
        "# sent_id = 1\n# text = Il va du bar.\n"
        "1\tIl\t_\t_\t_\t_\t2\t_\t_\t_\n2\tva\t_\t_\t_\t_\t0\t_\t_\t_\n"
        "3-4\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n3\tde\t_\t_\t_\t_\t5\t_\t_\t_\n4\tle\t_\t_\t_\t_\t5\t_\t_\t_\n"
        "4.1\tgrand\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "5\tbar\t_\t_\t_\t_\t2\t_\t_\t_\n6\t.\t_\t_\t_\t_\t2\t_\t_\t_\n\n" + conllu(("Oui", 0)).rstrip("\n"),
        "utf8",
    )
    first, second = good_trees(read_conllu(file))
    assert first.words == ("Il", "va", "du", "", "bar", ".")
    assert first.heads == (1, -1, 4, 4, 1, 1)
    assert (first.text, first.line, second.text, second.words) == ("Il va du bar.", 1, None, ("Oui",))
    # (Il ((va (du bar)) .)) over the words that are written.
    tree = trees_of_depths(first.split_depths(), np.array([5]), "right")[0]
    assert sorted(tree.spans) == [(0, 5), (1, 4), (1, 5), (2, 4)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1\tcat\t0\n\n", "3 cells"),
        (conllu(("cat", 0)).replace("1\tcat", "2\tcat"), "word 2 stands where word 1 is due"),
        (conllu(("cat", 0)).replace("\t0\t", "\t-\t"), "head must be a whole number, got '-'"),
        (conllu(("cat", 7)), "word 7 is a head, but the sentence has 1 words"),
        (conllu(("a", 2), ("b", 1)), "form a circle"),
        (conllu(("a", 1), ("b", 0)), "form a circle"),
        ("# text = x\n\n", "a sentence without a word"),
        ("\n\n", "holds no sentence"),
    ],
)
def test_a_malformed_file_names_file_and_line(tmp_path: Path, text: str, reason: str):
    file = tmp_path / "bad.conllu"
    file.write_text(text, "utf8")
    with pytest.raises(UserError, match=reason) as caught:
        list(good_trees(read_conllu(file)))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_comments_that_belong_to_no_sentence_are_left_out(tmp_path: Path):
    file = tmp_path / "a.conllu"
    file.write_text(f"# of the whole file\n\n{conllu(('cat', 0))}# the end\n# really", "utf8")
    assert [tree.words for tree in good_trees(read_conllu(file))] == [("cat",)]


def test_each_malformed_sentence_is_told_in_its_place_and_the_others_are_read(tmp_path: Path):
    file = tmp_path / "a.conllu"
    huge = conllu(("cat", 0)).replace("\t0\t", f"\t{'1' * 5000}\t")
    broken = b"1\tcaf\xe9\n\n"
    file.write_bytes("".join([conllu(("cat", 0)), "heading\n\n", huge]).encode() + broken + conllu(("dog", 0)).encode())
    first, *bad, last = read_conllu(file)
    assert [tree.words for tree in (first, last) if isinstance(tree, DependencyTree)] == [("cat",), ("dog",)]
    assert [tree.reason[:12] for tree in bad if isinstance(tree, BadTree)] == [
        "1 cells, and",
        "head must be",
        "not valid UT",
    ]


def test_a_chain_of_many_thousand_words_neither_recurses_nor_takes_quadratic_time():
    num_words = 200_000
    depths = depths_of_heads([*range(1, num_words), -1])
    # Every word hangs on the next, so the tree leans to the left: the last gap is its root's.
    assert depths.tolist() == list(range(num_words - 2, -1, -1))
