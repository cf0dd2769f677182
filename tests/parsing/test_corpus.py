from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.parsing.corpus import import_parses, parse_texts
from selfsent.parsing.parse_file import ParseFile
from selfsent.parsing.parsed_text import ParsedText, uninformed

TREES = "(S (NP (D the) (N cat)) (V sat))\n(S (N dogs) (VP (V eat) (NP (A old) (N bones))))\n(S (N rain))\n"
TEXTS = "the cat sat\ndogs eat old bones\nrain\n"


class ScriptedParser:
    """Gives left-branching trees and stops where it is told to, as a process that is killed does."""

    num_lifted = 0

    def __init__(self, identity: str = "one", stop_after: int | None = None) -> None:
        self.identity = identity
        self.stop_after = stop_after
        self.num_parsed = 0

    def parse(self, texts: Iterable[str]) -> Iterator[ParsedText]:
        for text in texts:
            if self.num_parsed == self.stop_after:
                raise KeyboardInterrupt
            self.num_parsed += 1
            yield uninformed(text, "left")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"sentence number {i}\n" for i in range(25)), "utf8")
    return file


def test_a_killed_run_goes_on_behind_its_last_whole_part(corpus: Path, tmp_path: Path):
    output = tmp_path / "parses.parquet"
    with pytest.raises(KeyboardInterrupt):
        parse_texts(open_source(corpus), ScriptedParser(stop_after=17), output, texts_per_part=5)
    assert not output.exists()
    again = ScriptedParser()
    report = parse_texts(open_source(corpus), again, output, texts_per_part=5)
    assert (report.num_texts, report.num_found, again.num_parsed) == (25, 15, 10)
    opened = ParseFile(output)
    assert all(opened.find(text) is not None for text in open_source(corpus).texts())
    assert list(open_source(output).texts()) == list(open_source(corpus).texts())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_parts_of_another_parser_or_corpus_are_not_taken_up(corpus: Path, tmp_path: Path):
    output = tmp_path / "parses.parquet"
    for parser in (ScriptedParser(stop_after=12), ScriptedParser("two", stop_after=12)):
        with pytest.raises(KeyboardInterrupt):
            parse_texts(open_source(corpus), parser, output, texts_per_part=5)
        assert parser.num_parsed == 12
    corpus.write_text(corpus.read_text("utf8") + "one more\n", "utf8")
    assert parse_texts(open_source(corpus), ScriptedParser("two"), output, texts_per_part=5).num_found == 0


def test_an_output_that_exists_is_replaced_only_when_asked(corpus: Path, tmp_path: Path):
    output = tmp_path / "parses.parquet"
    output.write_text("mine", "utf8")
    with pytest.raises(UserError, match="--overwrite"):
        parse_texts(open_source(corpus), ScriptedParser(), output)
    assert parse_texts(open_source(corpus), ScriptedParser(), output, overwrite=True).num_texts == 25
    with pytest.raises(UserError, match=r"must end in \.parquet"):
        parse_texts(open_source(corpus), ScriptedParser(), tmp_path / "parses.txt")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    treebank, texts = tmp_path / "trees.mrg", tmp_path / "texts.txt"
    treebank.write_text(TREES, "utf8")
    texts.write_text(TEXTS, "utf8")
    return treebank, texts, tmp_path / "out.parquet"


def test_a_treebank_becomes_a_parse_file_of_its_words(files: tuple[Path, Path, Path]):
    treebank, _, output = files
    report = import_parses(treebank, output)
    assert (report.num_texts, report.num_bad) == (3, 0)
    found = ParseFile(output).find("dogs eat old bones")
    assert found is not None
    assert found.split_depths.tolist() == [0, 1, 2]


