"""Modules of models. Saved models name these classes by this path, so the path is frozen."""

from selfsent.modules.composition import AffineComposition, AffineDecomposition
from selfsent.modules.fasttext_encoder import FastTextEncoder
from selfsent.modules.instance_queue import InstanceQueue
from selfsent.modules.onnx_encoder import OnnxEncoder
from selfsent.modules.recursive_encoder import RecursiveEncoder
from selfsent.modules.text_cnn import TextCNN
from selfsent.modules.text_cnn_decoder import TextCNNDecoder
from selfsent.modules.token_embeddings import TokenEmbeddings
from selfsent.modules.tree_decoder import TreeDecoder
from selfsent.modules.tree_encoder import TreeEncoder, TreeStates

__all__ = [
    "AffineComposition",
    "AffineDecomposition",
    "FastTextEncoder",
    "InstanceQueue",
    "OnnxEncoder",
    "RecursiveEncoder",
    "TextCNN",
    "TextCNNDecoder",
    "TokenEmbeddings",
    "TreeDecoder",
    "TreeEncoder",
    "TreeStates",
]
