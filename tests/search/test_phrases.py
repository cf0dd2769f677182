"""The nearest phrase of a tree model, against its own nodes."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.search.phrases import MAX_TOKENS, MIN_TOKENS, nearest_phrase


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


def test_the_phrase_is_the_node_of_highest_cosine_with_the_query(tree_model):
    offsets = tree_model[0].tokenizer(TEXT, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    for query in ("a dog at the sea", "budget", "warm roof"):
        vector = tree_model.encode_query(query)
        fitting = [node for node in nodes(tree_model, TEXT) if MIN_TOKENS <= node[1] - node[0] <= MAX_TOKENS]
        best = max(fitting, key=lambda node: node[2] @ vector / np.linalg.norm(node[2]))
        match = nearest_phrase(tree_model, vector, TEXT)
        assert match is not None
        assert match.kind == "phrase"
        assert TEXT[match.start : match.end] == TEXT[offsets[best[0]][0] : offsets[best[1] - 1][1]].strip()


def test_a_text_of_one_token_and_a_model_without_trees_have_no_phrase(tree_model, tiny_static_model):
    vector = tree_model.encode_query("cat")
    assert nearest_phrase(tree_model, vector, "") is None
    assert nearest_phrase(tree_model, vector, "a") is None
    assert nearest_phrase(tiny_static_model, tiny_static_model.encode("cat"), TEXT) is None
