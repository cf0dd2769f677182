"""Hash the content of a saved model: the files of its folder that it is loaded from."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfsent.errors import UserError

HASH_VERSION = 2
"""Version 1 hashed files by their suffix, one level deep (see ``former_content_hashes``)."""

_MODEL_FILES = ("modules.json", "config_sentence_transformers.json")
_HOST_CONFIGS = (
    "config.json",
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "router_config.json",
    "cnn_config.json",
    "lstm_config.json",
    "wordembedding_config.json",
    "whitespacetokenizer_config.json",
    "phrasetokenizer_config.json",
)
_TRANSFORMERS_CONFIGS = (
    "adapter_config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "audio_tokenizer_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "bpe.codes",
    "dict.txt",
    "emoji.json",
    "entity_vocab.json",
    "normalizer.json",
    "byte_maps.json",
    "source.spm",
    "target.spm",
    "target_vocab.json",
    "vocab-src.json",
    "vocab-tgt.json",
    "word_shape.json",
    "word_pronunciation.json",
    "spiece.model",
    "spm.model",
    "spm_char.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
    "tiktoken.model",
)
MODULE_FILES = frozenset((*_HOST_CONFIGS, *_TRANSFORMERS_CONFIGS, *_TOKENIZER_FILES))
"""Names under which the host and transformers look for what is not weights, in the folder of a module."""

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_GRAPHS = {"selfsent.modules.OnnxEncoder": ("model.onnx", "model.onnx.data")}
"""Files of weights that only modules of some types are loaded from."""

_OF_ATTENTION = "attention"
"""In the folder of a tree model whose trees are of a transformer's attention: that transformer."""

_ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_KNOWN_NAMESPACES = ("sentence_transformers.", "selfsent.")
_FORMER_SUFFIXES = {".json", ".safetensors", ".txt", ".model", ".spm"}


def model_content_hash(path: str | Path) -> str:
    """Hash what a local model folder computes with: exactly the files that its modules are loaded from.

    Args:
        path: A model folder.

    Returns:
        64 hexadecimal digits (SHA-256), equal for equal content wherever the folder stands.

    Raises:
        UserError: ``path`` is not a folder, or says which modules it has in a way that cannot be read.
    """
    folder = _required_folder(path)
    return _digest(folder, model_files(folder))


def former_content_hashes(path: str | Path) -> frozenset[str]:
    """Hash a model folder as version 1 did, for records that were written then.

    Version 1 took every ``.json``, ``.safetensors``, ``.txt``, ``.model`` and ``.spm`` file beside the modules.

    Returns:
        The hash with all of these files, and the one without those that no module is loaded from: the record was
        written before somebody put them there.

    Raises:
        UserError: As ``model_content_hash``.
    """
    folder = _required_folder(path)
    own_folders = {folder, *(folder / module["path"] for module in _modules(folder))}
    files = {file for own in own_folders if own.is_dir() for file in own.iterdir() if file.is_file()}
    former = {file for file in files if file.suffix in _FORMER_SUFFIXES and file.name != "run.json"}
    return frozenset(_digest(folder, some) for some in (former, former.intersection(model_files(folder))))


def content_hash(model_path: str | Path) -> str:
    """Hash a model's content wherever it is: a folder, or the local copy of a model of the hub.

    Raises:
        UserError: There is no such folder or copy.
    """
    return model_content_hash(_local_folder(model_path))


def former_hashes(model_path: str | Path) -> frozenset[str]:
    """Hash a model's content as earlier versions did, for what they recorded.

    Raises:
        UserError: As ``content_hash``.
    """
    return former_content_hashes(_local_folder(model_path))


def _local_folder(model_path: str | Path) -> str | Path:
    if Path(model_path).is_dir():
        return model_path
    from huggingface_hub import snapshot_download  # noqa: PLC0415 only a model of the hub needs it

    try:
        return snapshot_download(str(model_path), local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"no model at {model_path}: neither a folder nor a downloaded model of the hub") from error


def has_content_hash(path: str | Path, recorded: str | None) -> bool:
    """Whether a model folder has the content that a record of this version or of version 1 names."""
    return model_content_hash(path) == recorded or recorded in former_content_hashes(path)


def model_files(folder: Path) -> set[Path]:
    """The files that a model is loaded from: those of each module, nested ones too, and what says which these are.

    A module of this package or of the host reads files of known names. What a module of a third party reads is not
    known, so all of its own folder counts; at the root of the model, the code beside the known names does.
    """
    files = {folder / name for name in _MODEL_FILES}
    for module in _modules(folder):
        files.update(_module_files(folder / module["path"]))
        files.update(folder / module["path"] / name for name in _GRAPHS.get(module["type"], ()))
        if not module["type"].startswith(_KNOWN_NAMESPACES):
            files.update((folder / module["path"]).rglob("*") if module["path"] else folder.glob("*.py"))
    return {file for file in files if file.is_file() and file.is_relative_to(folder)}


def _modules(folder: Path) -> list[dict[str, str]]:
    """Path and type of each module; a folder without ``modules.json`` is one transformer."""
    path = folder / "modules.json"
    if not path.is_file():
        return [{"path": "", "type": "sentence_transformers.Transformer"}]
    modules = _read_json(path)
    if not isinstance(modules, list) or not all(_is_module(module) for module in modules):
        raise UserError(f"cannot read {path}: must be a list of modules with a type and a path; save the model again")
    return modules


def _is_module(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("path", "type"))


def _module_files(folder: Path) -> Iterator[Path]:
    """The files a module may be loaded from, and those of the modules inside it."""
    yield from (folder / name for name in MODULE_FILES)
    yield from _weights(folder, _WEIGHTS)
    yield from _weights(folder, _ADAPTER_WEIGHTS)
    if (folder / _OF_ATTENTION).is_dir():
        yield from _module_files(folder / _OF_ATTENTION)
    config = next((folder / name for name in ("router_config.json", "config.json") if (folder / name).is_file()), None)
    content: Any = _read_json(config) if config else {}
    if not isinstance(content, dict):
        return
    if "auto_map" in content:
        yield from folder.glob("*.py")
    if isinstance(content.get("types"), dict) and "structure" in content:
        for name in content["types"]:
            if (folder / name).resolve() != folder.resolve():
                yield from _module_files(folder / name)


def _weights(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The first of the names that is there, as the host chooses; with the parts that an index names."""
    first = next((folder / name for name in names if (folder / name).is_file()), None)
    if first is None:
        return
    yield first
    if first.suffix == ".json":
        index = _read_json(first)
        parts = index.get("weight_map") if isinstance(index, dict) else None
        yield from (folder / str(part) for part in set((parts or {}).values()))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; save the model again") from error


def _required_folder(path: str | Path) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(
            f"cannot hash the model {path}: it is not a local folder; save the model first and name its folder"
        )
    return folder


def _digest(folder: Path, files: set[Path]) -> str:
    """Hash names, sizes and contents. Version 1 did the same, so a folder without extra files keeps its hash."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
