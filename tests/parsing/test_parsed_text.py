import numpy as np
import pytest

from selfsent.errors import UserError
from selfsent.parsing.brackets import parse_bracketed
from selfsent.parsing.parsed_text import of_constituents, place_words, uninformed
from selfsent.trees.split_depths import trees_of_depths


def test_words_are_found_whatever_white_space_stands_between_them():
    assert place_words(["do", "n't", "(", "x", ")"], " don't\t(x)\u00a0 ").tolist() == [1, 3, 7, 8, 9]


def test_a_treebanks_quotation_marks_are_those_of_the_text():
    assert place_words(["``", "Go", "''"], '"Go"').tolist() == [0, 1, 3]
    assert place_words(['"', "Go", '"'], "“Go”").tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("words", "text", "reason"),
    [
        (["the", "dog"], "the cat", "word 2 of the parse is 'dog' where the sentence goes on with 'cat'"),
        (["the"], "the cat", "ends after 1 words where the sentence goes on with 'cat'"),
        (["the", "cat"], "the", "word 2 of the parse is 'cat' where the sentence goes on with 'the end'"),
    ],
)
def test_words_of_another_sentence_are_refused(words: list[str], text: str, reason: str):
    with pytest.raises(UserError, match=reason):
        place_words(words, text)


def test_a_bracketed_tree_becomes_its_words_with_their_tree():
    (tree,) = parse_bracketed("(S (NP (D the) (N cat) (-NONE- *T*)) (V (-LRB- -LRB-)))")
    parsed = of_constituents(tree)
    assert parsed.text == "the cat ("
    assert parsed.word_starts.tolist() == [0, 4, 8]
    assert parsed.split_depths.tolist() == [1, 0]


def test_pieces_stand_under_the_word_in_which_they_begin():
    (tree,) = parse_bracketed("(S (NP (D the) (N cats)) (V sleep))")
    # " ca" begins with the white space before its word, as pieces of some tokenizers do.
    depths = of_constituents(tree).depths_over([(0, 3), (3, 6), (6, 8), (8, 11), (11, 14)])
    spans = trees_of_depths(depths, np.array([5]), "right")[0].spans
    assert sorted(spans) == [(0, 3), (0, 5), (1, 3), (3, 5)]
    assert of_constituents(tree).depths_over([]).tolist() == []


def test_a_text_without_a_parse_may_get_a_tree_that_does_not_read_it():
    parsed = uninformed("a b  c d", "left")
    assert parsed.word_starts.tolist() == [0, 2, 5, 7]
    assert parsed.split_depths.tolist() == [2, 1, 0]
    assert uninformed("", "balanced").split_depths.tolist() == []
    one, again = (uninformed("a b c d e f g h", "random", seed=3).split_depths for _ in range(2))
    assert one.tolist() == again.tolist()
