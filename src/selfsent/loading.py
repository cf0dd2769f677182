"""Open a saved model by path or hub name, and hash its content."""

import contextlib
import importlib
import json
import socket
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from safetensors import SafetensorError

from selfsent.errors import UserError
from selfsent.model_content import model_content_hash
from selfsent.runtime.model_folder import open_model
from selfsent.runtime.runtime_model import RuntimeModel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["load", "model_content_hash", "open_to_encode"]

_OWN_NAMESPACE = "selfsent."
_SAFE_STEMS = {"pytorch_model": "model", "adapter_model": "adapter_model"}
"""How files of pickled weights begin, and how those of the same weights in safetensors do."""

_FEWEST_PIECES = 2  # some classes of transformers begin with a piece for white space

FROM_SCRATCH = ("tree", "static")
"""What ``--base`` takes for a model that is made and not opened, where a method can train such a one."""


def _file_path(name: str, file: str, subfolder: str = "") -> str | None:
    """Where a file of a model is: in its folder, or in the local copy of a model of the hub, which is fetched."""
    from sentence_transformers.util import load_file_path  # noqa: PLC0415 it imports torch

    return load_file_path(name, file, subfolder=subfolder)


def _own_classes(name: str) -> dict[str, type]:
    """The module classes of this package that a saved model names, imported from this package only."""
    modules_path = _file_path(name, "modules.json")
    if modules_path is None:
        return {}
    references = {str(module["type"]) for module in json.loads(Path(modules_path).read_text("utf8"))}
    classes: dict[str, type] = {}
    for reference in sorted(reference for reference in references if reference.startswith(_OWN_NAMESPACE)):
        module_name, _, class_name = reference.rpartition(".")
        classes[reference] = getattr(importlib.import_module(module_name), class_name)
    return classes


def require_safetensors(name: str) -> None:
    """Refuse a model of which a module's weights, or an adapter's, stand in a pickle only.

    The weights of a transformer on the hub are left to ``use_safetensors`` of transformers, which finds converted ones.

    Args:
        name: A folder or a name on the hub.

    Raises:
        UserError: There are such weights.
    """
    pickled = _pickled_in(Path(name)) if Path(name).is_dir() else _pickled_on_hub(name)
    if pickled is not None:
        raise UserError(
            f"{name} has weights in {pickled}, a pickle, and only safetensors are read; convert it once where you trust"
            " it: SentenceTransformer(OLD).save_pretrained(NEW), or save_pretrained of its transformers class"
        )


def _pickled_in(folder: Path) -> str | None:
    nested = (file for module in _module_folders(str(folder)) for file in folder.joinpath(module).rglob("*.bin"))
    for file in sorted({*folder.glob("*.bin"), *nested}):
        stem = next((stem for stem in _SAFE_STEMS if file.name.startswith(stem)), None)
        if stem is not None and not any(file.parent.glob(f"{_SAFE_STEMS[stem]}*.safetensors")):
            return str(file.relative_to(folder))
    return None


def _pickled_on_hub(name: str) -> str | None:
    for folder, stem in (*((module, "pytorch_model") for module in _module_folders(name)), ("", "adapter_model")):
        files = (f"{_SAFE_STEMS[stem]}.safetensors", f"{stem}.bin")
        safe, pickled = (_file_path(name, file, folder) for file in files)
        if safe is None and pickled is not None:
            return f"{folder}/{stem}.bin".lstrip("/")
    return None


def _module_folders(name: str) -> list[str]:
    """The folders of a saved model's modules below its own; none where its ``modules.json`` cannot be read."""
    path = _file_path(name, "modules.json")
    try:
        modules: Any = json.loads(Path(path).read_text("utf8")) if path is not None else []
        return sorted({str(module["path"]) for module in modules} - {"", "."})
    except (OSError, ValueError, TypeError, KeyError):
        return []


