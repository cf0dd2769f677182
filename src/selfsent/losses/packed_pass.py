"""One pass of a transformer over the tokens of all rows, without padding.

Products, normalization, activations and dropout of a transformer treat each token alone. So the tokens of a batch are
given to it as one long row; only attention knows which of them belong together (`selfsent.kernels.packed_attention`).
"""

import contextlib
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, WeightedLayerPooling
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from selfsent.kernels.packed_attention import RowGroups, packed_attention, row_groups

POSITIONS_AFTER_PADDING = {
    "bert": False,
    "camembert": True,
    "distilbert": False,
    "electra": False,
    "roberta": True,
    "xlm-roberta": True,
}
"""Kinds of transformers that can be given packed rows, and whether they count positions from the padding id on."""

MOST_TOKENS = 128
"""Tokens of the longest row. Attention keeps all its products, so longer rows would need much memory."""

_AFTER_THE_TRANSFORMER = (Dense, Normalize, Pooling, WeightedLayerPooling)
_KNOWN_FEATURES = {"input_ids", "attention_mask", "token_type_ids"}
_ATTENTION = "selfsent_packed_rows"
_MOST_DROPOUT = 0.99


class _PackedRows:
    """Which tokens are packed, and how rows are grouped in attention; all layers share it."""

    def __init__(self, mask: Bool[Tensor, "B T"]) -> None:
        self.shape = mask.shape
        self.tokens = mask.flatten().nonzero()[:, 0]
        self.groups: Callable[[int], RowGroups] = cache(partial(row_groups, mask.sum(dim=1)))

    def pack(self, values: Tensor) -> Tensor:
        """Take the tokens out of rows with padding, as one row."""
        return values.flatten(0, 1)[self.tokens][None]

    def unpack(self, packed: Float[Tensor, "1 L D"]) -> Float[Tensor, "B T D"]:
        """Put the tokens back into rows; padding is zero."""
        num_rows, width = self.shape
        rows = packed.new_zeros(num_rows * width, packed.shape[-1]).index_copy(0, self.tokens, packed[0])
        return rows.view(num_rows, width, -1)


_packed_rows: ContextVar[_PackedRows] = ContextVar("packed rows")


def _attention(  # noqa: PLR0917 as the transformers call it
    module: nn.Module,
    query: Float[Tensor, "1 _ L _"],
    key: Float[Tensor, "1 _ L _"],
    value: Float[Tensor, "1 _ L _"],
    attention_mask: None,  # noqa: ARG001 the transformer makes none for an attention it does not know
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "1 L _ _"], None]:
    """Attend within rows: what the transformer calls for each layer."""
    del module, others
    _, num_heads, num_tokens, width = query.shape
    queries, keys, values = (
        rows.transpose(1, 2).reshape(num_tokens * num_heads, width) for rows in (query, key, value)
    )
    scale = width**-0.5 if scaling is None else scaling
    groups = _packed_rows.get().groups(num_heads)
    found = packed_attention(queries, keys, values, groups, scale=scale, dropout=dropout)
    return found.view(1, num_tokens, num_heads, width), None


AttentionInterface.register(_ATTENTION, _attention)


def packing_transformer(model: nn.Module, features: Mapping[str, Any]) -> Transformer | None:
    """Find the transformer of a model if a batch can be given to it without padding.

    The kinds of `POSITIONS_AFTER_PADDING` can, on a CPU in float32, with modules of the host behind them that take no
    notice of padding.

    Args:
        model: A SentenceTransformer, or what wraps it.
        features: Rows of tokens.

    Returns:
        The host's module, or ``None`` where rows need their padding.
    """
    found = [module for module in model.modules() if isinstance(module, SentenceTransformer)]
    if len(found) != 1:
        return None
    first, *others = found[0].children()
    if not isinstance(first, Transformer) or any(type(module) not in _AFTER_THE_TRANSFORMER for module in others):
        return None
    if getattr(first, "unpad_inputs", None) is False:  # somebody asked for padding
        return None
    is_packed = _has_packable_rows(first, features) and _treats_tokens_alone(first) and _runs_as_it_is(model, first)
    return first if is_packed else None


