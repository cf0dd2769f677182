"""The phrase of a passage that is nearest to a query: a node of the tree that a tree model finds in the passage."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.search.marks import Match

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MIN_TOKENS, MAX_TOKENS = 2, 20


def nearest_phrase(model: "SentenceTransformer", query: NDArray[np.float32], text: str) -> Match | None:
    """Find the phrase whose embedding has the highest cosine with the query.

    Phrases have from 2 to 20 tokens.

    Args:
        model: The model.
        query: Embedding of the query.
        text: The passage.

    Returns:
        The phrase; None where the model has no trees, or finds none in this passage.
    """
    import torch  # noqa: PLC0415 only a search that has opened its model gets here

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
    spans = tree.spans
    vectors = up[tree.num_tokens :].cpu().numpy()
    if vectors.shape[-1] != len(query):
        return None
    fitting = [number for number, (start, end) in enumerate(spans) if MIN_TOKENS <= end - start <= MAX_TOKENS]
    if not fitting:
        return None
    norms = np.linalg.norm(vectors[fitting], axis=1)
    cosines = vectors[fitting] @ query / np.where(norms > 0, norms, np.inf)
    start, end = spans[fitting[int(np.argmax(cosines))]]
    return _characters(encoder.tokenizer, text, start, end)


def _characters(tokenizer: Any, text: str, start: int, end: int) -> Match | None:
    """Take a span of tokens to the characters that they stand for, without the white space at its ends."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    if end > len(offsets):
        return None
    first, last = offsets[start][0], offsets[end - 1][1]
    first += len(text[first:last]) - len(text[first:last].lstrip())
    last -= len(text[first:last]) - len(text[first:last].rstrip())
    return Match(start=first, end=last, kind="phrase") if first < last else None
