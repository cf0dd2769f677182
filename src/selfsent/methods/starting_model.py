"""What ``--base`` names: a transformer of a folder or the hub, cut to its lower layers, or a model from scratch."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Pooling,
    StaticEmbedding,
    Transformer,
    WeightedLayerPooling,
)
from torch import nn
from transformers import PreTrainedModel

from selfsent.data.tokenizer import train_tokenizer
from selfsent.errors import UserError
from selfsent.loading import load, no_waiting_for_the_hub, refuse_missing, require_safetensors, require_tokenizer
from selfsent.modules import TreeEncoder
from selfsent.options import Options, option, shortened, whole_numbers
from selfsent.training.random_state import preserved_random_state

logger = logging.getLogger(__name__)

_END_OF_SENTENCE = re.compile(r"[.;](?:\s|$)")

LOWEST = "lowest"
SPREAD = "spread"

PoolingName = Literal["cls", "mean", "max", "mean-first-last", "mean-top2"]
"""``mean-first-last`` averages the outputs of the first and the last layer, ``mean-top2`` those of the last two."""


@dataclass(frozen=True, kw_only=True)
class PoolingOptions(Options):
    """How a transformer gives one vector of a text.

    Args:
        pooling: How token states become an embedding.
    """

    pooling: PoolingName = "mean"


@dataclass(frozen=True, kw_only=True)
class BaseOptions(Options):
    """How much of a transformer is trained, and on how much of a text.

    Args:
        max_seq_length: Tokens a training text is cut to; the model reads as many as its base.
        num_layers: Keep so many of the base's layers; ``none`` keeps all.
        kept_layers: Which they are: ``lowest``; ``spread``, the first, the last and those evenly between; or their
            numbers from 0, such as ``0,3,5``. A student of its own teacher starts best with the last among them (ours;
            docs/methods/sct-distill.md has figures).
    """

    max_seq_length: int = option(128, at_least=2)
    num_layers: int | None = option(None, at_least=1)
    kept_layers: str = LOWEST


@dataclass(frozen=True, kw_only=True)
class DropoutOptions(BaseOptions):
    """As `BaseOptions`, with the dropout of training.

    Args:
        dropout: Share of values dropped in training; ``none`` leaves the base's (0.1).
    """

    dropout: float | None = option(None, at_least=0, below=1)


@dataclass(frozen=True, kw_only=True)
class TeacherOptions(Options):
    """What is learned from.

    Args:
        teacher: The model to learn from; ``--teacher`` overrides it.
        teacher_cache: Folder for the teacher's vectors; ``none`` takes one of the user's cache, named by content.
    """

    teacher: str
    teacher_cache: str | None = None


_STATIC_WIDTH = 256
_CANNOT_OPEN = (
    *(OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError),
    *(SafetensorError, StrictDataclassError),
)


def open_transformer(
    base: str,
    *,
    pooling: PoolingName,
    max_seq_length: int,
    num_layers: int | None = None,
    kept_layers: str = LOWEST,
    dropout: float | None = None,
    device: str | None = None,
) -> SentenceTransformer:
    """Open a transformer as a SentenceTransformer of the host's own modules: transformer and pooling.

    Only the transformer of a sentence-transformers folder is taken; a normalisation behind it changes no cosine and is
    left out too. The model reads texts as long as the base does: ``max_seq_length`` is a limit of training, which
    `selfsent.training.run.RunPlan` applies.

    Args:
        base: Folder or hub name.
        pooling: How token states become an embedding.
        max_seq_length: Tokens a training text will be cut to, special ones included; only checked here.
        num_layers: Keep so many layers; ``None`` keeps all.
        kept_layers: Which they are: ``lowest``, ``spread`` or their numbers from 0 with commas between them.
        dropout: Share of values dropped in training, in all places; ``None`` leaves the base's.
        device: Where to put it; default: the best there is.

    Raises:
        UserError: There is no such model, it is not a transformer for texts, or a number is out of range.
    """
    transformer = _transformer(base, max_seq_length)
    body = transformer.model
    if num_layers is not None or kept_layers != LOWEST:
        keep_layers(body, base, num_layers, kept_layers)
    if dropout is not None:
        set_dropout(body, dropout)
    return SentenceTransformer(modules=[transformer, *pooling_modules(transformer, pooling)], device=device)


class UnopenedBaseError(UserError):
    """A base cannot be opened.

    Args:
        base: Its folder or hub name.
        reason: Why.
    """

    def __init__(self, base: str, reason: str) -> None:
        super().__init__(
            f"cannot open the base model {base}: {reason}; name a folder or a hub name of a transformer with --base"
        )
        self.base, self.reason = base, reason


def open_teacher(named: str | None, default: str, *, device: str | None = None) -> SentenceTransformer:
    """Open the model to learn from, without moving the random numbers of training.

    Args:
        named: What a person names with ``--teacher``; ``None`` takes the default.
        default: The method's own.
        device: Where to put it; default: the best there is.

    Raises:
        UserError: It cannot be opened.
    """
    try:
        with preserved_random_state():
            return load(named or default, device=device)
    except UserError as error:
        if named is not None:
            raise
        raise UserError(needed("--teacher", "to learn from", default, str(error))) from error


def needed(option: str, purpose: str, default: str, reason: str) -> str:
    """Say that an option is needed here, since the model that a method takes without it cannot be opened."""
    first = _END_OF_SENTENCE.split(reason.removeprefix(f"cannot open a model at {default}: "), maxsplit=1)[0]
    return (
        f"{option} must name a model {purpose}, got none; {default}, the method's own, cannot be opened here ({first});"
        " give the folder of one"
    )


def _transformer(base: str, max_seq_length: int) -> Transformer:
    if not base.strip():
        raise UserError("--base is empty; name a folder or a hub name of a transformer, or leave --base out")
    folder = Path(base).expanduser()
    refuse_missing(str(folder) if base.startswith("~") else base)
    if folder.is_dir() and not (folder / "config.json").is_file():
        kind = "a model without a transformer" if (folder / "modules.json").is_file() else "no model"
        raise UserError(f"--base {base} holds {kind} (no config.json); name the folder of a transformer")
    place = str(folder) if folder.is_dir() else base
    try:
        with no_waiting_for_the_hub(place):
            require_safetensors(place)
            transformer = Transformer(
                place,
                max_seq_length=Transformer.load_config(place).get("max_seq_length"),
                model_kwargs={"torch_dtype": torch.float32, "use_safetensors": True},
            )
    except UserError:
        raise
    except _CANNOT_OPEN as error:
        reason = " ".join(str(error).split())[:240]
        if isinstance(error, OSError) and not folder.exists():
            told = _END_OF_SENTENCE.split(reason, maxsplit=1)[0]
            reason = f"there is no folder of that name, and from the hub: {told}"
        raise UnopenedBaseError(base, reason) from error
    tokenizer, longest = transformer.tokenizer, num_positions(transformer.model)
    if tokenizer is None or not hasattr(transformer.config, "hidden_size"):
        raise UserError(f"--base must be a transformer for texts, such as bert-base-uncased, got {base}")
    require_tokenizer(tokenizer, f"--base {base}")
    if not 1 < max_seq_length <= (longest or max_seq_length):
        raise UserError(
            f"max_seq_length={max_seq_length} does not fit {base}, which has {longest} positions; set"
            f" max_seq_length={longest} or less, or name a longer base"
        )
    _set_limit_of_use(transformer, base, longest, max_seq_length)
    return transformer


def _set_limit_of_use(transformer: Transformer, base: str, longest: int | None, max_seq_length: int) -> None:
    """Let the model read as many tokens as its base does, within its positions; or what it is trained on, if more."""
    own = transformer.max_seq_length or max_seq_length
    own = own if longest is None else min(own, longest)
    if max_seq_length > own:
        logger.warning(
            "max_seq_length=%d is more than the %d tokens that %s says it reads; the model will read %d tokens",
            *(max_seq_length, own, base, max_seq_length),
        )
    transformer.max_seq_length = max(own, max_seq_length)


def training_limit(model: SentenceTransformer, max_seq_length: int) -> int | None:
    """Tokens that a training text is cut to: what a method says, for a transformer; no limit for any other model."""
    own = model.max_seq_length
    return min(max_seq_length, int(own)) if isinstance(model[0], Transformer) and own is not None else None


def num_positions(body: PreTrainedModel) -> int | None:
    """How many tokens a transformer has positions for; ``None`` for one without a table of positions.

    RoBERTa and its like count positions from behind the padding id, so that the first rows of their table stay unused.
    """
    longest = getattr(body.config, "max_position_embeddings", None)
    tables = [module for name, module in body.named_modules() if name.endswith("position_embeddings")]
    padding_id = next((table.padding_idx for table in tables if isinstance(table, nn.Embedding)), None)
    return longest if longest is None or padding_id is None else int(longest) - padding_id - 1


def layers_of(body: nn.Module, num_layers: int) -> nn.ModuleList | None:
    """Find the stack of a transformer's layers, the only list of that length."""
    stacks = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) == num_layers]
    return stacks[0] if stacks else None