def _has_packable_rows(transformer: Transformer, features: Mapping[str, Any]) -> bool:
    given = {name for name, value in features.items() if isinstance(value, Tensor)} - {"prompt_length"}
    is_text = features.get("modality", "text") == "text"
    if (
        not is_text
        or not {"input_ids", "attention_mask"} <= given <= _KNOWN_FEATURES
        or getattr(transformer, "query_expansion", None)
    ):
        return False
    mask = features["attention_mask"]
    return mask.shape[1] <= MOST_TOKENS and mask.device.type == "cpu" and bool(mask.any(dim=1).all())


def _treats_tokens_alone(transformer: Transformer) -> bool:
    """Whether nothing but attention sees more than one token, and attention has no positions of its own."""
    bare, config = transformer.model, transformer.config
    kind = getattr(config, "model_type", None)
    return (
        kind in POSITIONS_AFTER_PADDING
        and type(bare).__name__.endswith("Model")
        and type(bare).__module__ == f"transformers.models.{kind.replace('-', '_')}.modeling_{kind.replace('-', '_')}"
        and transformer.modality_config["text"] == {"method": "forward", "method_output_name": "last_hidden_state"}
        and config._attn_implementation == "sdpa"  # noqa: SLF001 nothing public tells it
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "chunk_size_feed_forward", 0)
        and all(module.config is config for module in bare.modules() if hasattr(module, "config"))
    )


def _runs_as_it_is(model: nn.Module, transformer: Transformer) -> bool:
    """Whether the transformer runs in float32, uncompiled, and not a second time for its gradients."""
    bare = transformer.model
    return (
        bare.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not any(_is_compiled(module) for module in model.modules())
        and not any(getattr(module, "gradient_checkpointing", False) for module in bare.modules())
        and not any(module.p > _MOST_DROPOUT for module in bare.modules() if isinstance(module, nn.Dropout))
    )


def _is_compiled(module: nn.Module) -> bool:
    is_compiled = module._compiled_call_impl is not None  # noqa: SLF001 torch has no other sign of it
    return is_compiled or hasattr(module, "_orig_mod")


@contextlib.contextmanager
def packed(transformer: Transformer) -> Generator[None]:
    """Give a transformer its rows without padding within the block; what it returns has padding again, of zeros.

    Nothing of this is saved with it.

    Args:
        transformer: What `packing_transformer` found.
    """
    bare: Any = transformer.model
    bare.forward = partial(_forward, bare, bare.forward)
    bare.config._attn_implementation = _ATTENTION  # noqa: SLF001 the public setter asks the hub
    try:
        yield
    finally:
        bare.config._attn_implementation = "sdpa"  # noqa: SLF001
        del bare.forward


def _forward(
    bare: PreTrainedModel,
    forward: Callable[..., Any],
    *,
    input_ids: Int[Tensor, "B T"],
    attention_mask: Tensor,
    token_type_ids: Int[Tensor, "B T"] | None = None,
    **options: Any,
) -> BaseModelOutput:
    rows = _PackedRows(attention_mask.bool())
    if token_type_ids is not None:
        options["token_type_ids"] = rows.pack(token_type_ids)
    token = _packed_rows.set(rows)
    try:
        output = forward(input_ids=rows.pack(input_ids), position_ids=rows.pack(_positions(bare, input_ids)), **options)
    finally:
        _packed_rows.reset(token)
    hidden = output.get("hidden_states")
    return BaseModelOutput(
        last_hidden_state=rows.unpack(output.last_hidden_state),  # pyright: ignore[reportArgumentType] a tensor
        hidden_states=None if hidden is None else tuple(map(rows.unpack, hidden)),  # pyright: ignore[reportArgumentType] tensors
    )


def _positions(bare: PreTrainedModel, input_ids: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """The positions that the transformer gives to rows with padding."""
    if not POSITIONS_AFTER_PADDING[bare.config.model_type]:
        return torch.arange(input_ids.shape[1]).expand_as(input_ids)
    padding = bare.config.pad_token_id
    is_text = input_ids.ne(padding)
    return is_text.cumsum(dim=1) * is_text + padding
