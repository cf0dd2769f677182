"""Views of a text that mean the same: what contrastive learning from raw text compares. One mechanism a file."""

from selfsent.views.alternatives import Alternatives
from selfsent.views.crop import Crop
from selfsent.views.delete import Delete, DeleteOne
from selfsent.views.pair_transform import PairTransform
from selfsent.views.registry import VIEWS, make_view, pair_transform
from selfsent.views.repeat import Repeat
from selfsent.views.synonyms import Synonyms
from selfsent.views.view import View

__all__ = [
    "VIEWS",
    "Alternatives",
    "Crop",
    "Delete",
    "DeleteOne",
    "PairTransform",
    "Repeat",
    "Synonyms",
    "View",
    "make_view",
    "pair_transform",
]
