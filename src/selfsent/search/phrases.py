"""The phrase of a passage that is nearest to a query: a node of the tree that a tree model finds in the passage."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.runtime.runtime_model import RuntimeModel
from selfsent.runtime.tree_texts import TextTree
from selfsent.search.marks import Match

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MIN_TOKENS, MAX_TOKENS = 2, 20


def nearest_phrase(model: "SentenceTransformer | RuntimeModel", query: NDArray[np.float32], text: str) -> Match | None:
    """Find the phrase whose embedding has the highest cosine with the query.

    Phrases have from 2 to 20 tokens.

    Args:
        model: The model.
        query: Embedding of the query.
        text: The passage.

    Returns:
        The phrase; None where the model has no trees, or finds none in this passage.
    """
    found = _tree_without_torch(model, text) if isinstance(model, RuntimeModel) else _tree_of_host(model, text)
    if found is None or found.up.shape[-1] != len(query):
        return None
    tree = found.tree
    fitting = [number for number, (start, end) in enumerate(tree.spans) if MIN_TOKENS <= end - start <= MAX_TOKENS]
    if not fitting:
        return None
    vectors = found.up[tree.num_tokens :][fitting]
    norms = np.linalg.norm(vectors, axis=1)
    cosines = vectors @ query / np.where(norms > 0, norms, np.inf)
    start, end = tree.spans[fitting[int(np.argmax(cosines))]]
    return _characters(found.offsets, text, start, end)


def _tree_without_torch(model: RuntimeModel, text: str) -> TextTree | None:
    return model.tree_of(text) if model.builds_trees else None


def _tree_of_host(model: "SentenceTransformer", text: str) -> TextTree | None:
    """The tree that a model of the host finds in a text; None where it finds none, or its tokens have no places."""
    import torch  # noqa: PLC0415 only a search that has opened a model of the host gets here

    from selfsent.modules.tree_encoder import ComposingEncoder, TreeStates  # noqa: PLC0415

    encoder: Any = model[0]
    if not isinstance(encoder, ComposingEncoder) or not encoder.tokenizer.is_fast:
        return None
    try:
        features = encoder.preprocess([text])
    except UserError:  # the structure is given, and this text has none
        return None
    device = encoder.embedding.weight.device
    with torch.no_grad():
        states = encoder({name: value.to(device) for name, value in features.items()})["trees"]
    assert isinstance(states, TreeStates), "asked for trees"  # noqa: S101 our own invariant
    tree, up = states[0]
    encoded: Any = encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return TextTree((), tuple(encoded["offset_mapping"]), tree, up.cpu().numpy())


def _characters(offsets: Sequence[tuple[int, int]], text: str, start: int, end: int) -> Match | None:
    """Take a span of tokens to the characters that they stand for, without the white space at its ends."""
    if end > len(offsets):
        return None
    first, last = offsets[start][0], offsets[end - 1][1]
    first += len(text[first:last]) - len(text[first:last].lstrip())
    last -= len(text[first:last]) - len(text[first:last].rstrip())
    return Match(start=first, end=last, kind="phrase") if first < last else None
