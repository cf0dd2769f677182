"""``selfsent parse``, training on given trees and ``selfsent tree`` as a person types them; bad input is one line."""

import itertools
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.command_line import Outcome, refused, typed

from selfsent.loading import load
from selfsent.parsing.parse_file import ParseFile

SUBJECTS = ("the cat", "a dog", "my neighbour", "the engineer")
VERBS = ("sees", "follows", "likes")
OBJECTS = ("the garden", "a red door", "the small boat")
TEXTS = [f"{' '.join(words)} today" for words in itertools.product(SUBJECTS, VERBS, OBJECTS)]
TINY = ("--batch-size", "8", "--set", "channels=2", "--set", "channel_size=4", "--set", "vocab_size=200")
SHORT = (*TINY, "--max-steps", "3", "--device", "cpu", "--set", "structure=given")


def bracketed(text: str) -> str:
    *words, when = text.split()
    subject, verb, found = words[:2], words[2], words[3:]
    noun_phrases = [f"(NP {' '.join(f'(N {word})' for word in part)})" for part in (subject, found)]
    return f"(S {noun_phrases[0]} (VP (V {verb}) {noun_phrases[1]} (R {when})))"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, their trees, both as one parse file, and a model trained on it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", "utf8")
    (folder / "trees.mrg").write_text("\n".join(map(bracketed, TEXTS)) + "\n", "utf8")
    done = typed("parse", folder / "texts.txt", "--trees", folder / "trees.mrg", "--output", folder / "parses.parquet")
    assert done.code == 0, done
    assert "36 texts with their parses" in done.out
    done = trained(folder, folder / "parses.parquet", "--output", folder / "model")
    assert done.code == 0, done
    return folder


def trained(folder: Path, data: Path, *options: object) -> Outcome:
    return typed("train", "strae", "--data", data, *SHORT, *options)


def test_a_parse_file_is_a_source_and_its_trees_are_those_of_the_trained_model(home: Path):
    model = load(home / "model", device="cpu")
    assert model[0].structure == "given"
    words = TEXTS[0].split()
    ((left, right),) = model[0].word_trees([words])
    spans = [(i, i + 1) for i in range(len(words))]
    for pair in zip(left.tolist(), right.tolist(), strict=True):
        spans.append((spans[pair[0]][0], spans[pair[1]][1]))
    assert {(0, 2), (2, 6), (3, 5)} <= set(spans)


def test_plain_texts_with_a_parse_file_and_texts_written_as_trees_train_too(home: Path, tmp_path: Path):
    (tmp_path / "trees.txt").write_text((home / "trees.mrg").read_text("utf8"), "utf8")
    parses = ("--set", f"parses={home / 'parses.parquet'}")
    assert trained(tmp_path, home / "texts.txt", "--output", tmp_path / "plain", *parses).code == 0
    expected = load(home / "model", device="cpu").encode(TEXTS)
    np.testing.assert_array_equal(load(tmp_path / "plain", device="cpu").encode(TEXTS), expected)
    assert trained(tmp_path, tmp_path / "trees.txt", "--output", tmp_path / "written").code == 0
    written = load(tmp_path / "written", device="cpu")
    assert len(written.tokenizer) == len(load(home / "model").tokenizer), "no piece is of the brackets and labels"
    assert np.isfinite(written.encode([bracketed(text) for text in TEXTS])).all()


def test_texts_are_encoded_with_their_trees(home: Path, tmp_path: Path):
    done = typed("encode", home / "model", home / "texts.txt", "--output", tmp_path / "vectors.npy")
    assert done.code == 0, done
    expected = load(home / "model", device="cpu").encode(TEXTS)
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), expected, atol=1e-6)


def test_trees_for_only_some_of_the_texts_stop_or_are_left_out_or_replaced(home: Path, tmp_path: Path):
    data = tmp_path / "more.txt"
    data.write_text("\n".join([*TEXTS, "a new sentence without any tree"]) + "\n", "utf8")
    parses = ("--set", f"parses={home / 'parses.parquet'}")
    refused(
        trained(tmp_path, data, "--output", tmp_path / "stopped", *parses),
        "no tree for the text 'a new sentence",
        "parses.parquet",
        "unparsed",
    )
    for policy, what in (("skip", "1 texts without a tree left out"), ("left", "1 texts without a tree given a left")):
        done = trained(tmp_path, data, "--output", tmp_path / policy, *parses, "--set", f"unparsed={policy}")
        assert done.code == 0, done
        assert any(what in note for note in done.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("structure=given", "parses=nowhere.parquet"), ("no parses at", "nowhere.parquet")),
        (("structure=given",), ("no tree for the text", "names no parse file")),
        (("structure=given", "unparsed=forest"), ("unparsed='forest'", "skip")),
        (("inducer=lucky",), ("inducer='lucky'", "greedy, beam, chart")),
        (("beam_size=0",), ("beam_size=0",)),
        (("repeats=forbidden",), ("repeats='forbidden'", "negative, masked, positive")),
        (("distance_decay=1",), ("distance_decay=1.0",)),
        (("context=whole",), ("context='whole'", "none, neighbours")),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(
    home: Path, tmp_path: Path, settings: tuple[str, ...], words: tuple[str, ...]
):
    options = [option for setting in settings for option in ("--set", setting)]
    command = ("train", "strae", "--data", home / "texts.txt", "--output", tmp_path / "m", *TINY, "--max-steps", "1")
    refused(typed(*command, "--device", "cpu", *options), *words)