def require_tokenizer(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that knows special tokens only: transformers makes one where a folder has no tokenizer.

    Raises:
        UserError: It knows special tokens only.
    """
    special_ids = getattr(tokenizer, "all_special_ids", None)
    if special_ids is not None and len(tokenizer) - len(set(special_ids)) < _FEWEST_PIECES:
        raise UserError(
            f"{name} has no tokenizer; save its tokenizer (tokenizer.json) beside the model, or name another"
        )


@contextlib.contextmanager
def no_waiting_for_the_hub(name: str) -> Generator[None]:
    """Switch the hub off within the block if its name cannot be resolved and the model is no folder.

    The hub's library asks for each of a dozen files, and waits longer before each of five more tries: minutes, for a
    name that was mistyped on a machine without a network.

    Args:
        name: Folder or hub name of a model.
    """
    from huggingface_hub import constants  # noqa: PLC0415 only models that are opened with torch need it

    if Path(name).exists() or constants.HF_HUB_OFFLINE or getproxies() or _has_address(constants.ENDPOINT):
        yield
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = False


def _has_address(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return bool(socket.getaddrinfo(parts.hostname, parts.port or parts.scheme))
    except OSError:
        return False


def means_folder(name: str) -> bool:
    """Whether the name of a model is a path, there or not, and cannot be a name on the hub."""
    return Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1


def refuse_missing(path: str | Path) -> None:
    """Refuse a path where no folder is; a name on the hub is taken as it is.

    Raises:
        UserError: There is no such folder, or a file stands there.
    """
    name, folder = str(path), Path(path)
    if not folder.exists() and (isinstance(path, Path) or means_folder(name)):
        raise UserError(
            f"no model at {name}: the folder does not exist; check the path, or train one with `selfsent train`"
        )
    if folder.is_file():
        raise UserError(f"{name} is a file, not a model folder; name the folder of a model")


def refuse_no_model(path: str | Path) -> None:
    """Refuse a place that holds no model, by the names of its files alone: torch is not imported.

    Args:
        path: A folder, or a name on the hub, which is taken as it is.

    Raises:
        UserError: There is no such folder, or it does not hold a model.
    """
    refuse_missing(path)
    name, folder = str(path), Path(path)
    if folder.is_dir() and not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        inner = folder / "model"
        found = f"its model is {inner}" if (inner / "modules.json").is_file() else "name the folder that does"
        raise UserError(f"no model in {name}: it holds neither modules.json nor config.json; {found}")


def load(path: str | Path, *, device: str | None = None, trust_remote_code: bool = False) -> "SentenceTransformer":
    """Open a SentenceTransformer folder or hub name; the classes of this package need no ``trust_remote_code``.

    Args:
        path: A folder written by ``selfsent train`` or by sentence-transformers, or a name on the hub.
        device: Where to put it (``cpu``, ``cuda``, ``cuda:1``); default: the best there is.
        trust_remote_code: Passed on to sentence-transformers, for classes of third parties.

    Returns:
        The model, ready to ``encode``.

    Raises:
        UserError: There is no such folder, it does not hold a whole model, or weights of it are pickled.
    """
    refuse_no_model(path)
    name, folder = str(path), Path(path)
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 three seconds, which the runtime saves

    try:
        with no_waiting_for_the_hub(name):
            require_safetensors(name)
            model = SentenceTransformer._load_with_module_classes(  # noqa: SLF001 the host's only way for trusted classes
                name,
                module_classes=_own_classes(name),
                device=device,
                trust_remote_code=trust_remote_code,
                model_kwargs={"use_safetensors": True},
            )
    except UserError:
        raise
    except (
        OSError,
        ValueError,
        ImportError,
        AttributeError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and not folder.exists():
            reason = f"there is no folder of that name, and from the hub: {reason}"
        raise UserError(f"cannot open a model at {name}: {reason}") from error
    for module in model.modules():
        require_tokenizer(getattr(module, "tokenizer", None), name)
    return model


def open_to_encode(path: str | Path, *, device: str | None = None) -> "SentenceTransformer | RuntimeModel":
    """Open a model that is only to encode: without torch where its modules allow (`selfsent.runtime`), else by `load`.

    Args:
        path: As in `load`.
        device: As in `load`; without torch, models run on the CPU, so any other device needs torch.

    Raises:
        UserError: As `load`.
    """
    opened = open_model(path) if device in (None, "cpu") else None
    return load(path, device=device) if opened is None else opened
