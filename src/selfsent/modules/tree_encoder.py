"""The encoder of a tree autoencoder, as an input module: strings in, one embedding a node out."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.encoding import uncut_ids
from selfsent.errors import UserError
from selfsent.kernels.tensor_parts import undivided_if_small
from selfsent.modules.attention_trees import AttentionTrees
from selfsent.modules.composition import Composition, PlainLeaf, composition_of
from selfsent.modules.leaf_sums import adds_children, in_rows, summed_features
from selfsent.modules.neighbour_context import with_neighbours
from selfsent.modules.text_trees import ATTENTION_FOLDER, TextTrees
from selfsent.modules.tokenized_input import TokenizedInput
from selfsent.modules.tree_decoder import TreeDecoder
from selfsent.modules.tree_finder import (
    READ_FROM_TEXT,
    STRUCTURES,
    SearchOptions,
    Structure,
    content_seeds,
    stated_trees,
)
from selfsent.modules.tree_options import RecursiveEncoderOptions, Roots, TreeEncoderOptions
from selfsent.modules.tree_states import EntangledStates, TreeStates
from selfsent.modules.weighted_embedding import embedding_of
from selfsent.options import names_of, takes_only
from selfsent.parsing.given_trees import GivenTrees, one_word
from selfsent.parsing.parsed_text import ParsedText
from selfsent.trees.arrays import IntArray, TreeBatch, branching_statistics
from selfsent.trees.entangled import entangle

__all__ = ["STRUCTURES", "ComposingEncoder", "EntangledStates", "Structure", "TreeEncoder", "TreeStates"]


class ComposingEncoder(TokenizedInput):
    """Embed the tokens of a sentence, find a binary tree over them, and compose it up to the root with a cell.

    The root's embedding is the sentence's. A sentence is treated alone: its order in the batch, its batch mates and the
    padding never change its embedding. A text without tokens has the zero vector. A node's state may be longer than its
    embedding, which are its first D values.

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        options: Options of the encoder, saved as its ``config.json``.
        embedding: Table of token embeddings, ``(V, D)``.
        leaf: Turns token embeddings into states of leaves.
        composition: The cell.
        search: How an induced structure is searched.
    """

    described_as = "tree encoder"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        options: TreeEncoderOptions | RecursiveEncoderOptions,
        *,
        embedding: nn.Embedding,
        leaf: nn.Module,
        composition: Composition,
        search: SearchOptions,
    ) -> None:
        super().__init__()
        self.tokenizer: PreTrainedTokenizerBase = tokenizer  # pyright: ignore[reportIncompatibleVariableOverride] narrowed
        self.options = options
        self.trees_of = TextTrees(GivenTrees(options.parses, unparsed=options.unparsed))
        self.embedding = embedding
        self.leaf = leaf
        self.composition = composition
        self.search = search
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights again: the table uniform in [-r, r], the cells as they start."""
        nn.init.uniform_(self.embedding.weight, -self.options.init_range, self.options.init_range)
        cells: list[Any] = [self.leaf, self.composition]
        for cell in cells:
            cell.reset_parameters()

    def get_config_dict(self) -> dict[str, Any]:
        """Give the options, as ``config.json`` holds them."""
        return asdict(self.options)

    @property
    def structure(self) -> Structure:
        """Which tree stands over a sentence."""
        return self.options.structure

    @property
    def parses(self) -> str | None:
        """The parse file that trees are taken from where the structure is given."""
        return self.options.parses

    @parses.setter
    def parses(self, path: str | None) -> None:
        self.options = replace(self.options, parses=path)
        self.trees_of.given = GivenTrees(path, unparsed=self.options.unparsed)

    @property
    def max_seq_length(self) -> int | None:
        """Tokens kept of a text; ``None`` keeps all."""
        return self.options.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, num_tokens: int | None) -> None:
        self.options = replace(self.options, max_seq_length=num_tokens)

    @abstractmethod
    def new_decoder(self, *, dropout: float, roots: Roots = "shared") -> nn.Module:
        """Make the decoder of this encoder's cell, from `TreeStates` to the downward embeddings of all nodes.

        Args:
            dropout: Share of values dropped from each downward embedding in training, in [0, 1).
            roots: Whether a root's downward embedding is its upward one.
        """

    @property
    def adds_leaves(self) -> bool:
        """Whether an embedding is the sum of its token embeddings, whatever the tree."""
        return False

    def get_embedding_dimension(self) -> int:
        """Values of an embedding."""
        return self.embedding.embedding_dim

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into ``input_ids`` and ``attention_mask``, both ``(B, T)`` and padded to the longest.

        Where trees come with the texts, ``split_depths`` ``(B, T)`` holds them: entry ``i`` is how deep the tree
        parts token ``i`` from the next (`selfsent.trees.split_depths`).
        """
        if self.structure == "given" and prompt:
            raise UserError(f"structure=given takes no prompt, got {prompt!r}; leave the prompt out")
        texts = [prompt + text for text in inputs] if prompt else list(inputs)
        if not texts:
            empty = torch.zeros(0, 1, dtype=torch.int64)
            return {"input_ids": empty, "attention_mask": empty}
        if self.structure in READ_FROM_TEXT:
            return self._parsed_features(self.trees_of(texts, self.structure, self.embedding.weight.device))
        return self._padded(self._token_ids(texts))

    def save(self, output_path: str, *arguments: Any, **settings: Any) -> None:
        """Write configuration, weights and tokenizer into a folder; and the transformer that trees are read from."""
        super().save(output_path, *arguments, **settings)
        self.trees_of.save(output_path)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> "ComposingEncoder":  # pyright: ignore[reportIncompatibleMethodOverride] as in `TokenizedInput`
        """Read what ``save`` wrote, from a folder or the hub."""
        module: Any = super().load(model_name_or_path, subfolder, **kwargs)
        if module.structure == "attention":
            hub: dict[str, Any] = {
                name: kwargs[name]
                for name in ("token", "cache_folder", "revision", "local_files_only")
                if name in kwargs
            }
            folder = cls.load_dir_path(model_name_or_path, str(PurePosixPath(subfolder, ATTENTION_FOLDER)), **hub)
            module.trees_of.attention = None if folder is None else AttentionTrees(folder)
        return module

    def _padded(self, encoded: list[list[int]]) -> dict[str, Tensor]:
        """Put the tokens of texts into one matrix, with the mask of where there are any."""
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        mask = np.arange(max(int(lengths.max()), 1)) < lengths[:, None]
        pad_id: Any = self.tokenizer.pad_token_id or 0
        token_ids = np.full(mask.shape, pad_id)
        token_ids[mask] = np.fromiter(chain.from_iterable(encoded), np.int64, count=int(lengths.sum()))
        return {"input_ids": torch.from_numpy(token_ids), "attention_mask": torch.from_numpy(mask.astype(np.int64))}

    def _parsed_features(self, parses: list[ParsedText]) -> dict[str, Tensor]:
        """Tokenize parsed texts as texts are, and carry each tree over to the tokens."""
        if not self.tokenizer.is_fast:
            raise UserError(
                "given trees need a tokenizer that gives the offsets of its pieces; use one that has a tokenizer.json"
            )
        encoded: Any = self.tokenizer(
            [parse.text for parse in parses],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        pieces = [offsets[: self.max_seq_length] for offsets in encoded["offset_mapping"]]
        features = self._padded([ids[: self.max_seq_length] for ids in encoded["input_ids"]])
        depths = np.zeros(features["input_ids"].shape, dtype=np.int64)
        for row, parse, offsets in zip(depths, parses, pieces, strict=True):
            row[: max(len(offsets) - 1, 0)] = parse.depths_over(offsets)
        return {**features, "split_depths": torch.from_numpy(depths)}

    def _token_ids(self, texts: list[str]) -> list[list[int]]:
        if self.max_seq_length is None:
            return uncut_ids(self.tokenizer, texts)
        encoded: Any = self.tokenizer(
            texts,
            add_special_tokens=False,
            truncation=True,
            max_length=self.max_seq_length,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        return encoded["input_ids"]

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add ``token_embeddings`` (B, T, D), ``sentence_embedding`` (B, D) and ``trees`` (`TreeStates`).

        Where features hold ``entangled``, ``trees`` are the `EntangledStates` of the batch, and nothing else is added.
        Where no gradient is wanted and the cell adds its children, trees are found when they are read.
        """
        with undivided_if_small(features["input_ids"].numel() * self.embedding.embedding_dim):
            return self._composed(features)

    def _composed(self, features: dict[str, Any]) -> dict[str, Any]:
        mask = features["attention_mask"].bool()
        token_ids = features["input_ids"][mask]
        num_tokens = mask.sum(dim=1).cpu().numpy()
        seeds = content_seeds(features["input_ids"], num_tokens) if self.structure == "random" else None
        depths = features.get("split_depths") if self.structure in READ_FROM_TEXT else None
        gaps = None if depths is None else _gaps(depths, num_tokens)
        if features.get("entangled"):
            return {**features, "trees": self.compose_entangled(token_ids, num_tokens, seeds, gaps)}
        if not (self.training or torch.is_grad_enabled()) and self.adds_leaves:
            find = partial(self.compose, num_tokens=num_tokens, seeds=seeds, split_depths=gaps)
            return summed_features(features, self.embedding, token_ids, num_tokens, find)
        leaves = functional.dropout(self.embedding(token_ids), self.options.leaf_dropout, self.training)
        states = self.compose(leaves, num_tokens, seeds, gaps)
        roots = states.trees.roots.to(leaves.device)
        features |= {"trees": states, "token_embeddings": in_rows(leaves, mask)}
        if len(states.up):
            features["sentence_embedding"] = states.up[roots].masked_fill((roots < 0)[:, None], 0.0)
        else:
            features["sentence_embedding"] = leaves.new_zeros(len(roots), leaves.shape[1])
        return features

    def compose(
        self,
        leaves: Float[Tensor, "L D"],
        num_tokens: IntArray,
        seeds: Sequence[int] | None = None,
        split_depths: IntArray | None = None,
    ) -> TreeStates:
        """Find the trees over given leaf embeddings and compose them.

        Args:
            leaves: Leaf embeddings, all sentences one after another.
            num_tokens: Leaves of each sentence, ``(B,)``.
            seeds: Random seed of each sentence's tree where the structure is ``random``; default: its number of tokens.
            split_depths: The trees where the structure is ``given``: a depth a gap, all sentences one after another.

        Returns:
            Trees and upward embeddings; gradients reach the leaves and the composition where they are recorded.
        """
        states = self._leaf_states(leaves, num_tokens)
        noise = self._composition_noise(leaves, int(np.maximum(num_tokens - 1, 0).sum()))
        trees, up = self._trees(states, num_tokens, noise, seeds, split_depths)
        return TreeStates(trees, self.composition.upward(states, trees, noise, up))

    def _leaf_states(self, leaves: Float[Tensor, "L D"], num_tokens: IntArray) -> Float[Tensor, "L S"]:  # noqa: ARG002 for encoders that look at neighbours
        """Turn token embeddings into states of leaves."""
        with torch.autocast(leaves.device.type, enabled=False):
            return self.leaf(leaves)

    def _trees(
        self,
        states: Float[Tensor, "L S"],
        num_tokens: IntArray,
        noise: Float[Tensor, "I D"] | None,
        seeds: Sequence[int] | None,
        split_depths: IntArray | None,
    ) -> tuple[TreeBatch, Float[Tensor, "N D"] | None]:
        """Find the trees; and the upward embeddings, where that has computed them."""
        if self.structure == "induced":
            return self.composition.induce(states, num_tokens, noise, self.search)
        trees = stated_trees(
            self.structure,
            num_tokens,
            binarisation=self.options.binarisation,
            seeds=seeds or num_tokens.tolist(),
            split_depths=split_depths,
        )
        return trees, None

    def compose_entangled(
        self,
        token_ids: Tensor,
        num_tokens: IntArray,
        seeds: Sequence[int] | None = None,
        split_depths: IntArray | None = None,
    ) -> EntangledStates:
        """Find the trees of sentences, make one graph of them, and compose each of its nodes once.

        Equal words share their dropout, so equal phrases are merged alike wherever they stand.
        Differs: the trees are found before composed embeddings lose values to dropout; the released code finds them
        after.

        Args:
            token_ids: Token of each leaf, all sentences one after another, ``(L,)``.
            num_tokens: Leaves of each sentence, ``(B,)``.
            seeds: As in `compose`.
            split_depths: As in `compose`.
        """
        distinct, places = token_ids.unique(return_inverse=True)
        leaves = functional.dropout(self.embedding(distinct), self.options.leaf_dropout, self.training)
        states = self.leaf(leaves)
        with torch.no_grad():
            trees, _ = self._trees(states[places], num_tokens, None, seeds, split_depths)
        graph = entangle(trees, token_ids.cpu().numpy())
        noise = self._composition_noise(leaves, len(graph.left))
        return EntangledStates(graph, self.composition.upward_entangled(states, graph, noise))

    def word_trees(self, sentences: Sequence[Sequence[str]]) -> list[tuple[IntArray, IntArray]]:
        """Find the trees over whole words: the pieces of a word are composed first, then the words.

        Args:
            sentences: Words of each sentence.

        Returns:
            For each sentence the left and right children of its merges, by local id (`selfsent.trees.arrays.Tree`).
        """
        was_training = self.training
        self.eval()
        flat = [word for words in sentences for word in words] or [""]
        with torch.no_grad():
            is_read = self.structure in READ_FROM_TEXT
            features = self._parsed_features(list(map(one_word, flat))) if is_read else self.preprocess(flat)
            device = self.embedding.weight.device
            words = self({name: value.to(device) for name, value in features.items()})["sentence_embedding"]
            num_words = np.array([len(words) for words in sentences], dtype=np.int64)
            depths = self.trees_of.depths_over_words(sentences, self.structure, device) if is_read else None
            states = self.compose(words[: int(num_words.sum())], num_words, split_depths=depths)
        self.train(was_training)
        return [(tree.left, tree.right) for tree in states.trees]

    def tree_statistics(self, texts: Sequence[str]) -> dict[str, float]:
        """Describe the trees of texts: depth, which way they lean and how mixed they are (`branching_statistics`)."""
        was_training = self.training
        self.eval()
        with torch.no_grad():
            features = self.preprocess(list(texts))
            trees = self({name: value.to(self.embedding.weight.device) for name, value in features.items()})[
                "trees"
            ].trees
        self.train(was_training)
        return branching_statistics(trees)

    def _composition_noise(self, leaves: Tensor, num_merges: int) -> Tensor | None:
        dropout = self.options.composition_dropout
        if not self.training or not dropout:
            return None
        return functional.dropout(leaves.new_ones(num_merges, leaves.shape[1]), dropout)


