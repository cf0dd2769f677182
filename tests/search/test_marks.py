"""What is marked in a passage, and which part of a long one is shown."""

import re

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.search import marks
from selfsent.search.marks import MAX_TOKENS, MIN_TOKENS, Match, excerpt, matched_words, nearest_phrase
from selfsent.words import Analyser


def test_words_are_marked_in_every_inflection_and_stop_words_are_not():
    text = "The cats slept. A cat sleeps in the sun."
    found = matched_words("the sleeping cat", text, Analyser("en"))
    assert [(text[match.start : match.end], match.kind) for match in found] == [
        ("cats", "word"),
        ("cat", "word"),
        ("sleeps", "word"),
    ]


def test_a_short_passage_is_shown_whole():
    assert excerpt("The cat.", [Match(start=4, end=7, kind="word")]) == (0, 8)


def test_of_a_long_passage_the_part_with_most_matches_is_shown_between_two_words():
    text = "cat " + "filler words " * 100 + "the cat and the dog sleep " + "other things " * 100
    found = matched_words("cat dog sleep", text, Analyser("en"))
    start, end = excerpt(text, found, max_characters=120)
    assert "cat and the dog sleep" in text[start:end]
    assert end - start <= 120
    assert text[start - 1].isspace()
    assert text[end].isspace()


def test_a_long_passage_without_a_match_and_one_without_spaces_are_shown_from_their_beginning():
    assert excerpt("word " * 200, [], max_characters=100)[0] == 0
    assert excerpt("字" * 500, [], max_characters=100) == (0, 100)
    start, end = excerpt("字" * 500, [Match(start=400, end=402, kind="word")], max_characters=100)
    assert start <= 400
    assert end >= 402


@pytest.fixture
def tree_model(tiny_tokenizer) -> SentenceTransformer:
    torch.manual_seed(0)
    return SentenceTransformer(modules=[TreeEncoder(tokenizer=tiny_tokenizer)], device="cpu")


TEXT = "The committee approved the new budget today. Two dogs run along the beach, and a cat sleeps on the warm roof."


def nodes(model: SentenceTransformer, text: str) -> list[tuple[int, int, np.ndarray]]:
    encoder = model[0].eval()
    with torch.no_grad():
        tree, up = encoder(encoder.preprocess([text]))["trees"][0]
    return [(*span, vector.numpy()) for span, vector in zip(tree.spans, up[tree.num_tokens :], strict=True)]


def in_whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Walk outwards, letter by letter."""
    while start and text[start - 1 : start + 1].isalnum():
        start -= 1
    while text[end - 1 : end + 1].isalnum() and end < len(text):
        end += 1
    return start, end


def test_the_phrase_is_the_node_of_highest_cosine_with_the_query_in_whole_words(tree_model):
    offsets = tree_model[0].tokenizer(TEXT, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    was_cut = []
    for query in ("a dog at the sea", "budget", "warm roof", "committee"):
        vector = tree_model.encode_query(query)
        fitting = [node for node in nodes(tree_model, TEXT) if MIN_TOKENS <= node[1] - node[0] <= MAX_TOKENS]
        best = max(fitting, key=lambda node: node[2] @ vector / np.linalg.norm(node[2]))
        start, end = offsets[best[0]][0], offsets[best[1] - 1][1]
        part = TEXT[start:end]
        start, end = start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
        match = nearest_phrase(tree_model, vector, TEXT)
        assert match is not None
        assert match.kind == "phrase"
        assert (match.start, match.end) == in_whole_words(TEXT, start, end)
        was_cut.append((match.start, match.end) != (start, end))
    assert any(was_cut)


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("the cat , and the dog", 2, 5, "and the"),
        ("the cat , and the dog", 1, 3, "cat"),
        ("the cat ( that slept", 0, 3, "the cat"),
        ("it is 3.5 km .", 2, 5, "3.5 km ."),
        ("the , , dog", 1, 3, None),
    ],
)
def test_a_phrase_neither_begins_nor_ends_with_a_comma(text: str, start: int, end: int, shown: str | None):
    offsets = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    match = marks._characters(offsets, text, start, end)
    assert (match and text[match.start : match.end]) == shown


def test_a_text_of_one_token_and_a_model_without_trees_have_no_phrase(tree_model, tiny_static_model):
    vector = tree_model.encode_query("cat")
    assert nearest_phrase(tree_model, vector, "") is None
    assert nearest_phrase(tree_model, vector, "a") is None
    assert nearest_phrase(tiny_static_model, tiny_static_model.encode("cat"), TEXT) is None
