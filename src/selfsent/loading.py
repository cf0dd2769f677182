"""Opening a saved model by path or hub name, and naming its content by a hash."""

import importlib
import json
from pathlib import Path

from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import load_file_path

from selfsent.errors import UserError
from selfsent.model_content import model_content_hash

__all__ = ["load", "model_content_hash"]

_OWN_NAMESPACE = "selfsent."


def _own_classes(name: str) -> dict[str, type]:
    """The module classes of this package that a saved model names, imported from the package and from nowhere else."""
    modules_path = load_file_path(name, "modules.json")
    if modules_path is None:
        return {}
    references = {str(module["type"]) for module in json.loads(Path(modules_path).read_text("utf8"))}
    classes: dict[str, type] = {}
    for reference in sorted(reference for reference in references if reference.startswith(_OWN_NAMESPACE)):
        module_name, _, class_name = reference.rpartition(".")
        classes[reference] = getattr(importlib.import_module(module_name), class_name)
    return classes


def load(path: str | Path, *, device: str | None = None, trust_remote_code: bool = False) -> SentenceTransformer:
    """Open a SentenceTransformer folder or hub name; the classes of this package need no ``trust_remote_code``.

    Args:
        path: A folder written by ``selfsent train`` or by the host's ``save_pretrained``, or a name on the hub.
        device: Where to put it (``cpu``, ``cuda``, ``cuda:1``); default: the host's choice.
        trust_remote_code: Passed on to the host for classes of third parties.

    Returns:
        The model, ready to ``encode``.

    Raises:
        UserError: There is no such folder, or it does not hold a model.
    """
    name = str(path)
    folder = Path(path)
    looks_local = isinstance(path, Path) or folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1
    if not folder.exists() and looks_local:
        raise UserError(
            f"no model at {name}: the folder does not exist; train one with `selfsent train`, or check the path"
        )
    if folder.is_file():
        raise UserError(f"{name} is a file, not a model folder; name the folder that holds modules.json")
    if folder.is_dir() and not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        raise UserError(f"no model in {name}: it holds neither modules.json nor config.json; name the folder that does")
    try:
        return SentenceTransformer._load_with_module_classes(  # noqa: SLF001 the host's only way for trusted classes
            name, module_classes=_own_classes(name), device=device, trust_remote_code=trust_remote_code
        )
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
        raise UserError(f"cannot open a model at {name}: {reason}") from error