@dataclass(frozen=True, kw_only=True)
class _Arguments(TreeEncoderOptions):
    """What a `TreeEncoder` is made of."""

    tokenizer: PreTrainedTokenizerBase


class TreeEncoder(ComposingEncoder):
    """Compose embeddings of K channels with one small cell, the same for every channel.

    Source: Opper et al., EMNLP 2023 (StrAE and Self-StrAE), Sections 3 and 4; initialisation range and dropout rates
    from the authors' released code.
    Differs: padding is masked (the release keeps a row of -inf in the table).

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        options: Options by keyword; see `selfsent.modules.tree_options.TreeEncoderOptions`.

    Raises:
        UserError: An option is unknown or outside its range.
    """

    options: TreeEncoderOptions
    config_keys: list[str] = names_of(TreeEncoderOptions)

    @takes_only(_Arguments)
    def __init__(self, arguments: _Arguments) -> None:
        options = arguments.part(TreeEncoderOptions)
        dimension = options.channels * options.channel_size
        super().__init__(
            arguments.tokenizer,
            options,
            embedding=embedding_of(len(arguments.tokenizer), dimension, frequency_weight=options.frequency_weight),
            leaf=PlainLeaf(),
            composition=composition_of(options.cell, options.channel_size, init=options.composition_init),
            search=options.part(SearchOptions),
        )

    @property
    def adds_leaves(self) -> bool:
        """Whether the cell is the sum of its children, and leaves are those of the table."""
        return self.options.context == "none" and adds_children(self.composition)

    def new_decoder(self, *, dropout: float, roots: Roots = "shared") -> TreeDecoder:
        """Make a decoder of the same cell; see `ComposingEncoder.new_decoder`."""
        options = self.options
        return TreeDecoder(
            options.channel_size, cell=options.cell, dropout=dropout, init=options.composition_init, roots=roots
        )

    def _leaf_states(self, leaves: Float[Tensor, "L D"], num_tokens: IntArray) -> Float[Tensor, "L D"]:
        return with_neighbours(leaves, num_tokens) if self.options.context == "neighbours" else leaves

    def compose_entangled(
        self,
        token_ids: Tensor,
        num_tokens: IntArray,
        seeds: Sequence[int] | None = None,
        split_depths: IntArray | None = None,
    ) -> EntangledStates:
        """Compose the entangled trees of sentences; see `ComposingEncoder.compose_entangled`.

        Raises:
            UserError: Leaves take in their neighbours.
        """
        if self.options.context != "none":
            raise UserError(
                f"entangled trees share their leaves, which context={self.options.context} would set apart; drop it"
            )
        return super().compose_entangled(token_ids, num_tokens, seeds, split_depths)


# Saved models name this path (docs/decisions.md), wherever the file moves.
TreeEncoder.__module__ = "selfsent.modules"


def _gaps(split_depths: Tensor, num_tokens: IntArray) -> IntArray:
    """The depths of the gaps between tokens, all sentences one after another, without the padding."""
    rows = split_depths.cpu().numpy()
    return rows[np.arange(rows.shape[1]) < num_tokens[:, None] - 1]
