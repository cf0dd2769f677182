"""The encoder of a tree autoencoder, as an input module of the host: strings in, one embedding a node out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from selfsent.errors import UserError
from selfsent.kernels.affine_passes import affine_upward, is_compiled_for, serves
from selfsent.kernels.diagonal_passes import diagonal_upward
from selfsent.kernels.passes import upward
from selfsent.modules.composition import Cell, CellInit, DiagonalComposition, composition_of
from selfsent.modules.leaf_sums import adds_children, in_rows, summed_features
from selfsent.modules.neighbour_context import Context, with_neighbours
from selfsent.modules.tokenized_input import TokenizedInput
from selfsent.modules.tree_finder import STRUCTURES, Inducer, Structure, TreeFinder, content_seeds
from selfsent.modules.weighted_embedding import embedding_of
from selfsent.parsing.given_trees import GivenTrees, Unparsed, one_word
from selfsent.parsing.parsed_text import ParsedText
from selfsent.trees.arrays import IntArray, Tree, TreeBatch
from selfsent.trees.branching import branching_statistics
from selfsent.trees.entangled import EntangledTrees, entangle
from selfsent.trees.split_depths import Binarisation

__all__ = ["STRUCTURES", "EntangledStates", "Structure", "TreeEncoder", "TreeStates"]


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


@dataclass(frozen=True)
class EntangledStates:
    """The entangled trees of a batch and the upward embedding of every node of their graph, ``(M, D)``."""

    graph: EntangledTrees
    up: Float[Tensor, "M D"]


class TreeEncoder(TokenizedInput):
    """Embed the tokens of a sentence, find a binary tree over them, and compose it up to the root.

    The root's embedding is the sentence's. A sentence is treated alone: its order in the batch, its batch mates and the
    padding never change its embedding. A text without tokens has the zero vector.

    Source: Opper et al., EMNLP 2023 (StrAE and Self-StrAE), Sections 3 and 4; initialisation range and dropout rates
    from the authors' released code.
    Differs: padding is masked (the release keeps a row of -inf in the table).

    Args:
        tokenizer: Turns strings into token ids, without special tokens.
        channels: K, channels of an embedding (paper: 10, with U = 10).
        channel_size: U, values a channel; the embedding has ``K * U`` values.
        cell: How two children become a parent: ``affine`` (StrAE, ``2U^2 + U`` weights), ``diagonal`` (Banyan, ``3U``).
        structure: ``induced`` finds the tree by similarities; ``given`` takes it from where ``parses`` says; the others
            build a fixed or a random tree.
        inducer: How an induced structure is searched; the papers' is ``greedy``.
        beam_size: States that the inducer ``beam`` keeps, or trees that ``chart`` keeps of every span.
        parses: A parse file, or a folder of them, with the trees of the texts where the structure is given. A text may
            also be written as a bracketed tree, and a text of one word needs none.
        unparsed: What a text without a tree gets where the structure is given.
        binarisation: How a given constituent of several children is merged.
        context: What a leaf knows of its neighbours before composition; in the papers nothing.
        frequency_weight: a; where above 0, frequent tokens count less (`FrequencyWeightedEmbedding`).
        leaf_dropout: Share of values dropped from leaf embeddings in training, in [0, 1).
        composition_dropout: Share of values dropped from each composed embedding in training, in [0, 1).
        init_range: r; the table starts uniform in [-r, r].
        composition_init: How the cell starts: ``uniform`` (released code), or at the ``sum`` of the children.
        max_seq_length: Tokens kept of a text; ``None`` keeps all.

    Raises:
        UserError: A setting is outside its range.
    """

    described_as = "tree encoder"

    config_keys: list[str] = [  # noqa: RUF012 the host's own declaration
        "channels",
        "channel_size",
        "cell",
        "structure",
        "inducer",
        "beam_size",
        "parses",
        "unparsed",
        "binarisation",
        "context",
        "frequency_weight",
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
        cell: Cell = "affine",
        structure: Structure = "induced",
        inducer: Inducer = "greedy",
        beam_size: int = 4,
        parses: str | None = None,
        unparsed: Unparsed = "stop",
        binarisation: Binarisation = "right",
        context: Context = "none",
        frequency_weight: float = 0.0,
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
        self.cell: Cell = cell
        self.structure: Structure = structure
        self.inducer: Inducer = inducer
        self.beam_size = beam_size
        self.given = GivenTrees(parses, unparsed=unparsed)
        self.binarisation: Binarisation = binarisation
        self.context: Context = context
        self.frequency_weight = frequency_weight
        self.leaf_dropout = leaf_dropout
        self.composition_dropout = composition_dropout
        self.init_range = init_range
        self.composition_init: CellInit = composition_init
        self.max_seq_length = max_seq_length
        self._check_settings()
        self.embedding = embedding_of(len(tokenizer), channels * channel_size, frequency_weight=frequency_weight)
        self.composition = composition_of(cell, channel_size, init=composition_init)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew: the table uniform in [-r, r], the composition as ``composition_init`` says."""
        nn.init.uniform_(self.embedding.weight, -self.init_range, self.init_range)
        self.composition.reset_parameters()

    @property
    def parses(self) -> str | None:
        """The parse file that trees are taken from where the structure is given."""
        return self.given.parses

    @parses.setter
    def parses(self, path: str | None) -> None:
        self.given = GivenTrees(path, unparsed=self.given.unparsed)

    @property
    def unparsed(self) -> Unparsed:
        """What a text without a tree gets where the structure is given."""
        return self.given.unparsed

    def get_embedding_dimension(self) -> int:
        """Values of an embedding: channels times channel size."""
        return self.channels * self.channel_size

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **_: Any) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride] text only
        """Turn texts into ``input_ids`` and ``attention_mask``, both ``(B, T)`` and padded to the longest.

        Where the structure is given, ``split_depths`` ``(B, T)`` holds the trees: entry ``i`` is how deep the tree
        parts token ``i`` from the next (`selfsent.trees.split_depths`).
        """
        if self.structure == "given" and prompt:
            raise UserError(
                f"the structure is given and the prompt {prompt!r} has no place in it; leave the prompt out"
            )
        texts = [prompt + text for text in inputs] if prompt else list(inputs)
        if not texts:
            empty = torch.zeros(0, 1, dtype=torch.int64)
            return {"input_ids": empty, "attention_mask": empty}
        if self.structure == "given":
            return self._parsed_features([self.given(text) for text in texts])
        return self._padded(self._token_ids(texts))

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
                "given trees need a tokenizer that tells where its pieces stand; name one of tokenizer.json"
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
        """Add ``token_embeddings`` (B, T, D), ``sentence_embedding`` (B, D) and ``trees`` (`TreeStates`).

        Where features hold ``entangled``, ``trees`` are the `EntangledStates` of the batch, and nothing else is added.
        Where no gradient is wanted and the cell adds its children, trees are found when somebody asks for them.
        """
        mask = features["attention_mask"].bool()
        token_ids = features["input_ids"][mask]
        num_tokens = mask.sum(dim=1).cpu().numpy()
        seeds = content_seeds(features["input_ids"], num_tokens) if self.structure == "random" else None
        depths = features.get("split_depths") if self.structure == "given" else None
        gaps = None if depths is None else _gaps(depths, num_tokens)
        if features.get("entangled"):
            return {**features, "trees": self.compose_entangled(token_ids, num_tokens, seeds, gaps)}
        if (
            self.context == "none"
            and not (self.training or torch.is_grad_enabled())
            and adds_children(self.composition)
        ):
            find = partial(self.compose, num_tokens=num_tokens, seeds=seeds, split_depths=gaps)
            return summed_features(features, self.embedding, token_ids, num_tokens, find)
        leaves = functional.dropout(self.embedding(token_ids), self.leaf_dropout, self.training)
        states = self.compose(leaves, num_tokens, seeds, gaps)
        roots = states.trees.roots.to(leaves.device)
        is_empty = (roots < 0)[:, None]
        features["trees"] = states
        features["token_embeddings"] = in_rows(leaves, mask)
        if len(states.up):
            features["sentence_embedding"] = states.up[roots].masked_fill(is_empty, 0.0)
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
            seeds: What draws each sentence's tree where the structure is ``random``; default: its number of tokens.
            split_depths: The trees where the structure is ``given``: a depth a gap, all sentences one after another.

        Returns:
            Trees and upward embeddings; gradients reach the leaves and the composition where they are recorded.
        """
        if self.context == "neighbours":
            leaves = with_neighbours(leaves, num_tokens)
        noise = self._composition_noise(leaves, int(np.maximum(num_tokens - 1, 0).sum()))
        linear = self.composition.linear
        trees, up = self._finder().find(
            leaves, num_tokens, linear, noise=noise, seeds=seeds or num_tokens.tolist(), split_depths=split_depths
        )
        if up is not None and not torch.is_grad_enabled():
            return TreeStates(trees, up)
        if serves(leaves, linear):
            return TreeStates(trees, affine_upward(leaves, trees, linear, noise, up))
        return TreeStates(trees, upward(leaves, trees, self.composition, noise))

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
        if self.context != "none":
            raise UserError(
                f"entangled trees share their leaves, which context={self.context} would set apart; drop it"
            )
        distinct, places = token_ids.unique(return_inverse=True)
        leaves = functional.dropout(self.embedding(distinct), self.leaf_dropout, self.training)
        with torch.no_grad():
            trees, _ = self._finder().find(
                leaves[places],
                num_tokens,
                self.composition.linear,
                noise=None,
                seeds=seeds or num_tokens.tolist(),
                split_depths=split_depths,
            )
        graph = entangle(trees, token_ids.cpu().numpy())
        noise = self._composition_noise(leaves, len(graph.left))
        if is_compiled_for(leaves) and isinstance(self.composition, DiagonalComposition):
            return EntangledStates(graph, diagonal_upward(leaves, graph, *self.composition.over(self.channels), noise))
        return EntangledStates(graph, upward(leaves, graph, self.composition, noise))

    def _finder(self) -> TreeFinder:
        return TreeFinder(
            structure=self.structure,
            inducer=self.inducer,
            beam_size=self.beam_size,
            binarisation=self.binarisation,
        )

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
            is_given = self.structure == "given"
            features = self._parsed_features(list(map(one_word, flat))) if is_given else self.preprocess(flat)
            device = self.embedding.weight.device
            words = self({name: value.to(device) for name, value in features.items()})["sentence_embedding"]
            num_words = np.array([len(words) for words in sentences], dtype=np.int64)
            depths = self._depths_over_words(sentences) if is_given else None
            states = self.compose(words[: int(num_words.sum())], num_words, split_depths=depths)
        self.train(was_training)
        return [(tree.left, tree.right) for tree in states.trees]

    def _depths_over_words(self, sentences: Sequence[Sequence[str]]) -> IntArray:
        """The given trees of sentences whose words are known: of their text with spaces between them."""
        depths = [np.zeros(0, dtype=np.int64)]
        for words in sentences:
            ends = np.cumsum([len(word) + 1 for word in words]) - 1
            spans = [(int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True)]
            depths.append(self.given(" ".join(words)).depths_over(spans))
        return np.concatenate(depths)

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

    def _check_settings(self) -> None:
        dropouts = {"leaf_dropout": self.leaf_dropout, "composition_dropout": self.composition_dropout}
        problems = [
            f"{name}={value} (needs 0 or more, less than 1)" for name, value in dropouts.items() if not 0 <= value < 1
        ]
        sizes = {"channels": self.channels, "channel_size": self.channel_size}
        problems += [f"{name}={value} (needs 1 or more)" for name, value in sizes.items() if value < 1]
        choices = {"cell": Cell, "composition_init": CellInit, "unparsed": Unparsed, "context": Context}
        for name, known in choices.items():
            if getattr(self, name) not in get_args(known):
                problems.append(f"{name}={getattr(self, name)} (needs one of {', '.join(get_args(known))})")
        problems += self._finder().problems()
        if not 0 <= self.frequency_weight < math.inf:
            problems.append(f"frequency_weight={self.frequency_weight} (needs 0 or more)")
        if not 0 < self.init_range < math.inf:
            problems.append(f"init_range={self.init_range} (needs more than 0)")
        if self.max_seq_length is not None and self.max_seq_length < 1:
            problems.append(f"max_seq_length={self.max_seq_length} (needs 1 or more, or none)")
        if problems:
            raise UserError(f"a tree encoder cannot be built with {'; '.join(problems)}")

    def _composition_noise(self, leaves: Tensor, num_merges: int) -> Tensor | None:
        if not self.training or not self.composition_dropout:
            return None
        return functional.dropout(leaves.new_ones(num_merges, leaves.shape[1]), self.composition_dropout)


# Saved models name this path for ever (docs/decisions.md), wherever the file moves.
TreeEncoder.__module__ = "selfsent.modules"


def _gaps(split_depths: Tensor, num_tokens: IntArray) -> IntArray:
    """The depths of the gaps between tokens, all sentences one after another, without the padding."""
    rows = split_depths.cpu().numpy()
    return rows[np.arange(rows.shape[1]) < num_tokens[:, None] - 1]