def test_ready_parses_are_given_to_their_sentences_in_order(files: tuple[Path, Path, Path]):
    treebank, texts, output = files
    texts.write_text("the  cat sat\ndogs eat old bones\nrain\n", "utf8")
    import_parses(treebank, output, source=open_source(texts))
    found = ParseFile(output).find("the  cat sat")
    assert found is not None
    assert found.word_starts.tolist() == [0, 5, 9]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ("the cat sat\ncats eat old bones\nrain\n", "text 2 .*line 2.*word 1 of the parse is 'dogs'"),
        (TEXTS + "a fourth\n", "text 4: the sentence has no parse"),
    ],
)
def test_a_sentence_without_its_parse_stops_is_left_out_or_gets_another_tree(
    files: tuple[Path, Path, Path], texts: str, reason: str
):
    treebank, file, output = files
    file.write_text(texts, "utf8")
    with pytest.raises(UserError, match=reason):
        import_parses(treebank, output, source=open_source(file))
    assert list(output.parent.glob(".*")) == []
    skipped = import_parses(treebank, output, source=open_source(file), on_bad_tree="skip")
    assert skipped.num_bad == 1
    assert skipped.num_texts == len(texts.splitlines()) - 1
    assert "left out" in " ".join(skipped.notes("skip"))
    replaced = import_parses(treebank, output, source=open_source(file), on_bad_tree="left", overwrite=True)
    assert replaced.num_texts == len(texts.splitlines())
    bad = next(text for text in texts.splitlines() if text not in TEXTS.splitlines())
    found = ParseFile(output).find(bad)
    assert found is not None
    assert found.split_depths.tolist() == uninformed(bad, "left").split_depths.tolist()


def test_more_parses_than_sentences_stop_whatever_the_policy(files: tuple[Path, Path, Path]):
    treebank, texts, output = files
    texts.write_text("the cat sat\n", "utf8")
    with pytest.raises(UserError, match="line 2: there are more parses than sentences"):
        import_parses(treebank, output, source=open_source(texts), on_bad_tree="skip")


def test_unbalanced_brackets_name_file_and_line_and_leave_nothing_behind(files: tuple[Path, Path, Path]):
    treebank, _, output = files
    treebank.write_text(TREES + "(S (N rain)\n", "utf8")
    with pytest.raises(UserError, match=r"trees\.mrg, line 4"):
        import_parses(treebank, output)
    assert not output.exists()
    assert list(output.parent.glob(".*")) == []


def test_a_file_without_a_usable_parse_is_refused(files: tuple[Path, Path, Path]):
    treebank, _, output = files
    treebank.write_text("(S (-NONE- *))", "utf8")
    with pytest.raises(UserError, match=r"gives no parse.*no word"):
        import_parses(treebank, output, on_bad_tree="skip")


def test_an_unknown_policy_is_refused_with_those_there_are(files: tuple[Path, Path, Path]):
    with pytest.raises(UserError, match=r"stop, skip, balanced.*got 'forest'"):
        import_parses(files[0], files[2], on_bad_tree="forest")


HEADED = f"*x*x* Copyright *x*x*\n\n{TREES}".replace("(V sat)", "(V sat) on")


@pytest.mark.parametrize(("policy", "num_texts"), [("skip", 2), ("left", 3)])
def test_a_heading_and_a_malformed_tree_are_left_out_and_told_where_bad_trees_do_not_stop(
    files: tuple[Path, Path, Path], policy: str, num_texts: int
):
    treebank, texts, output = files
    treebank.write_text(HEADED, "utf8")
    with pytest.raises(UserError, match=r"line 1: '\*x\*x\*' stands outside of all brackets; .*--on-bad-tree skip"):
        import_parses(treebank, output)
    alone = import_parses(treebank, output, on_bad_tree=policy)
    assert (alone.num_texts, alone.num_bad, alone.num_outside) == (2, 1, 1)
    report = import_parses(treebank, output, source=open_source(texts), on_bad_tree=policy, overwrite=True)
    assert (report.num_texts, report.num_bad, report.num_outside) == (num_texts, 1, 1)
    assert list(open_source(output).texts()) == TEXTS.splitlines()[-num_texts:]
    assert any(note.startswith("ignored 1 times text that is not a tree, the first: ") for note in report.notes(policy))


def test_a_home_folder_is_found_for_trees_and_for_what_is_written(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
):
    treebank, _, output = files
    monkeypatch.setenv("HOME", str(treebank.parent))
    assert import_parses("~/trees.mrg", "~/out.parquet").output == output
    assert list(open_source("~/out.parquet").texts()) == TEXTS.splitlines()
