"""SARCSE's encoder as a module: from token states to a sentence embedding by convolutions."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module, Transformer
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.options import Options, names_of, option, required, takes_only
from selfsent.shapes import Embeddings, TokenEmbeddings

CnnPooling = Literal["mean", "max"]
CnnInit = Literal["mean", "uniform"]
"""How the convolutions start: ``uniform`` is PyTorch's default. ``mean`` starts where the embedding is the mean of the
token states (with ``pooling=mean``, and as far as the channels suffice), so that what the base knows is not lost in
random weights before training begins."""

_INTEGRATION_KERNEL = 3


@dataclass(frozen=True, kw_only=True)
class ChannelOptions(Options):
    """How many values a convolution over tokens gives.

    Args:
        channels: Values a token and kernel (chosen); even where the start is ``mean``.
    """

    channels: int = option(256, at_least=1)


@dataclass(frozen=True, kw_only=True)
class CnnSizes(ChannelOptions):
    """Sizes of convolutions over tokens, and of those that mirror them.

    Args:
        embedding_dimension: D, of the token states and of the embedding.
        kernel_sizes: Widths of the windows in tokens (paper: 3, 4, 5).
    """

    embedding_dimension: int = required(at_least=1)
    kernel_sizes: Sequence[int] = (3, 4, 5)

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have."""
        widths = self.kernel_sizes
        if widths and min(widths) >= 1 and len(set(widths)) == len(widths):
            return super().problems()
        return [*super().problems(), f"kernel_sizes={list(widths)} must be different whole numbers of 1 or more"]


