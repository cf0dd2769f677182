"""Untrained encoders over a given tokenizer: a transformer, a tree encoder, a table of static embeddings."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.modules.tree_encoder import TreeEncoder
from selfsent.options import Options, option

FROM_SCRATCH = ("transformer", "tree", "static")
"""The kinds of encoder that can be made over a tokenizer."""


@dataclass(frozen=True, kw_only=True)
class WidthOptions(Options):
    """How wide an untrained encoder is.

    Args:
        hidden_size: Width of a transformer from scratch, or of a static embedding.
        num_heads: Attention heads of a transformer from scratch; they divide the width.
    """

    hidden_size: int = option(128, at_least=1)
    num_heads: int = option(2, at_least=1)


@dataclass(frozen=True, kw_only=True)
class EncoderSizes:
    """How large an untrained encoder is; a tree encoder has ten channels of ten.

    Args:
        width: Dimension of the embedding of a transformer or a static table.
        num_layers: Layers of a transformer.
        num_heads: Attention heads of a transformer; they divide the width.
        max_seq_length: Tokens a transformer's texts are cut to.
        num_positions: Positions a transformer can learn; default as many as ``max_seq_length``.
    """

    width: int
    num_layers: int
    num_heads: int
    max_seq_length: int
    num_positions: int | None = None


def untrained_encoder(
    kind: str, tokenizer: PreTrainedTokenizerFast, sizes: EncoderSizes, *, folder: Path, device: str | None = None
) -> SentenceTransformer:
    """Make an encoder with random weights.

    Args:
        kind: ``transformer`` (a BERT with mean pooling), ``tree``, or ``static`` (the mean of a vector a piece, which
            are about one long: the host's are ``sqrt(width)``, and a squared error then takes most of a training).
        tokenizer: The tokenizer; for a transformer one that adds tokens at the beginning and the end of a text.
        sizes: How large it is.
        folder: Where a transformer is written to, since the host opens nothing else.
        device: Where to put it; default: the best there is.

    Raises:
        UserError: A size is not above 0, or the heads do not divide the width.
    """
    if kind == "tree":
        encoder = TreeEncoder(tokenizer=tokenizer, channels=10, channel_size=10, composition_init="sum")
        return SentenceTransformer(modules=[encoder], device=device)
    _check(sizes, has_heads=kind == "transformer")
    if kind == "static":
        table = StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=sizes.width)
        nn.init.normal_(table.embedding.weight, std=sizes.width**-0.5)  # vectors of length one, as a teacher's are
        return SentenceTransformer(modules=[table], device=device)
    transformer = _untrained_bert(tokenizer, sizes, folder)
    return SentenceTransformer(modules=[transformer, Pooling(sizes.width, pooling_mode="mean")], device=device)


def _check(sizes: EncoderSizes, *, has_heads: bool) -> None:
    numbers = {name: value for name, value in asdict(sizes).items() if value is not None}
    problems = [f"{name}={value}" for name, value in numbers.items() if value < 1]
    if problems:
        raise UserError(f"sizes of a model must be whole numbers above 0, got {', '.join(problems)}")
    if has_heads and sizes.width % sizes.num_heads:
        raise UserError(f"num_heads={sizes.num_heads} does not divide hidden_size={sizes.width}")


def _untrained_bert(tokenizer: PreTrainedTokenizerFast, sizes: EncoderSizes, folder: Path) -> Transformer:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=sizes.width,
        num_hidden_layers=sizes.num_layers,
        num_attention_heads=sizes.num_heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=sizes.num_positions or sizes.max_seq_length,
        pad_token_id=cast("int", tokenizer.pad_token_id),
    )
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Transformer(str(folder), max_seq_length=sizes.max_seq_length)
