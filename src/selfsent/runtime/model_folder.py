"""Opening a saved model without torch, where all of its modules are known here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfsent.runtime.later_modules import LaterModule, read_later_module
from selfsent.runtime.onnx_texts import read_onnx
from selfsent.runtime.runtime_model import FirstModule, RuntimeModel
from selfsent.runtime.saved_files import NeedsTorch, read_json
from selfsent.runtime.token_table import read_static, read_token_embeddings
from selfsent.runtime.tree_texts import read_trees

_OURS, _HOST = "selfsent.", "sentence_transformers."
_FIRST_MODULES: dict[tuple[str, str], Callable[[Path], FirstModule]] = {
    (_OURS, "TreeEncoder"): read_trees,
    (_OURS, "TokenEmbeddings"): read_token_embeddings,
    (_OURS, "OnnxEncoder"): read_onnx,
    (_HOST, "StaticEmbedding"): read_static,
}
_HOST_PROMPTS = {"query": "", "document": ""}
"""Prompts that the host gives a model that has none of these names."""


def open_model(path: str | Path) -> RuntimeModel | None:
    """Open a model folder without torch.

    Args:
        path: A folder that ``selfsent train`` or the host's ``save_pretrained`` wrote.

    Returns:
        The model; None where only the host can open it, or say what is wrong with it (``why_torch`` says why).
    """
    try:
        return _opened(Path(path))
    except NeedsTorch:
        return None


def why_torch(path: str | Path) -> str | None:
    """Say why a model cannot be opened without torch; None where it can."""
    try:
        _opened(Path(path))
    except NeedsTorch as reason:
        return str(reason)
    return None


def _opened(folder: Path) -> RuntimeModel:
    modules = _modules(folder)
    (first_space, first_kind), first_folder = modules[0]
    if (first_space, first_kind) not in _FIRST_MODULES:
        raise NeedsTorch(f"its first module is {first_kind}")
    first = _FIRST_MODULES[first_space, first_kind](first_folder)
    later = [_later(space, kind, place) for (space, kind), place in modules[1:]]
    if first_kind == "TokenEmbeddings" and (len(modules) == 1 or modules[1][0][1] != "Pooling"):
        raise NeedsTorch("its embeddings of tokens are not pooled by the next module")
    prompts, default = _prompts(folder)
    return RuntimeModel(folder, first, later, prompts=prompts, default_prompt_name=default)


def _later(space: str, kind: str, folder: Path) -> LaterModule:
    if space != _HOST:
        raise NeedsTorch(f"a module {kind} is not known here")
    return read_later_module(kind, folder)


def _modules(folder: Path) -> list[tuple[tuple[str, str], Path]]:
    """Namespace, class and folder of each module, in order."""
    entries: Any = read_json(folder / "modules.json")
    try:
        found = [(str(entry["type"]), folder / str(entry["path"]), entry.get("kwargs")) for entry in entries]
    except (TypeError, KeyError, AttributeError) as error:
        raise NeedsTorch(f"{folder / 'modules.json'} is not a list of modules") from error
    if not found or any(arguments for _, _, arguments in found):
        raise NeedsTorch("it has no modules, or some that take arguments")
    return [((f"{kind.split('.')[0]}.", kind.rpartition(".")[2]), place) for kind, place, _ in found]


def _prompts(folder: Path) -> tuple[dict[str, str], str | None]:
    """The prompts of a model, and the name of the one that is put where none is named."""
    path = folder / "config_sentence_transformers.json"
    config: Any = read_json(path) if path.is_file() else {}
    saved = config.get("prompts") or {} if isinstance(config, dict) else None
    if not isinstance(saved, dict) or config.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        raise NeedsTorch(f"{path} names no prompts, or a model of another kind")
    prompts = _HOST_PROMPTS | {str(name): str(prompt or "") for name, prompt in saved.items()}
    default = config.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise NeedsTorch(f"{path} has the default prompt {default!r}, which is not among its prompts")
    return prompts, default