def test_parses_that_another_structure_has_no_use_for_are_noted(home: Path, tmp_path: Path):
    command = ("train", "strae", "--data", home / "texts.txt", "--output", tmp_path / "m", *TINY, "--max-steps", "1")
    done = typed(*command, "--device", "cpu", "--set", f"parses={home / 'parses.parquet'}")
    assert done.code == 0, done
    assert any("is not used: the structure is balanced" in note for note in done.notes)


def parsed(tmp_path: Path, name: str, content: str, *options: object) -> Outcome:
    (tmp_path / name).write_text(content, "utf8")
    return typed("parse", tmp_path / name, "--output", tmp_path / "out.parquet", *options)


CROSSING = "".join(
    f"{i}\t{form}\t_\t_\t_\t_\t{head}\t_\t_\t_\n"
    for i, form, head in [(1, "A", 2), (2, "hearing", 4), (3, "is", 4), (4, "set", 0), (5, "on", 2)]
)


def test_a_tree_that_is_not_projective_is_named_or_lifted_or_replaced(tmp_path: Path):
    refused(parsed(tmp_path, "x.conllu", CROSSING), "x.conllu, line 1", "not projective", "'on'")
    lifted = parsed(tmp_path, "x.conllu", CROSSING, "--lift")
    assert "1 dependency trees were not projective and were lifted" in lifted.out
    replaced = parsed(tmp_path, "x.conllu", CROSSING, "--on-bad-tree", "left", "--overwrite")
    assert "1 texts without a usable tree given a left tree" in replaced.out
    found = ParseFile(tmp_path / "out.parquet").find("A hearing is set on")
    assert found is not None
    assert found.split_depths.tolist() == [3, 2, 1, 0]


def test_unbalanced_brackets_are_named_by_file_and_line(tmp_path: Path):
    refused(parsed(tmp_path, "x.mrg", "(S (N a))\n(S (N b)\n"), "x.mrg, line 2", "never closed")
    refused(parsed(tmp_path, "x.mrg", "(S (N a)))\n"), "x.mrg, line 1", "a closing bracket too many")


def test_words_of_another_sentence_are_named_by_line_and_word(home: Path, tmp_path: Path):
    (tmp_path / "trees.mrg").write_text(bracketed(TEXTS[0]) + "\n", "utf8")
    outcome = parsed(tmp_path, "x.txt", TEXTS[1] + "\n", "--trees", tmp_path / "trees.mrg")
    refused(outcome, "text 1", "trees.mrg, line 1", "where the sentence goes on with", "--on-bad-tree skip")


def test_a_one_word_sentence_is_a_tree_of_one_node(home: Path, tmp_path: Path):
    assert parsed(tmp_path, "x.mrg", "(S (N rain))\n").code == 0
    found = ParseFile(tmp_path / "out.parquet").find("rain")
    assert found is not None
    assert found.split_depths.tolist() == []
    shown = typed("tree", home / "model", "a")
    assert shown.out.split() == ["a"]


def test_a_sentence_of_thousands_of_words_is_parsed_and_embedded(home: Path, tmp_path: Path):
    words = [f"w{i % 7}" for i in range(5000)]
    deep = "".join(f"(S (N {word}) " for word in words[:-1]) + f"(N {words[-1]})" + ")" * (len(words) - 1)
    assert parsed(tmp_path, "x.mrg", deep).code == 0
    found = ParseFile(tmp_path / "out.parquet").find(" ".join(words))
    assert found is not None
    assert found.split_depths.tolist() == list(range(4999))
    model = load(home / "model", device="cpu")
    model[0].parses = str(tmp_path / "out.parquet")
    assert np.isfinite(model.encode(" ".join(words))).all()


def test_options_that_exclude_each_other_are_refused(home: Path, tmp_path: Path):
    trees = home / "trees.mrg"
    output = ("--output", tmp_path / "out.parquet")
    refused(typed("parse", trees, *output, "--model", "en_core_web_sm"), "--model en_core_web_sm", "leave one out")
    refused(typed("parse", trees, *output, "--trees", trees), "--trees", "leave one out")
    refused(typed("parse", home / "texts.txt", "--output", tmp_path / "out.txt", "--trees", trees), ".parquet")
    refused(typed("parse", home / "texts.txt", "--output", home / "parses.parquet", "--trees", trees), "--overwrite")
    refused(typed("parse", tmp_path / "nowhere.mrg", *output), "no file at")


def test_without_spacy_one_line_says_how_to_install_it(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    refused(typed("parse", home / "texts.txt", "--output", tmp_path / "out.parquet"), "pip install 'selfsent[parse]'")


def test_two_structures_of_a_sentence_are_shown_side_by_side(home: Path, tmp_path: Path):
    shown = typed("tree", home / "model", TEXTS[0], "--versus", "right")
    assert shown.code == 0, shown
    assert shown.out.splitlines()[0].split() == ["model", "right"]
    assert "inner constituents are in both trees" in shown.out
    picture = tmp_path / "two.svg"
    assert typed("tree", home / "model", TEXTS[0], "--versus", "left", "--format", "svg", "--output", picture).code == 0
    assert ET.parse(picture).getroot().tag.endswith("svg")
    given = typed("tree", home / "model", TEXTS[0], "--versus", bracketed(TEXTS[0]))
    assert "4 of 4 inner constituents" in given.out
    both = typed("tree", home / "model", TEXTS[0], "--versus", home / "model", "--format", "bracketed")
    one, other = both.out.splitlines()
    assert one == other


def test_a_tree_of_another_sentence_is_not_put_beside_it(home: Path):
    refused(typed("tree", home / "model", TEXTS[0], "--versus", bracketed(TEXTS[5])), "word", "the sentence goes on")
    refused(typed("tree", home / "model", TEXTS[0], "--versus", "(S (N a)"), "never closed")
