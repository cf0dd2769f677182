from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerFast

from selfsent.drawing.one_tree import indented
from selfsent.drawing.side_by_side import TreePair, tree_pair
from selfsent.errors import UserError
from selfsent.modules import TreeEncoder
from selfsent.trees.builders import left_branching, right_branching

SVG = "{http://www.w3.org/2000/svg}"
SENTENCE = "the cat sleeps on the roof"


@pytest.fixture
def saved(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2, structure="left")
    SentenceTransformer(modules=[encoder], device="cpu").save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


def test_text_shows_both_trees_in_columns_and_stars_what_they_share():
    pair = TreePair(("a", "b", "c"), ("left", "also left"), (left_branching(3), left_branching(3)))
    assert pair.drawn("text").split("\n") == [
        "left         also left",
        "",
        "a b c        a b c",
        "├── a b *    ├── a b *",
        "│   ├── a    │   ├── a",
        "│   └── b    │   └── b",
        "└── c        └── c",
        "",
        "* 1 of 1 inner constituents are in both trees (F1 1.00)",
    ]


def test_columns_keep_their_place_beside_wide_letters():
    pair = TreePair(("東京", "へ", "行く"), ("left", "right"), (left_branching(3), right_branching(3)))
    rows = pair.drawn("text").split("\n")[2:7]
    second = indented(pair.leaves, pair.trees[1].left, pair.trees[1].right).split("\n")
    before = [row.removesuffix(line) for row, line in zip(rows, second, strict=True)]
    assert len({sum(2 if ord(letter) > 0x2FFF else 1 for letter in text) for text in before}) == 1
    assert "* 0 of 1 inner constituents" in pair.drawn("text")


def test_a_sentence_of_two_words_has_nothing_to_compare():
    pair = TreePair(("a", "b"), ("left", "right"), (left_branching(2), right_branching(2)))
    assert "no constituents inside" in pair.drawn("text")


def test_a_picture_holds_two_panels_that_do_not_overlap():
    words = ("some", "rather", "long", "words", "here")
    pair = TreePair(words, ("left", "right"), (left_branching(5), right_branching(5)))
    root = ET.fromstring(pair.drawn("svg"))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    panels = root.findall(f"{SVG}g")
    assert len(panels) == 2
    edges, baselines = [], []
    for panel in panels:
        x, y = map(float, panel.get("transform", "").removeprefix("translate(").removesuffix(")").split())
        texts = list(panel.iter(f"{SVG}text"))
        assert [text.text for text in texts][1:] == list(words)
        places = [x + float(text.get("x", 0)) for text in texts[1:]]
        baselines.append({y + float(text.get("y", 0)) for text in texts[1:]})
        assert places == sorted(places)
        edges.append((min(places), max(places)))
    assert 0 < edges[0][0] < edges[0][1] < edges[1][0] < edges[1][1] < width
    assert len(baselines[0] | baselines[1]) == 1
    assert max(baselines[0]) < height


def test_what_two_trees_share_has_a_colour_of_its_own():
    pair = TreePair(tuple("abcd"), ("one", "two"), (left_branching(4), left_branching(4)))
    paths = list(ET.fromstring(pair.drawn("svg")).iter(f"{SVG}path"))
    # In each panel the whole, and the two constituents that are shared.
    assert [path.get("d", "").count("M") for path in paths] == [1, 2, 1, 2]
    assert len({path.get("stroke") for path in paths}) == 2


@pytest.mark.parametrize("structure", ["balanced", "right", "left", "random"])
def test_a_model_stands_beside_a_structure(saved: Path, structure: str):
    pair = tree_pair(saved, SENTENCE, structure)
    assert pair.names == ("model", structure)
    assert [tree.num_tokens for tree in pair.trees] == [len(pair.leaves)] * 2
    assert tree_pair(saved, SENTENCE, structure).trees[1].spans == pair.trees[1].spans


def test_a_model_stands_beside_a_bracketed_tree_over_its_words(saved: Path):
    brackets = "(S (NP (D the) (N cat)) (VP (V sleeps) (PP (P on) (NP (D the) (N roof)))))"
    pair = tree_pair(saved, SENTENCE, brackets)
    assert pair.leaves == tuple(SENTENCE.split())
    assert sorted(pair.trees[0].spans) == [(0, 2), (0, 3), (0, 4), (0, 5), (0, 6)]
    assert pair.shared == {(0, 2)}
    with pytest.raises(UserError, match="word 1 of the parse is 'the' where the sentence goes on with 'a cat'"):
        tree_pair(saved, "a cat", brackets)
    with pytest.raises(UserError, match="one bracketed tree, got 2"):
        tree_pair(saved, SENTENCE, brackets * 2)


def test_models_of_different_pieces_are_compared_over_words(saved: Path, tmp_path: Path):
    from selfsent.data.tokenizer import train_tokenizer

    tokenizer = train_tokenizer([SENTENCE] * 3, vocab_size=300)
    encoder = TreeEncoder(tokenizer=tokenizer, channels=2, channel_size=2, structure="right")
    SentenceTransformer(modules=[encoder], device="cpu").save_pretrained(str(tmp_path / "other"))
    pair = tree_pair(saved, SENTENCE, str(tmp_path / "other"))
    assert pair.leaves == tuple(SENTENCE.split())
    assert [tree.depth for tree in pair.trees] == [5, 5]
    assert pair.shared == frozenset()


def test_a_misspelt_structure_is_answered_with_the_known_one(saved: Path):
    with pytest.raises(
        UserError, match=r"--versus 'balancd' is neither a structure nor a model \(did you mean 'balanced'\?\)"
    ):
        tree_pair(saved, SENTENCE, "balancd")


def test_of_two_models_the_one_without_trees_is_named(
    saved: Path, tiny_static_model: SentenceTransformer, tmp_path: Path
):
    tiny_static_model.save_pretrained(str(tmp_path / "static"))
    with pytest.raises(UserError, match=r"/static builds no trees \(its first module is StaticEmbedding\)"):
        tree_pair(saved, SENTENCE, str(tmp_path / "static"))
