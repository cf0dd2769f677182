"""The methods by paper: citation, equation to file, defaults, departures. ``METHODS`` names each one."""

from selfsent.methods.banyan import BANYAN
from selfsent.methods.bi_lstm import BI_LSTM
from selfsent.methods.document_contrast import DOCUMENT_CONTRAST
from selfsent.methods.document_distillation import DOCUMENT_DISTILLATION
from selfsent.methods.fasttext import FASTTEXT
from selfsent.methods.method import Method
from selfsent.methods.mlm import MLM
from selfsent.methods.multilingual import MULTILINGUAL
from selfsent.methods.recursive_networks import IORNN, TREE_LSTM
from selfsent.methods.sarcse import SARCSE
from selfsent.methods.sbert import SBERT_CLASSIFICATION, SBERT_REGRESSION, SBERT_TRIPLET
from selfsent.methods.sct import SCT, SCT_DISTILL
from selfsent.methods.simcse import SIMCSE, SIMCSE_SUP
from selfsent.methods.strae import SELF_STRAE, STRAE
from selfsent.methods.translation_ranking import TRANSLATION_RANKING

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        SELF_STRAE,
        STRAE,
        BANYAN,
        TREE_LSTM,
        IORNN,
        BI_LSTM,
        FASTTEXT,
        DOCUMENT_CONTRAST,
        DOCUMENT_DISTILLATION,
        SIMCSE,
        SIMCSE_SUP,
        SBERT_CLASSIFICATION,
        SBERT_REGRESSION,
        SBERT_TRIPLET,
        SARCSE,
        SCT,
        SCT_DISTILL,
        MLM,
        MULTILINGUAL,
        TRANSLATION_RANKING,
    )
}

__all__ = ["METHODS", "Method"]
