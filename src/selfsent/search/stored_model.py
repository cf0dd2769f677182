"""Which model made a store: recorded when it is made, and compared whenever a model is used with it."""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfsent.errors import UserError
from selfsent.model_content import HASH_VERSION, content_hash, former_hashes
from selfsent.search.store_place import is_remote, local_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from selfsent.runtime.runtime_model import RuntimeModel


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """The model of a store.

    Args:
        path: Where the model is: relative to the store where both are local folders, so that the two can be moved
            together; else a name on the hub.
        sha256: Hash of the model's content (``selfsent.model_content.model_content_hash``).
        dimension: Length of its vectors.
        prompts: The host's named prompts that are not empty; they belong to the content as well.
        hash_version: Which way of hashing ``sha256`` is from; records without one are of version 1.
    """

    path: str
    sha256: str
    dimension: int
    prompts: dict[str, str]
    hash_version: int = 1

    def to_json(self) -> str:
        """Write the record as one JSON object."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "StoredModel":
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: It is no such record, or one of a later version of this package.
        """
        try:
            record = cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"the record of its model is not readable ({error}); upgrade selfsent") from error
        if record.hash_version > HASH_VERSION:
            raise ValueError(f"it was made by a later version (hash {record.hash_version}); upgrade selfsent")
        return record

    @property
    def is_former(self) -> bool:
        """Whether the hash is of an earlier version."""
        return self.hash_version < HASH_VERSION

    def location(self, store: str) -> str:
        """Where to open the model of ``store`` from: a folder, or a name on the hub."""
        if is_remote(store) or not self.path.startswith("."):
            return self.path
        return os.path.normpath(local_folder(store) / self.path)

    def require(self, other: "StoredModel", store: str) -> None:
        """Refuse a model other than this one.

        Args:
            other: The model that is to be used with the store.
            store: The store, for the message.

        Raises:
            UserError: The models differ.
        """
        ours, theirs = self.location(store), other.location(store)
        if other.dimension != self.dimension:
            raise UserError(
                f"the store {store} holds vectors of {self.dimension} dimensions, but the model {theirs} gives "
                f"{other.dimension}; use the model it was made by ({ours}), or index into a new store"
            )
        if other.sha256 != self.sha256 and not (self.is_former and self.sha256 in former_hashes(theirs)):
            raise UserError(
                f"the store {store} was made by another model: it records {self.sha256[:12]} ({ours}), and "
                f"{theirs} is {other.sha256[:12]}; use the former, or index into a new store"
            )


def describe(model: "SentenceTransformer | RuntimeModel", model_path: str | Path, store: str) -> StoredModel:
    """Record an open model for a store.

    Args:
        model: The open model.
        model_path: Where it was opened from: a folder or a name on the hub.
        store: The store's folder or URI.

    Raises:
        UserError: The model's files are not found, so that its content cannot be hashed.
    """
    return StoredModel(
        path=_recorded_path(model_path, store),
        sha256=content_hash(model_path),
        dimension=model.get_embedding_dimension() or len(model.encode("dimension")),
        prompts={name: prompt for name, prompt in model.prompts.items() if prompt},
        hash_version=HASH_VERSION,
    )


def _recorded_path(model_path: str | Path, store: str) -> str:
    if not Path(model_path).is_dir():
        return str(model_path)
    folder = Path(model_path).resolve()
    if is_remote(store):
        return str(folder)
    return relative_place(folder, store)


def relative_place(path: Path, store: str) -> str:
    """Say where a file or folder is as seen from a local store; it begins with a dot."""
    relative = os.path.relpath(path, local_folder(store))
    return relative if relative.startswith(".") else f"./{relative}"