def keep_layers(body: PreTrainedModel, name: str, num_layers: int | None, kept_layers: str = LOWEST) -> None:
    """Drop the other layers of a transformer, in place.

    Args:
        body: The transformer.
        name: What a message calls it.
        num_layers: How many stay; ``None`` where ``kept_layers`` numbers them.
        kept_layers: ``lowest``; ``spread``, the first, the last and those evenly between (of 6 layers 3: 0, 3 and 5; a
            single one is the last); or numbers from 0 with commas between them.

    Raises:
        UserError: The model has fewer layers, they cannot be found, the two do not fit each other, or a layer has other
            weights than the one whose place it would take (the first of T5 holds the positions of all).
    """
    found = int(getattr(body.config, "num_hidden_layers", 0))
    layers = layers_of(body, found)
    if layers is None or not 1 <= (found if num_layers is None else num_layers) <= found:
        asked = f"kept_layers={kept_layers}" if num_layers is None else f"num_layers={num_layers}"
        raise UserError(f"{asked} is not possible for {name}, which has {found}")
    chosen = _chosen_layers(found, num_layers, kept_layers)
    for place, number in enumerate(chosen):
        if layers[place].state_dict().keys() != layers[number].state_dict().keys():
            raise UserError(
                f"layer {number} of {name} cannot take the place of layer {place}, which has other weights; keep layer"
                f" {place}"
            )
    if layer_types := getattr(body.config, "layer_types", None):
        body.config.layer_types = [layer_types[number] for number in chosen]
    for place in reversed(range(found)):
        if place not in chosen:
            del layers[place]
    body.config.num_hidden_layers = len(chosen)


