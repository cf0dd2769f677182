"""Untrained encoders over a tokenizer that is ready: a transformer, a tree encoder, a table of static embeddings."""

from pathlib import Path
from typing import cast

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.modules.tree_encoder import TreeEncoder


def untrained_transformer(
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    hidden_size: int,
    num_layers: int,
    num_heads: int,
    max_seq_length: int,
    num_positions: int | None = None,
    device: str | None = None,
) -> SentenceTransformer:
    """Make a BERT with random weights and mean pooling; it is written to a folder, since the host opens nothing else.

    Args:
        tokenizer: Its pieces; texts begin and end with a token of their own.
        folder: Where to write it.
        hidden_size: Width of token states and embeddings.
        num_layers: Layers.
        num_heads: Attention heads; they divide the width.
        max_seq_length: Tokens a text is cut to.
        num_positions: Positions that can be learned; default as many as ``max_seq_length``.
        device: Where to put it; default: the host's choice.

    Raises:
        UserError: A size is not above 0, or the heads do not divide the width.
    """
    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "num_heads": num_heads}
    problems = [f"{name}={size}" for name, size in {**sizes, "max_seq_length": max_seq_length}.items() if size < 1]
    if problems:
        raise UserError(f"{', '.join(problems)} makes no model; give whole numbers above 0")
    if hidden_size % num_heads:
        raise UserError(f"num_heads={num_heads} does not divide hidden_size={hidden_size}")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=num_positions or max_seq_length,
        pad_token_id=cast("int", tokenizer.pad_token_id),
    )
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformer = Transformer(str(folder), max_seq_length=max_seq_length)
    return SentenceTransformer(modules=[transformer, Pooling(hidden_size, pooling_mode="mean")], device=device)


def untrained_tree(tokenizer: PreTrainedTokenizerBase, *, device: str | None = None) -> SentenceTransformer:
    """Make a tree encoder of ten channels of ten, which starts as the sum of its leaves."""
    encoder = TreeEncoder(tokenizer=tokenizer, channels=10, channel_size=10, composition_init="sum")
    return SentenceTransformer(modules=[encoder], device=device)


def untrained_static(
    tokenizer: PreTrainedTokenizerFast, *, width: int, device: str | None = None
) -> SentenceTransformer:
    """Make the host's static embedding: a vector a piece, a text being the mean of its pieces' vectors."""
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=width)], device=device
    )
