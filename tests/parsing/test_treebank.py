from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.parsing.treebank import is_treebank, read_treebank

CROSSING = "".join(
    f"{i}\t{form}\t_\t_\t_\t_\t{head}\t_\t_\t_\n"
    for i, form, head in [(1, "A", 2), (2, "hearing", 4), (3, "is", 4), (4, "set", 0), (5, "on", 2)]
)


def test_a_treebank_is_told_by_its_name():
    assert all(map(is_treebank, ["a.mrg", "a.ptb.xz", "a.brackets", "A.CONLLU.gz"]))
    assert not any(map(is_treebank, ["a.txt", "a.parquet", "conllu", "docs:"]))


def test_a_bracketed_parse_is_placed_in_the_sentence_it_is_given(tmp_path: Path):
    file = tmp_path / "one.mrg"
    file.write_text("\n((S (NP (D the) (N cat)) (V sat) (. .)))", "utf8")
    (parse,) = read_treebank(file)
    assert parse.place == f"{file}, line 2"
    alone, placed = parse.parsed(), parse.parsed("the  cat sat.")
    assert (alone.text, alone.word_starts.tolist()) == ("the cat sat .", [0, 4, 8, 12])
    assert (placed.text, placed.word_starts.tolist()) == ("the  cat sat.", [0, 5, 9, 12])
    assert alone.split_depths.tolist() == placed.split_depths.tolist() == [1, 0, 0]
    with pytest.raises(UserError, match="word 2 of the parse is 'cat' where the sentence goes on with 'dog'"):
        parse.parsed("the dog")


def test_a_parse_of_empty_elements_only_has_no_word(tmp_path: Path):
    (tmp_path / "e.mrg").write_text("(S (-NONE- *T*))", "utf8")
    (parse,) = read_treebank(tmp_path / "e.mrg")
    with pytest.raises(UserError, match="no word"):
        parse.parsed()


def test_dependencies_take_the_text_the_file_states(tmp_path: Path):
    file = tmp_path / "one.conllu"
    file.write_text("# text = Is n't\n" + CROSSING.replace("A\t", "Is\t").splitlines()[0].replace("\t2\t", "\t0\t"))
    (parse,) = read_treebank(file)
    with pytest.raises(UserError, match='ends after 1 words where the sentence goes on with "n\'t"'):
        parse.parsed()


def test_a_tree_that_is_not_projective_is_refused_or_lifted(tmp_path: Path):
    (tmp_path / "x.conllu").write_text(CROSSING, "utf8")
    (parse,) = read_treebank(tmp_path / "x.conllu")
    assert parse.is_liftable
    with pytest.raises(UserError, match="not projective"):
        parse.parsed()
    # ((A hearing) (is (set on))): "on" hangs from "set" then.
    assert parse.parsed(lift=True).split_depths.tolist() == [1, 0, 1, 2]
