"""Find what of a passage matches a query, words and the nearest phrase of a tree; choose the part that shows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.runtime.runtime_model import RuntimeModel
from selfsent.runtime.tree_texts import TextTree
from selfsent.words import Analyser, matched, whole_words

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


EXCERPT_CHARACTERS = 320
_SPACE = re.compile(r"\s+")
_REACH = 30  # characters that an excerpt may grow or shrink by to end between two words


@dataclass(frozen=True, kw_only=True)
class Match:
    """A stretch of a passage that matches the query.

    Args:
        start: Its first character.
        end: The character behind its last.
        kind: ``word`` for words of the query; ``phrase`` for the phrase whose embedding is nearest to the query's.
    """

    start: int
    end: int
    kind: Literal["word", "phrase"]


def matched_words(query: str, text: str, analyser: Analyser) -> list[Match]:
    """Find the words of a query in a passage, in order."""
    return [Match(start=start, end=end, kind="word") for start, end in matched(query, text, analyser)]


def excerpt(text: str, matches: Sequence[Match], *, max_characters: int = EXCERPT_CHARACTERS) -> tuple[int, int]:
    """Choose the part of a passage to show: the one that holds most of what matches.

    Args:
        text: The passage.
        matches: What matches.
        max_characters: A passage up to this long is shown whole.

    Returns:
        Start and end of the part; it begins and ends between two words where there are any.
    """
    if len(text) <= max_characters:
        return 0, len(text)
    context = max_characters // 5
    starts = sorted({0, *(min(max(0, match.start - context), len(text) - max_characters) for match in matches)})
    weights = [_weight(matches, start, start + max_characters) for start in starts]
    start = starts[weights.index(max(weights))]
    return _next_word(text, start), _last_word(text, start + max_characters)


def _weight(matches: Sequence[Match], start: int, end: int) -> int:
    """Number of different matches that lie within, words counting most."""
    inside = [match for match in matches if start <= match.start and match.end <= end]
    return sum(2 if match.kind == "word" else 1 for match in inside)


def _next_word(text: str, start: int) -> int:
    space = _SPACE.search(text, start, start + _REACH) if start else None
    return space.end() if space else start


def _last_word(text: str, end: int) -> int:
    if end >= len(text):
        return len(text)
    spaces = list(_SPACE.finditer(text, max(0, end - _REACH), end + 1))
    return spaces[-1].start() if spaces else end


MIN_TOKENS, MAX_TOKENS = 2, 20
_BEFORE, _BEHIND = re.compile(r"[\s,;:.!?)\]}]+"), re.compile(r"[\s,;:(\[{]+$")


def nearest_phrase(model: "SentenceTransformer | RuntimeModel", query: NDArray[np.float32], text: str) -> Match | None:
    """Find the phrase whose embedding has the highest cosine with the query.

    Phrases have from 2 to 20 tokens, which may begin or end within a word; the words there are given whole.

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
    """Take a span of tokens to the whole words that they stand for, without white space and commas at its ends."""
    if end > len(offsets):
        return None
    first, last = offsets[start][0], offsets[end - 1][1]
    before = _BEFORE.match(text, first, last)
    first = before.end() if before else first
    behind = _BEHIND.search(text[first:last])
    last = first + behind.start() if behind else last
    if first >= last:
        return None
    first, last = whole_words(text, first, last)
    return Match(start=first, end=last, kind="phrase")
