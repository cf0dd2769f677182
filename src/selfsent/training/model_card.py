"""The model card: that of sentence-transformers, with recipe, data, scores and the way to open the model at the top."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

CARD_FILE = "README.md"
_HOST_SECTION = "## Model Details"
_HOST_INSTALL = "pip install -U sentence-transformers"
_NEUTRAL_WIDGET: list[Any] = [
    {"source_sentence": "A child reads a book.", "sentences": ["A boy is reading.", "It rains in the mountains."]}
]
_FOLDERS = re.compile(r"""(^|[":=;,])~?/(?!/)(?:[^/;,"]+/)*""")
"""The folders of an absolute path: alone, in JSON, or in a source such as ``parallel:en=/a/en.txt``."""
_HOST_CALL = re.compile(r'SentenceTransformer\("([^"]+)"\)')


def own_modules(model: SentenceTransformer) -> list[str]:
    """The classes of this package among the modules of a model; empty for a model any host opens by itself."""
    classes = [type(module) for module in model.children()]
    return [f"{cls.__module__}.{cls.__name__}" for cls in classes if cls.__module__.partition(".")[0] == "selfsent"]


def keep_data_out_of_card(model: SentenceTransformer) -> None:
    """Stop the host from printing training texts into the card, and from asking the hub about the model.

    The texts may be a company's own. Called before training for the examples of the hub's widget, and again before
    saving for the samples of the data set.
    """
    data = model.model_card_data
    data.local_files_only = True
    data.widget = data.widget or list(_NEUTRAL_WIDGET)
    for dataset in data.train_datasets:
        dataset.pop("examples", None)
        dataset.pop("examples_table", None)


def _opening(model: SentenceTransformer) -> str:
    if not own_modules(model):
        return "Made of modules of Sentence Transformers: `SentenceTransformer(folder)` opens it, without selfsent.\n"
    return (
        f"Needs `pip install selfsent` for {', '.join(f'`{name}`' for name in own_modules(model))}. Open it with\n"
        "`selfsent.load(folder)` or `SentenceTransformer(folder, trust_remote_code=True)`.\n"
    )


def _scores(record: Mapping[str, Any]) -> str:
    best, metrics = record.get("best"), record.get("metrics", {})
    rows = [f"| {name} | {value:.6g} |" for name, value in metrics.items() if isinstance(value, int | float)]
    table = "\n".join(["| last measured | value |", "|---|---|", *rows]) + "\n" if rows else ""
    kept = f"Kept: the model of step {best['step']}, {best['metric']} {best['value']:.4f}.\n\n" if best else ""
    return kept + table


def _without_folders(text: str) -> str:
    """Leave out where files stood: a card is published, and folders concern nobody else."""
    return _FOLDERS.sub(r"\1", text)


def _own_section(model: SentenceTransformer, record: Mapping[str, Any]) -> str:
    hashes = [f"- {_without_folders(name)}: SHA-256 `{sha}`" for name, sha in record.get("data_hashes", {}).items()]
    data = "\n".join([*(f"- {note}" for note in record.get("sources", [])), *hashes]) or "- not recorded"
    recipe = {"recipe": record.get("recipe"), "arguments": record.get("arguments"), "seed": record.get("seed")}
    return (
        f"## Trained with selfsent\n\n{_opening(model)}\n### Recipe\n\n```json\n"
        f"{_without_folders(json.dumps(recipe, indent=2, ensure_ascii=False, default=str))}\n```\n\n"
        f"### Data\n\n{data}\n\n### Scores\n\n{_scores(record)}\n"
    )


def write_model_card(folder: Path, model: SentenceTransformer, record: Mapping[str, Any]) -> None:
    """Amend the card the host wrote into ``folder``: recipe, data, scores and how to open the model stand first.

    The host's part keeps the architecture, the losses with their citations, and the versions.

    Args:
        folder: A saved model.
        model: The same model.
        record: What ``run.json`` says of the run.
    """
    path = folder / CARD_FILE
    card = path.read_text("utf8") if path.is_file() else ""
    if own_modules(model):
        card = card.replace(_HOST_INSTALL, "pip install -U selfsent")
        card = _HOST_CALL.sub(r'SentenceTransformer("\1", trust_remote_code=True)', card)
    head, section, rest = card.partition(_HOST_SECTION)
    path.write_text(f"{head}{_own_section(model, record)}{section}{rest}", encoding="utf8", errors="backslashreplace")
