"""Which model made a store: recorded when it is made, and compared whenever a model is used with it."""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.loading import model_content_hash


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """The model of a store.

    Args:
        path: Where the model is: relative to the store where both are local folders, so that the two can be moved
            together; else a name on the hub.
        sha256: Hash of the model's content (``selfsent.loading.model_content_hash``).
        dimension: Length of its vectors.
        prompts: The host's named prompts that are not empty; they belong to the content as well.
    """

    path: str
    sha256: str
    dimension: int
    prompts: dict[str, str]

    def to_json(self) -> str:
        """Write the record as one JSON object."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "StoredModel":
        """Read what ``to_json`` wrote."""
        return cls(**json.loads(text))

    def location(self, store: str) -> str:
        """Where to open the model of ``store`` from: a folder, or a name on the hub."""
        if is_remote(store) or not self.path.startswith("."):
            return self.path
        return os.path.normpath(Path(store, self.path))

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
        if other.sha256 != self.sha256:
            raise UserError(
                f"the store {store} was made by another model: it records {self.sha256[:12]} ({ours}), and "
                f"{theirs} is {other.sha256[:12]}; use the former, or index into a new store"
            )


def describe(model: SentenceTransformer, model_path: str | Path, store: str) -> StoredModel:
    """Record an open model for a store.

    Args:
        model: The open model.
        model_path: Where it was opened from: a folder or a name on the hub.
        store: The store's folder or URI.

    Raises:
        UserError: The model's files are not found, so that its content cannot be hashed.
    """
    dimension = model.get_embedding_dimension() or len(model.encode("dimension"))
    prompts = {name: prompt for name, prompt in model.prompts.items() if prompt}
    path = _recorded_path(model_path, store)
    return StoredModel(path=path, sha256=content_hash(model_path), dimension=dimension, prompts=prompts)


def content_hash(model_path: str | Path) -> str:
    """Hash a model's content wherever it is: a folder, or the local copy of a model of the hub.

    Raises:
        UserError: There is no such folder or copy.
    """
    if Path(model_path).is_dir():
        return model_content_hash(model_path)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 only a model of the hub needs it

    try:
        return model_content_hash(snapshot_download(str(model_path), local_files_only=True))
    except (OSError, ValueError) as error:
        raise UserError(f"no model at {model_path}: neither a folder nor a downloaded model of the hub") from error


def is_remote(store: str) -> bool:
    """Whether a store is named by a URI (``s3://bucket/store``) and not by a folder."""
    return "://" in store


def _recorded_path(model_path: str | Path, store: str) -> str:
    if not Path(model_path).is_dir():
        return str(model_path)
    folder = Path(model_path).resolve()
    if is_remote(store):
        return str(folder)
    relative = os.path.relpath(folder, Path(store).resolve())
    return relative if relative.startswith(".") else f"./{relative}"
