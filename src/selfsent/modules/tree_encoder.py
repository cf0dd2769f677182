"""The encoder of a tree autoencoder, as an input module of the host: strings in, one embedding a node out."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from sentence_transformers.base.modules import InputModule
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.data.tokenizer import load_tokenizer
from selfsent.errors import UserError
from selfsent.kernels.affine_passes import affine_upward, is_compiled_for
from selfsent.kernels.induction import induce
from selfsent.kernels.passes import upward
from selfsent.modules.composition import AffineComposition, CellInit
from selfsent.trees.arrays import IntArray, Tree, TreeBatch
from selfsent.trees.builders import FIXED_BUILDERS, random_tree

Structure = Literal["induced", "balanced", "right", "left", "random"]
STRUCTURES: tuple[Structure, ...] = get_args(Structure)


@dataclass(frozen=True)
class TreeStates:
    """The trees of a batch and the upward embedding of every node, ``(N, D)``; item ``i`` is sentence ``i`` alone."""

    trees: TreeBatch
    up: Float[Tensor, "N D"]

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, index: int) -> tuple[Tree, Tensor]:
        index = range(len(self))[index]
        return self.trees[index], self.up[self.trees.offsets[index] : self.trees.offsets[index + 1]]


class TreeEncoder(InputModule):
    """Embed the tokens of a sentence, find a binary tree over them, and compose it up to the root.

    The root's embedding is the sentence's. A sentence is treated alone: its order in the batch, its batch mates and the
    padding never change its embedding. A text without tokens has the zero vector.

    Source: Opper et al., EMNLP 2023 (StrAE and Self-StrAE), Sections 3 and 4; initialisation range and dropout rates
    from the authors' released code.
    Differs: padding is masked (the release keeps a row of -inf in the table).

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        channels: K, channels of an embedding (paper: 10, with U = 10).
        channel_size: U, values a channel; the embedding has ``K * U`` values and composition ``2U^2 + U`` weights.
        structure: ``induced`` merges the most similar adjacent pair; the others build a fixed or a random tree.
        leaf_dropout: Share of values dropped from leaf embeddings in training, in [0, 1).
        composition_dropout: Share of values dropped from each composed embedding in training, in [0, 1).
        init_range: r; the table starts uniform in [-r, r].
        composition_init: How the composition starts: ``uniform`` (released code), or near the ``sum`` of the children.
        max_seq_length: Tokens kept of a text; ``None`` keeps all.

    Raises:
        UserError: A setting is outside its range.
    """

    config_keys: list[str] = [  # noqa: RUF012 the host's own declaration
        "channels",
        "channel_size",
        "structure",
        "leaf_dropout",
        "composition_dropout",
        "init_range",
        "composition_init",
        "max_seq_length",
    ]

    def __init__(
        self,
        *,
        tokenizer: PreTrainedTokenizerBase,
        channels: int = 10,
        channel_size: int = 10,
        structure: Structure = "induced",
        leaf_dropout: float = 0.2,
        composition_dropout: float = 0.1,
        init_range: float = 0.1,
        composition_init: CellInit = "uniform",
        max_seq_length: int | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer: PreTrainedTokenizerBase = tokenizer  # pyright: ignore[reportIncompatibleVariableOverride] narrowed
        self.channels = channels
        self.channel_size = channel_size
        self.structure: Structure = structure
        self.leaf_dropout = leaf_dropout
        self.composition_dropout = composition_dropout
        self.init_range = init_range
        self.composition_init: CellInit = composition_init
        self.max_seq_length = max_seq_length
        self._check_settings()
        self.embedding = nn.Embedding(len(tokenizer), channels * channel_size)
        self.composition = AffineComposition(channel_size, init=composition_init)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew: the table uniform in [-r, r], the composition as ``composition_init`` says."""
        nn.init.uniform_(self.embedding.weight, -self.init_range, self.init_range)
        self.composition.reset_parameters()

    def get_embedding_dimension(self) -> int:
        """Values of an embedding: channels times channel size."""
        return self.channels * self.channel_size

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into ``input_ids`` and ``attention_mask``, both ``(B, T)`` and padded to the longest."""
        texts = [prompt + text for text in inputs] if prompt else list(inputs)
        if not texts:
            empty = torch.zeros(0, 1, dtype=torch.int64)
            return {"input_ids": empty, "attention_mask": empty}
        encoded = self._token_ids(texts)
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        mask = np.arange(max(int(lengths.max()), 1)) < lengths[:, None]
        token_ids = np.full(mask.shape, self._pad_id())
        token_ids[mask] = np.fromiter(chain.from_iterable(encoded), np.int64, count=int(lengths.sum()))
        return {"input_ids": torch.from_numpy(token_ids), "attention_mask": torch.from_numpy(mask.astype(np.int64))}

    def _token_ids(self, texts: list[str]) -> list[list[int]]:
        """Tokenize; directly by the compiled tokenizer where nothing is to be cut, which costs a quarter less."""
        backend: Any = self.tokenizer.backend_tokenizer if self.tokenizer.is_fast else None
        if self.max_seq_length is None and backend is not None:
            if backend.truncation is not None or backend.padding is not None:
                backend.no_truncation()
                backend.no_padding()
            return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]
        encoded: Any = self.tokenizer(
            texts,
            add_special_tokens=False,
            truncation=self.max_seq_length is not None,
            max_length=self.max_seq_length,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        return encoded["input_ids"]

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add ``token_embeddings`` (B, T, D), ``sentence_embedding`` (B, D) and ``trees`` (`TreeStates`)."""
        mask = features["attention_mask"].bool()
        places = mask.flatten().nonzero().squeeze(1)
        leaves = self.embedding(features["input_ids"].flatten()[places])
        leaves = functional.dropout(leaves, self.leaf_dropout, self.training)
        num_tokens = mask.sum(dim=1).cpu().numpy()
        seeds = _content_seeds(features["input_ids"], num_tokens) if self.structure == "random" else None
        states = self.compose(leaves, num_tokens, seeds)
        roots = states.trees.roots.to(leaves.device)
        is_empty = (roots < 0)[:, None]
        features["trees"] = states
        rows = leaves.new_zeros(mask.numel(), leaves.shape[1]).index_copy_(0, places, leaves)
        features["token_embeddings"] = rows.unflatten(0, mask.shape)
        if len(states.up):
            features["sentence_embedding"] = states.up[roots].masked_fill(is_empty, 0.0)
        else:
            features["sentence_embedding"] = leaves.new_zeros(len(roots), leaves.shape[1])
        return features

    def compose(
        self, leaves: Float[Tensor, "L D"], num_tokens: IntArray, seeds: Sequence[int] | None = None
    ) -> TreeStates:
        """Find the trees over given leaf embeddings and compose them.

        Args:
            leaves: Leaf embeddings, all sentences one after another.
            num_tokens: Leaves of each sentence, ``(B,)``.
            seeds: What draws each sentence's tree where the structure is ``random``; default: its number of tokens.

        Returns:
            Trees and upward embeddings; gradients reach the leaves and the composition where they are recorded.
        """
        noise = self._composition_noise(leaves, int(np.maximum(num_tokens - 1, 0).sum()))
        linear, up = self.composition.linear, None
        if self.structure == "induced":
            trees, up = induce(leaves, num_tokens, linear.weight, linear.bias, noise)
            if not torch.is_grad_enabled():
                return TreeStates(trees, up)
        else:
            lengths = [int(n) for n in num_tokens]
            trees = TreeBatch.from_trees(
                [self._fixed_tree(n, seed) for n, seed in zip(lengths, seeds or lengths, strict=True)]
            )
        if is_compiled_for(leaves):
            return TreeStates(trees, affine_upward(leaves, trees, linear, noise, up))
        return TreeStates(trees, upward(leaves, trees, self.composition, noise))

    def word_trees(self, sentences: Sequence[Sequence[str]]) -> list[tuple[IntArray, IntArray]]:
        """Find the trees over whole words: the pieces of a word are composed first, then the words.

        Args:
            sentences: Words of each sentence.

        Returns:
            For each sentence the left and right children of its merges, by local id (`selfsent.trees.arrays.Tree`).
        """
        was_training = self.training
        self.eval()
        with torch.no_grad():
            features = self.preprocess([word for words in sentences for word in words] or [""])
            device = self.embedding.weight.device
            words = self({name: value.to(device) for name, value in features.items()})["sentence_embedding"]
            num_words = np.array([len(words) for words in sentences], dtype=np.int64)
            states = self.compose(words[: int(num_words.sum())], num_words)
        self.train(was_training)
        return [(tree.left, tree.right) for tree in states.trees]

    def tree_statistics(self, texts: Sequence[str]) -> dict[str, float]:
        """Describe the trees of texts: mean depth, shares of one-sided merges, entropy over kinds of merges.

        A merge joins two leaves, a phrase and a leaf (left), a leaf and a phrase (right), or two phrases.

        Returns:
            ``depth`` (edges), ``left_share`` and ``right_share`` (of all merges but those of two leaves),
            ``branching_entropy`` (nats, over those three kinds).
        """
        was_training = self.training
        self.eval()
        with torch.no_grad():
            features = self.preprocess(list(texts))
            trees = self({name: value.to(self.embedding.weight.device) for name, value in features.items()})[
                "trees"
            ].trees
        self.train(was_training)
        return _shape_of(trees)

    def _check_settings(self) -> None:
        dropouts = {"leaf_dropout": self.leaf_dropout, "composition_dropout": self.composition_dropout}
        problems = [
            f"{name}={value} (needs 0 or more, less than 1)" for name, value in dropouts.items() if not 0 <= value < 1
        ]
        sizes = {"channels": self.channels, "channel_size": self.channel_size}
        problems += [f"{name}={value} (needs 1 or more)" for name, value in sizes.items() if value < 1]
        if self.composition_init not in get_args(CellInit):
            problems.append(f"composition_init={self.composition_init} (needs one of {', '.join(get_args(CellInit))})")
        if self.structure not in STRUCTURES:
            problems.append(f"structure={self.structure} (needs one of {', '.join(STRUCTURES)})")
        if not 0 < self.init_range < math.inf:
            problems.append(f"init_range={self.init_range} (needs more than 0)")
        if self.max_seq_length is not None and self.max_seq_length < 1:
            problems.append(f"max_seq_length={self.max_seq_length} (needs 1 or more, or none)")
        if problems:
            raise UserError(f"a tree encoder cannot be built with {'; '.join(problems)}")

    def _pad_id(self) -> int:
        pad_token_id: Any = self.tokenizer.pad_token_id
        return pad_token_id or 0

    def _fixed_tree(self, num_tokens: int, seed: int) -> Tree:
        if self.structure == "random":
            return random_tree(num_tokens, np.random.default_rng(seed))
        return FIXED_BUILDERS[self.structure](num_tokens)

    def _composition_noise(self, leaves: Tensor, num_merges: int) -> Tensor | None:
        if not self.training or not self.composition_dropout:
            return None
        return functional.dropout(leaves.new_ones(num_merges, leaves.shape[1]), self.composition_dropout)

    def save(self, output_path: str, *_: Any, safe_serialization: bool = True, **__: Any) -> None:
        """Write configuration, weights (safetensors) and tokenizer into a folder."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)
        self.save_tokenizer(output_path)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> "TreeEncoder":  # pyright: ignore[reportIncompatibleMethodOverride] the host's own modules narrow it alike
        """Read what ``save`` wrote, from a folder or the hub."""
        hub = {name: kwargs.get(name) for name in ("token", "cache_folder", "revision", "local_files_only")}
        place: dict[str, Any] = {"model_name_or_path": model_name_or_path, "subfolder": subfolder, **hub}
        config = cls.load_config(**place)
        tokenizer_path = cls.load_file_path(filename="tokenizer.json", **place)
        if tokenizer_path is None:
            raise UserError(f"no tokenizer.json beside the tree encoder in {model_name_or_path}; save the model again")
        module = cls(tokenizer=load_tokenizer(Path(tokenizer_path).parent), **config)
        cls.load_torch_weights(model=module, **place)
        return module


# Saved models name this path for ever (docs/decisions.md), wherever the file moves.
TreeEncoder.__module__ = "selfsent.modules"


def _content_seeds(token_ids: Tensor, num_tokens: IntArray) -> list[int]:
    """A seed of each sentence's own tokens, so that a random tree does not depend on batch mates or order."""
    rows = token_ids.cpu().numpy()
    return [zlib.crc32(row[:n].tobytes()) for row, n in zip(rows, num_tokens, strict=True)]


def _shape_of(trees: TreeBatch) -> dict[str, float]:
    is_leaf = np.zeros(trees.num_nodes + 1, dtype=bool)
    is_leaf[trees.leaf_nodes.numpy()] = True
    left_leaf, right_leaf = is_leaf[trees.left], is_leaf[trees.right]
    counts = np.array(
        [(~left_leaf & right_leaf).sum(), (left_leaf & ~right_leaf).sum(), (~left_leaf & ~right_leaf).sum()],
        dtype=float,
    )
    shares = counts / max(counts.sum(), 1.0)
    seen = shares[shares > 0]
    depth = float(np.mean([tree.depth for tree in trees])) if len(trees) else 0.0
    entropy = float((seen * np.log(1 / seen)).sum())
    return {
        "depth": depth,
        "left_share": float(shares[0]),
        "right_share": float(shares[1]),
        "branching_entropy": entropy,
    }
