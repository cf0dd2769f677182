"""The model of a service: the one place that opens it, and what is asked of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfsent.drawing.sentence import SentenceTree, sentence_tree
from selfsent.encoding import encode_texts, num_tokens, token_limit
from selfsent.errors import UserError
from selfsent.loading import open_to_encode

Prompt = Literal["query", "document"] | None
Vectors = NDArray[np.float32]

_BATCH_SIZE = 32


class NotATreeError(UserError):
    """A tree was asked for, and the model builds none."""


def open_model(location: str | Path, device: str | None = None) -> Any:
    """Open the model of a service, without torch where its modules allow.

    Args:
        location: A folder, or a name on the hub.
        device: Where to put it; default: the best there is.

    Raises:
        UserError: There is none, or it is not whole.
    """
    return open_to_encode(location, device=device)


class ServedModel:
    """An open model and what a service asks of it; used by one thread at a time.

    Args:
        model: The open model.
        name: Name of the model in answers; never a path.
    """

    def __init__(self, model: Any, name: str) -> None:
        self.model = model
        self.name = name

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.model.get_embedding_dimension() or len(self.model.encode("dimension")))

    @property
    def has_trees(self) -> bool:
        """Whether the model builds trees."""
        return (self._is_hosts and hasattr(self.model[0], "tree_statistics")) or getattr(
            self.model, "builds_trees", False
        )

    @property
    def _is_hosts(self) -> bool:
        """Whether the model is a ``SentenceTransformer`` of the host, and not one that runs without torch."""
        return hasattr(self.model, "parameters")

    def encode(self, texts: Sequence[str], prompt: Prompt = None) -> Vectors:
        """Embed texts as ``encode``, ``encode_query`` or ``encode_document`` of the model does.

        Raises:
            UserError: A vector is not finite.
        """
        encode = {None: "encode", "query": "encode_query", "document": "encode_document"}[prompt]
        return encode_texts(getattr(self.model, encode), texts, batch_size=_BATCH_SIZE)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens that the model reads of each text."""
        limit = token_limit(self.model)
        counts = num_tokens(self.model, texts)
        return counts if limit is None else [min(count, limit) for count in counts]

    def picture(self, text: str) -> str:
        """Draw the tree of a text as SVG.

        Raises:
            NotATreeError: The model builds no trees.
            UserError: The text has no token.
        """
        return self._tree(text).drawn("svg")

    def nodes(self, text: str) -> list[dict[str, int]]:
        """Give the nodes of the tree of a text: leaves in their order, then merges, the root last.

        Returns:
            Of each node ``id``, ``start`` and ``end`` in characters of the text, ``left`` and ``right`` where it is no
            leaf, and ``parent`` where it is not the root.

        Raises:
            NotATreeError: The model builds no trees.
            UserError: The text has no token, or its tokens cannot be found in it.
        """
        tree = self._tree(text).tree
        spans = self._token_spans(text, tree.num_tokens)
        nodes = [{"id": number, "start": start, "end": end} for number, (start, end) in enumerate(spans)]
        for left, right in zip(tree.left.tolist(), tree.right.tolist(), strict=True):
            number = len(nodes)
            nodes[left]["parent"] = nodes[right]["parent"] = number
            start, end = nodes[left]["start"], nodes[right]["end"]
            nodes.append({"id": number, "start": start, "end": end, "left": left, "right": right})
        return nodes

    def facts(self) -> dict[str, Any]:
        """Say what the model is."""
        modules = [type(module).__name__ for module in self.model] if self._is_hosts else []
        parameters = sum(one.numel() for one in self.model.parameters()) if self._is_hosts else None
        return {
            "name": self.name,
            "kind": "tree"
            if self.has_trees
            else "static"
            if not modules or "StaticEmbedding" in modules
            else modules[0],
            "dimension": self.dimension,
            "max_tokens": token_limit(self.model),
            "parameters": parameters,
            "modules": modules,
            "prompts": sorted(name for name, prompt in self.model.prompts.items() if prompt),
        }

    def require_trees(self) -> None:
        """Refuse a model without trees.

        Raises:
            NotATreeError: It builds none.
        """
        if not self.has_trees:
            raise NotATreeError(f"the model {self.name} builds no trees; serve a tree model to see them")

    def _tree(self, text: str) -> SentenceTree:
        self.require_trees()
        return sentence_tree(self.model, text)

    def _token_spans(self, text: str, num_read: int) -> list[tuple[int, int]]:
        """Where the tokens that were read stand in the text, without the white space at their ends."""
        offsets: list[tuple[int, int]] = []
        if not self._is_hosts:
            offsets = list(self.model.tree_of(text).offsets)
        elif self.model[0].tokenizer.is_fast:
            encoded = self.model[0].tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )
            offsets = [tuple(span) for span in encoded["offset_mapping"]]
        if len(offsets) < num_read:
            raise UserError(f"the places of the {num_read} tokens in the text are not known; ask for format=svg")
        return [_stripped(text, start, end) for start, end in offsets[:num_read]]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    if not piece.strip():
        return start, end
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def public_name(location: str | Path) -> str:
    """Name a model as answers may: the folder's own name without its path, or the name on the hub."""
    path = Path(location).expanduser()
    return path.resolve().name if path.is_dir() else str(location)
