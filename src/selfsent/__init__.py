"""Learn sentence embeddings from raw text alone, and search with them.

The front door: ``build`` a search of documents, ``train`` a method on a source, ``load`` a model, ``evaluate`` it,
``encode`` and ``index`` a source with it, ``query`` a store, make a model smaller with ``export_model``.
``SemanticSearch`` keeps a store open for many queries.
Names are imported when first used, so that ``import selfsent`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfsent.evaluation import evaluate
    from selfsent.front_door import build, encode, export_model, index, query
    from selfsent.loading import load
    from selfsent.runs.train import train
    from selfsent.search.semantic_search import SemanticSearch

__version__ = "0.2.0"

__all__ = [
    "SemanticSearch",
    "__version__",
    "build",
    "encode",
    "evaluate",
    "export_model",
    "index",
    "load",
    "query",
    "train",
]

_HOMES = {
    "SemanticSearch": "selfsent.search.semantic_search",
    "build": "selfsent.front_door",
    "encode": "selfsent.front_door",
    "evaluate": "selfsent.evaluation",
    "export_model": "selfsent.front_door",
    "index": "selfsent.front_door",
    "load": "selfsent.loading",
    "query": "selfsent.front_door",
    "train": "selfsent.runs.train",
}
_PACKAGES = (
    "data",
    "documents",
    "evaluation",
    "export",
    "losses",
    "methods",
    "modules",
    "runs",
    "search",
    "training",
    "trees",
    "views",
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"selfsent.{name}")
    raise AttributeError(f"module 'selfsent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PACKAGES})