@dataclass(frozen=True, kw_only=True)
class TextCNNOptions(CnnSizes):
    """Options of `TextCNN`: the keys of its ``config.json``.

    Args:
        pooling: Over the tokens of the text, ``mean`` or ``max`` (chosen).
        init: How the weights start, ``mean`` or ``uniform`` (chosen).
        special_token_ids: Ids to leave out; ``None`` takes those that the model's tokenizer adds to a text.
    """

    pooling: CnnPooling = "mean"
    init: CnnInit = "mean"
    special_token_ids: Sequence[int] | None = None

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have, alone or together."""
        if self.init != "mean" or self.channels % 2 == 0:
            return super().problems()
        return [*super().problems(), f"channels={self.channels} must be even where init=mean"]


class TextCNN(Module):
    """Read token states through windows of several widths, merge them, and pool them into one embedding.

    Every kernel gives ``channels`` values a token, ``H_k = relu(conv_k(X))``; a further convolution over all of them
    side by side gives D values a token, and their pooling is the sentence's. Only tokens of the text take part: padding
    and the tokens that the tokenizer adds itself count as the zeros beyond a text's ends. So a text's embedding does
    not depend on its batch, a text may be of any length, and one without tokens has the zero vector.

    Put it behind a ``Transformer``, in the place of a pooling. ``special_token_ids`` is then filled in from
    the model's tokenizer, and the transformer is told to keep its padding.

    Source: SARCSE (Liu et al. 2024, arXiv 2402.15153): kernels 3, 4 and 5 of the width of the states, special tokens
    left out, a further convolution that merges.
    Differs: the text of the paper that was available does not give channels, activation, pooling and start; chosen, see
    docs/decisions.md. A kernel of even width sees one token more to the left than to the right.

    Args:
        options: Options by keyword; see `TextCNNOptions`.

    Raises:
        UserError: A setting is outside its range.

    Example:
        >>> from sentence_transformers import SentenceTransformer
        >>> from sentence_transformers.base.modules import Transformer
        >>> base = Transformer("roberta-base")  # doctest: +SKIP
        >>> cnn = TextCNN(embedding_dimension=base.get_embedding_dimension())  # doctest: +SKIP
        >>> model = SentenceTransformer(modules=[base, cnn])  # doctest: +SKIP
    """

    config_keys: list[str] = names_of(TextCNNOptions)

    @takes_only(TextCNNOptions)
    def __init__(self, options: TextCNNOptions) -> None:
        super().__init__()
        self.options = options
        width, channels = options.embedding_dimension, options.channels
        self.scales = nn.ModuleList(
            nn.Conv1d(width, channels, kernel_size, padding=kernel_size // 2) for kernel_size in options.kernel_sizes
        )
        self.integration = nn.Conv1d(
            channels * len(options.kernel_sizes), width, _INTEGRATION_KERNEL, padding=_INTEGRATION_KERNEL // 2
        )
        self.reset_parameters()

    def get_config_dict(self) -> dict[str, Any]:
        """Give the options, as ``config.json`` holds them."""
        return asdict(self.options)

    def reset_parameters(self) -> None:
        """Draw the weights again, as ``init`` says."""
        for convolution in self._convolutions():
            convolution.reset_parameters()
        if self.options.init == "mean":
            self._start_at_the_mean()

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.options.embedding_dimension

    def on_model_ready(self, model: SentenceTransformer) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] narrowed
        """Learn from the whole model which tokens to leave out; have its transformer keep padding; check its width.

        Raises:
            UserError: The token states of the model are of another width.
        """
        if self.options.special_token_ids is None:
            self.options = replace(self.options, special_token_ids=added_token_ids(model.tokenizer))
        first = model[0]
        if isinstance(first, Transformer):
            first.unpad_inputs = False
            if model[1] is self:
                self._check_width(int(first.get_embedding_dimension() or self.options.embedding_dimension))

    def forward(self, features: MutableMapping[str, Any], **_: Any) -> MutableMapping[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride] the host passes a BatchEncoding
        """Add ``sentence_embedding`` (B, D), from ``token_embeddings``, ``input_ids`` and ``attention_mask``."""
        if self.options.special_token_ids is None:
            raise UserError(
                "this TextCNN does not know which tokens to leave out; build the model with it,"
                " SentenceTransformer(modules=[transformer, TextCNN(...)]), or give special_token_ids"
            )
        states = features["token_embeddings"]
        self._check_width(states.shape[-1])
        features["sentence_embedding"] = self.embed(states, text_token_mask(features, self.options.special_token_ids))
        return features

    def embed(self, states: TokenEmbeddings, token_mask: Bool[Tensor, "B T"]) -> Embeddings:
        """Embed token states.

        Args:
            states: X; values at places that are left out are ignored.
            token_mask: True = a token of the text.

        Returns:
            h, one row a sentence; zero where a sentence has no token.
        """
        is_left_out = ~token_mask[:, None, :]
        tokens = states.transpose(1, 2).masked_fill(is_left_out, 0.0)
        scales = [functional.relu(_same_length(convolution, tokens)) for convolution in self.scales]
        merged = _same_length(self.integration, torch.cat(scales, dim=1).masked_fill(is_left_out, 0.0))
        if self.options.pooling == "max":
            highest = merged.masked_fill(is_left_out, torch.finfo(merged.dtype).min).amax(dim=2)
            return highest.masked_fill(is_left_out.all(dim=2), 0.0)
        return merged.masked_fill(is_left_out, 0.0).sum(dim=2) / token_mask.sum(dim=1, keepdim=True).clamp(min=1)

    def _convolutions(self) -> list[nn.Conv1d]:
        return [module for module in self.modules() if isinstance(module, nn.Conv1d)]

    @torch.no_grad()
    def _start_at_the_mean(self) -> None:
        """Make every kernel pass projections of its middle token, which the integration puts together again.

        Projections of one kernel come in pairs of opposite sign, for ``relu(z) - relu(-z) = z``. All projections
        together have orthonormal columns where they are as many as the states are wide, and orthonormal rows where
        they are fewer; then the embedding is the mean's projection onto them.
        """
        channels, half = self.options.channels, self.options.channels // 2
        rows = nn.init.orthogonal_(torch.empty(half * len(self.scales), self.options.embedding_dimension))
        for convolution in self._convolutions():
            nn.init.zeros_(convolution.weight)
            nn.init.zeros_(_bias(convolution))
        for number, (convolution, part) in enumerate(zip(self._convolutions(), rows.split(half), strict=False)):
            signed = torch.cat([part, -part])
            convolution.weight[:, :, convolution.kernel_size[0] // 2] = signed
            inputs = slice(number * channels, (number + 1) * channels)
            self.integration.weight[:, inputs, _INTEGRATION_KERNEL // 2] = signed.T

    def _check_width(self, width: int) -> None:
        if width != self.options.embedding_dimension:
            raise UserError(
                f"this TextCNN reads token states of width {self.options.embedding_dimension} and the model before it"
                f" gives {width}; build it with embedding_dimension={width}"
            )

    def save(self, output_path: str, *_: Any, safe_serialization: bool = True, **__: Any) -> None:
        """Write configuration and weights (safetensors) into a folder."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    @classmethod
    def load(cls, model_name_or_path: str, **kwargs: Any) -> "TextCNN":  # pyright: ignore[reportIncompatibleMethodOverride] passes all on
        """Open what ``save`` wrote; the host's hook.

        Args:
            model_name_or_path: Folder or hub name of the model.
            kwargs: The host's ``subfolder``, ``token``, ``cache_folder``, ``revision`` and ``local_files_only``; others
                are not read.
        """
        names = ("subfolder", "token", "cache_folder", "revision", "local_files_only")
        place = {name: kwargs[name] for name in names if name in kwargs}
        module = cls(**cls.load_config(model_name_or_path, **place))
        cls.load_torch_weights(model_name_or_path, model=module, **place)
        return module


# Saved models name this path (docs/decisions.md), wherever the file moves.
TextCNN.__module__ = "selfsent.modules"


def added_token_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids of the tokens that a tokenizer adds to every text, such as ``[CLS]`` and ``[SEP]``."""
    encoded: Any = tokenizer("")
    return sorted({int(token) for token in encoded["input_ids"]})


def text_token_mask(features: Mapping[str, Any], special_token_ids: Sequence[int]) -> Bool[Tensor, "B T"]:
    """Say where the tokens of the text itself are, True = a token of the text: neither padding nor special.

    Args:
        features: With ``input_ids`` and ``attention_mask``, both (B, T).
        special_token_ids: Ids to leave out.
    """
    token_ids: Tensor = features["input_ids"]
    is_special = torch.isin(token_ids, token_ids.new_tensor(list(special_token_ids)))
    return features["attention_mask"].bool() & ~is_special


def _same_length(convolution: nn.Module, states: Tensor) -> Tensor:
    """Convolve without changing the length; a kernel of even width gives one position too many, the last."""
    return convolution(states)[..., : states.shape[-1]]


def _bias(convolution: nn.Conv1d) -> Tensor:
    assert convolution.bias is not None, "made with a bias"  # noqa: S101 our own invariant
    return convolution.bias
