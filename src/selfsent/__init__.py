"""Learn sentence embeddings from raw text alone, and search with them.

The front door: ``train`` a method on a source, ``load`` a model, ``evaluate`` it, and ``SemanticSearch`` a store.
Names are imported when first used, so that ``import selfsent`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfsent.evaluation import evaluate
    from selfsent.loading import load
    from selfsent.runs import train
    from selfsent.search.semantic_search import SemanticSearch

__version__ = "0.1.0"

__all__ = ["SemanticSearch", "__version__", "evaluate", "load", "train"]

_HOMES = {
    "SemanticSearch": "selfsent.search.semantic_search",
    "evaluate": "selfsent.evaluation",
    "load": "selfsent.loading",
    "train": "selfsent.runs.train",
}
_PACKAGES = ("data", "evaluation", "losses", "methods", "modules", "runs", "search", "training", "trees", "views")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return import_module(f"selfsent.{name}")
    raise AttributeError(f"module 'selfsent' has no attribute {name!r}")