def _chosen_layers(found: int, num_layers: int | None, kept_layers: str) -> list[int]:
    """The numbers of the layers that stay, in order."""
    if kept_layers in (LOWEST, SPREAD):
        if num_layers is None:
            raise UserError(f"kept_layers={kept_layers} needs num_layers, got none; set num_layers to how many stay")
        if kept_layers == LOWEST:
            return list(range(num_layers))
        gaps = num_layers - 1
        return [(2 * i * (found - 1) + gaps) // (2 * gaps) for i in range(num_layers)] if gaps else [found - 1]
    chosen = whole_numbers(kept_layers)
    if chosen is None or max(chosen) >= found or chosen != sorted(set(chosen)):
        raise UserError(
            f"kept_layers must be lowest, spread or rising numbers from 0 to {found - 1} with commas between them, got"
            f" {shortened(kept_layers)}"
        )
    if num_layers not in (None, len(chosen)):
        raise UserError(f"kept_layers={kept_layers} names {len(chosen)} layers, num_layers={num_layers}; leave one out")
    return chosen


def set_dropout(body: nn.Module, dropout: float) -> None:
    """Set every dropout of a transformer; the saved configuration keeps the base's.

    Raises:
        UserError: It is not in [0, 1).
    """
    if not 0 <= dropout < 1:
        raise UserError(f"dropout={dropout} must be in [0, 1)")
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
        if isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", dropout)  # noqa: B010 some architectures keep it beside the modules


def pooling_modules(transformer: Transformer, pooling: PoolingName) -> list[nn.Module]:
    """The host's modules that turn token states into an embedding."""
    width = int(transformer.config.hidden_size)
    if pooling in ("cls", "mean", "max"):
        return [Pooling(width, pooling_mode=pooling)]
    num_layers = int(transformer.config.num_hidden_layers)
    chosen = [1, num_layers] if pooling == "mean-first-last" else [num_layers - 1, num_layers]
    weights = torch.zeros(num_layers + 1)
    weights[torch.tensor(chosen)] = 1.0
    transformer.config.output_hidden_states = True
    layers = WeightedLayerPooling(
        width, num_hidden_layers=num_layers, layer_start=0, layer_weights=nn.Parameter(weights, requires_grad=False)
    )
    return [layers, Pooling(width, pooling_mode="mean")]


def from_scratch(
    kind: str, texts: Iterable[str], options: DropoutOptions | None = None, *, device: str | None = None
) -> SentenceTransformer:
    """Make an untrained model with a tokenizer of its own: ``tree`` or ``static``.

    Args:
        kind: A tree encoder of 10 channels of 10, or the host's static embedding of 256 values.
        texts: What the tokenizer is trained on.
        options: Those of a transformer, of which none that it has no use for may be set.
        device: Where to put it; default: the best there is.

    Raises:
        UserError: Layers or a dropout are set, which such a model has not.
    """
    chosen = options or DropoutOptions()
    set_ones = [
        f"{one.name}={getattr(chosen, one.name)}"
        for one in fields(DropoutOptions)
        if one.name != "max_seq_length" and getattr(chosen, one.name) != one.default
    ]
    if set_ones:
        raise UserError(
            f"{' and '.join(set_ones)} must not be set for --base {kind}, which has neither layers nor dropout; leave"
            f" {'them' if len(set_ones) > 1 else 'it'} out, or name a transformer with --base"
        )
    tokenizer = train_tokenizer(texts)
    if kind == "static":
        module: Any = StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=_STATIC_WIDTH)
    else:
        module = TreeEncoder(tokenizer=tokenizer, channels=10, channel_size=10, composition_init="sum")
    return SentenceTransformer(modules=[module], device=device)


def tokenizer_of(model: SentenceTransformer) -> Any:
    """The tokenizer of a model's first module, whichever kind it is."""
    return getattr(model[0], "tokenizer", None)
