from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.modules import TreeEncoder
from selfsent.modules.neighbour_context import with_neighbours
from selfsent.parsing.parse_file import write_parses
from selfsent.parsing.parsed_text import uninformed
from selfsent.trees.tree import Tree

TREE = "(S (NP (D the) (N cat)) (VP (V sleeps) (PP (P on) (NP (D the) (N roof)))))"
TEXT = "the cat sleeps on the roof"


@pytest.fixture
def make(tiny_tokenizer: PreTrainedTokenizerFast):
    def make(**settings: Any) -> SentenceTransformer:
        torch.manual_seed(0)
        settings = {"channels": 4, "channel_size": 4, "structure": "given", **settings}
        return SentenceTransformer(modules=[TreeEncoder(tokenizer=tiny_tokenizer, **settings)], device="cpu").eval()

    return make


@pytest.fixture
def parses(tmp_path: Path) -> str:
    write_parses(tmp_path / "parses.parquet", [uninformed(TEXT, "left")])
    return str(tmp_path / "parses.parquet")


def tree_over(model: SentenceTransformer, text: str) -> Tree:
    with torch.no_grad():
        return model(model.preprocess([text]))["trees"].trees[0]


def word_spans(model: SentenceTransformer, text: str) -> set[tuple[str, ...]]:
    """The constituents of a text as strings of its pieces."""
    ids = model[0].preprocess([text])["input_ids"][0]
    pieces = model[0].tokenizer.convert_ids_to_tokens(ids.tolist())
    return {"".join(pieces[start:end]).strip("▁") for start, end in tree_over(model, text).spans}


def test_a_text_written_as_a_tree_has_that_tree(make):
    model = make()
    expected = {"the▁cat", "on▁the▁roof", "the▁roof", "sleeps▁on▁the▁roof", "the▁cat▁sleeps▁on▁the▁roof"}
    shown = word_spans(model, TREE)
    words = {"the", "cat", "sleeps", "on", "roof"}
    assert {span for span in shown if "▁" in span} == expected
    pieces = {piece.strip("▁") for piece in model[0].tokenizer.tokenize(TEXT)}
    assert {span for span in shown if "▁" not in span and span in words} == words - pieces


def test_a_tree_and_its_plain_text_have_the_same_tokens(make):
    model = make()
    given, plain = model.preprocess([TREE]), make(structure="right").preprocess([TEXT])
    assert torch.equal(given["input_ids"], plain["input_ids"])
    assert torch.equal(given["attention_mask"], plain["attention_mask"])


def test_several_children_are_merged_from_the_side_asked_for(make):
    flat = "(S (A a) (A a) (A a) (A a))"
    assert tree_over(make(), flat).spans == [(2, 4), (1, 4), (0, 4)]
    assert tree_over(make(binarisation="left"), flat).spans == [(0, 2), (0, 3), (0, 4)]


def test_trees_come_from_a_parse_file_by_the_text(make, parses: str):
    model = make(parses=parses)
    np.testing.assert_array_equal(model.encode(TEXT), model.encode(f" {TEXT}\n"))
    left = "(S (X (X (X (X (X (A the) (A cat)) (A sleeps)) (A on)) (A the)) (A roof)))"
    np.testing.assert_array_equal(model.encode(TEXT), make().encode(left))


def test_an_embedding_does_not_depend_on_batch_mates_or_padding(make):
    texts = [TREE, "a", "(S (A a) (B (C the) (D roof)))", ""]
    model = make()
    alone = np.stack([model.encode(text) for text in texts])
    np.testing.assert_array_equal(model.encode(texts), alone)
    np.testing.assert_array_equal(model.encode(texts[::-1])[::-1], alone)
    features = {name: torch.nn.functional.pad(value, (0, 5)) for name, value in model.preprocess(texts).items()}
    with torch.no_grad():
        np.testing.assert_array_equal(model(features)["sentence_embedding"].numpy(), alone)
    assert not alone[3].any()


def test_a_given_tree_embeds_as_the_fixed_structure_it_equals(make, parses: str, tiny_tokenizer):
    text = "a a a a a"
    right = "(S (A a) (X (A a) (X (A a) (X (A a) (A a)))))"
    np.testing.assert_array_equal(make().encode(right), make(structure="right").encode(text))


def test_a_text_without_a_tree_stops_or_gets_the_structure_named(make, parses: str):
    with pytest.raises(UserError, match=r"no tree for the text 'the dog runs' in .*parses.parquet") as caught:
        make(parses=parses).encode("the dog runs")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="names no parse file"):
        make().encode("the dog runs")
    flat = make(unparsed="left").encode("the dog runs")
    np.testing.assert_array_equal(flat, make().encode("(S (X (A the) (A dog)) (A runs))"))


