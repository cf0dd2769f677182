from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerFast

from selfsent.drawing.sentence import sentence_tree
from selfsent.errors import UserError
from selfsent.modules import TreeEncoder

SENTENCE = "The cat sleeps on the warm roof."


@pytest.fixture
def model(tiny_tokenizer: PreTrainedTokenizerFast) -> SentenceTransformer:
    torch.manual_seed(0)
    return SentenceTransformer(
        modules=[TreeEncoder(tokenizer=tiny_tokenizer, channels=4, channel_size=4)], device="cpu"
    )


def test_a_sentence_is_shown_by_its_pieces_and_the_models_tree(model: SentenceTransformer):
    shown = sentence_tree(model, SENTENCE)
    assert "".join(shown.pieces) == SENTENCE.lower().replace(" ", "")
    assert shown.tree.num_tokens == len(shown.pieces)
    model.eval()
    with torch.no_grad():
        trees = model(model.preprocess([SENTENCE]))["trees"].trees
    assert shown.tree.left.tolist() == trees[0].left.tolist()
    assert shown.tree.right.tolist() == trees[0].right.tolist()


def test_a_sentence_is_drawn_in_every_form(model: SentenceTransformer):
    shown = sentence_tree(model, SENTENCE)
    brackets = shown.drawn("bracketed")
    read = [word for word in brackets.replace("(", " ").replace(")", " ").split() if word != "X"]
    assert read == list(shown.pieces)
    assert all(piece in shown.drawn("text") for piece in shown.pieces)
    assert ET.fromstring(shown.drawn("svg")).tag.endswith("svg")


def test_a_fixed_structure_is_shown_as_it_is(tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2, structure="right")
    shown = sentence_tree(SentenceTransformer(modules=[encoder], device="cpu"), SENTENCE)
    assert shown.tree.depth == shown.tree.num_tokens - 1


def test_a_model_is_also_named_by_its_path(model: SentenceTransformer, tmp_path: Path):
    model.save_pretrained(str(tmp_path / "model"))
    in_memory, opened = sentence_tree(model, SENTENCE), sentence_tree(tmp_path / "model", SENTENCE)
    assert opened.pieces == in_memory.pieces
    assert opened.tree.left.tolist() == in_memory.tree.left.tolist()


def test_a_single_token_is_a_tree_of_one_leaf(model: SentenceTransformer):
    shown = sentence_tree(model, "a")
    assert shown.pieces == ("a",)
    assert shown.drawn("text").split() == ["a"]


def test_a_sentence_without_a_token_is_refused(model: SentenceTransformer):
    with pytest.raises(UserError, match="has no token"):
        sentence_tree(model, "")


def test_a_model_that_builds_no_trees_is_refused(tiny_static_model: SentenceTransformer):
    with pytest.raises(UserError, match="StaticEmbedding"):
        sentence_tree(tiny_static_model, SENTENCE)
