"""Views: versions of a text with the same meaning, which contrastive learning compares. One mechanism a file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from selfsent.views.alternatives import Alternatives
from selfsent.views.crop import Crop
from selfsent.views.delete import Delete, DeleteOne
from selfsent.views.mixture import Mixture
from selfsent.views.pair_file import PairFileReport, write_pairs
from selfsent.views.pair_transform import PairedViews, PairTransform
from selfsent.views.registry import VIEWS, make_view, pair_transform
from selfsent.views.synonyms import Synonyms
from selfsent.views.view import Repeat, View

if TYPE_CHECKING:
    from selfsent.views.back_translation import BackTranslation
    from selfsent.views.masked_lm import MaskedLM

__all__ = [
    "VIEWS",
    "Alternatives",
    "BackTranslation",
    "Crop",
    "Delete",
    "DeleteOne",
    "MaskedLM",
    "Mixture",
    "PairFileReport",
    "PairTransform",
    "PairedViews",
    "Repeat",
    "Synonyms",
    "View",
    "make_view",
    "pair_transform",
    "write_pairs",
]

_WITH_A_MODEL = {"BackTranslation": "selfsent.views.back_translation", "MaskedLM": "selfsent.views.masked_lm"}
"""Imported when first used: they need torch and transformers."""


def __getattr__(name: str) -> Any:
    if name in _WITH_A_MODEL:
        return getattr(import_module(_WITH_A_MODEL[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