def test_one_word_and_no_word_need_no_tree(make):
    model = make()
    np.testing.assert_array_equal(model.encode("committee"), make().encode("(S (N committee))"))
    assert not model.encode("").any()


def test_brackets_in_a_plain_text_are_no_tree_unless_they_nest_like_one(make):
    model = make(unparsed="right")
    assert tree_over(model, "(see above)").num_tokens == int(
        make(structure="right").preprocess(["(see above)"])["attention_mask"].sum()
    )
    with pytest.raises(UserError, match="never closed"):
        model.encode("(S (NP (D the) (N cat))")
    with pytest.raises(UserError, match="holds 2 bracketed trees"):
        model.encode(f"{TREE} {TREE}")


def test_a_prompt_is_refused(make):
    with pytest.raises(UserError, match="takes no prompt, got 'find: '"):
        make().encode(TREE, prompt="find: ")


def test_a_text_is_cut_with_its_tree(make):
    whole = make()
    cut = make(max_seq_length=3)
    ids = whole.preprocess([TREE])["input_ids"][0, :3]
    features = cut.preprocess([TREE])
    assert torch.equal(features["input_ids"][0], ids)
    assert tree_over(cut, TREE).num_tokens == 3


def test_a_saved_model_keeps_where_its_trees_are(make, parses: str, tmp_path: Path):
    model = make(
        parses=parses, unparsed="random", binarisation="left", inducer="beam", beam_size=7, context="neighbours"
    )
    model.save_pretrained(str(tmp_path / "model"))
    opened = load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(opened.encode([TEXT, "the dog runs"]), model.encode([TEXT, "the dog runs"]))
    names = ("parses", "unparsed", "binarisation", "inducer", "beam_size", "context")
    assert [getattr(opened[0].options, name) for name in names] == [getattr(model[0].options, name) for name in names]
    Path(parses).unlink()
    with pytest.raises(UserError, match=r"no parses at .*parses\.parquet"):
        load(tmp_path / "model", device="cpu").encode(TEXT)


def test_word_trees_are_those_of_the_parses(make, parses: str):
    words = TEXT.split()
    ((left, right),) = make(parses=parses)[0].word_trees([words])
    assert Tree(6, left, right).spans == [(0, 2), (0, 3), (0, 4), (0, 5), (0, 6)]
    assert [len(left) for left, _ in make(parses=parses)[0].word_trees([["rain"], [], words])] == [0, 0, 5]


def test_features_without_trees_are_refused(make):
    features = make(structure="right").preprocess([TEXT])
    with pytest.raises(UserError, match="no trees came with the sentences"):
        make()(features)


def test_a_sentence_of_thousands_of_words_has_a_tree(make):
    deep = "(S (A a) " * 3000 + "(A a)" + ")" * 3000
    assert tree_over(make(), deep).spans[-1] == (0, 3001)
    assert np.isfinite(make().encode(deep)).all()


@pytest.mark.parametrize("inducer", ["greedy", "beam", "chart"])
def test_every_inducer_gives_trees_and_gradients(make, inducer: str, sentences: list[str]):
    model = make(structure="induced", inducer=inducer, leaf_dropout=0.0).train()
    features = model(model.preprocess(sentences))
    features["sentence_embedding"].sum().backward()
    assert model[0].embedding.weight.grad.abs().sum() > 0
    model.eval()
    np.testing.assert_array_equal(model.encode(sentences)[0], model.encode(sentences[0]))


def test_neighbours_are_added_within_a_sentence_and_a_single_leaf_stays():
    leaves = torch.arange(12.0).reshape(6, 2).requires_grad_()
    mixed = with_neighbours(leaves, np.array([3, 0, 1, 2]))
    expected = torch.stack(
        [
            leaves[0] + leaves[1],
            leaves[1] + (leaves[0] + leaves[2]) / 2,
            leaves[2] + leaves[1],
            leaves[3],
            leaves[4] + leaves[5],
            leaves[5] + leaves[4],
        ]
    )
    torch.testing.assert_close(mixed, expected)
    assert with_neighbours(leaves[:1], np.array([1])).tolist() == leaves[:1].tolist()
    assert torch.autograd.gradcheck(
        lambda x: with_neighbours(x, np.array([3, 0, 1, 2])), leaves.double().detach().requires_grad_()
    )


def test_context_changes_sentences_but_no_single_token(make):
    with_context, without = make(structure="right", context="neighbours"), make(structure="right")
    np.testing.assert_array_equal(with_context.encode("a"), without.encode("a"))
    assert not np.allclose(with_context.encode(TEXT), without.encode(TEXT))


def test_settings_of_the_search_outside_their_range_are_named(make):
    with pytest.raises(UserError, match="beam_size=0 must be 1 or more"):
        make(beam_size=0)
