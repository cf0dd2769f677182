"""The work that is timed: a tree model on real sentences, by our path and by the plain torch reference."""

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import Tensor, nn

from selfsent.data.sources import open_source
from selfsent.data.tokenizer import train_tokenizer
from selfsent.freed_memory import kept_memory
from selfsent.kernels.induction import induce
from selfsent.kernels.induction_reference import induce_reference
from selfsent.kernels.tensor_parts import undivided_operations
from selfsent.losses import NodeContrastiveLoss, ReconstructionLoss
from selfsent.losses.functional import node_contrastive
from selfsent.modules import TreeEncoder
from selfsent.modules.composition import Cell
from selfsent.training.faster_steps import GatheredGradients, gathered_embedding_gradients
from selfsent.trees.arrays import TreeBatch

PARTS = ("loss, from strings", "gradients", "clipping", "Adam")
"""The parts of a training step, in order."""
Step = TypeVar("Step", bound="TrainingStep")

CHANNEL_SIZE = {100: 10, 256: 16, 20: 5}
"""U by width of the embedding, as in the papers (100 and 256); 20 is for trying the benchmark out."""
MAX_CHARACTERS = 200


def docstring_sentences(num_sentences: int) -> list[str]:
    """The first sentences of the embedded corpus, without those that are no prose by their length."""
    texts = open_source("docs:").texts()
    usable = (text for text in texts if 20 <= len(text) <= MAX_CHARACTERS)
    return list(itertools.islice(usable, num_sentences))


@dataclass(frozen=True, kw_only=True)
class Width:
    """Models of one width over one vocabulary.

    Args:
        model: The tree model.
        static: The host's static embeddings with the same tokenizer and table.
    """

    model: SentenceTransformer
    static: SentenceTransformer

    @property
    def encoder(self) -> TreeEncoder:
        """The tree encoder of the model."""
        return self.model[0]


def models_of(
    sentences: list[str], *, dimension: int, vocab_size: int, channel_size: int | None = None, cell: Cell = "affine"
) -> Width:
    """Build untrained models: speed does not depend on what they have learned."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(sentences, vocab_size=vocab_size)
    size = channel_size or CHANNEL_SIZE[dimension]
    encoder = TreeEncoder(tokenizer=tokenizer, channels=dimension // size, channel_size=size, cell=cell)
    static = StaticEmbedding(
        tokenizer.backend_tokenizer, embedding_weights=encoder.embedding.weight.detach().numpy().copy()
    )
    return Width(
        model=SentenceTransformer(modules=[encoder], device="cpu"),
        static=SentenceTransformer(modules=[static], device="cpu"),
    )


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """The leaves of a batch, as the tree kernels take them."""

    values: Tensor
    num_tokens: np.ndarray


def leaves_of(encoder: TreeEncoder, sentences: list[str]) -> Leaves:
    """Embed the tokens of a batch."""
    features = encoder.preprocess(sentences)
    mask = features["attention_mask"].bool()
    with torch.no_grad():
        return Leaves(values=encoder.embedding(features["input_ids"][mask]), num_tokens=mask.sum(dim=1).numpy())


def find_trees(encoder: TreeEncoder, leaves: Leaves) -> TreeBatch:
    """Find the trees of a batch by the kernel."""
    linear = encoder.composition.linear
    return induce(leaves.values, leaves.num_tokens, linear.weight, linear.bias)[0]


def find_trees_by_reference(encoder: TreeEncoder, leaves: Leaves) -> TreeBatch:
    """Find the trees of a batch one merge a sentence at a time, in torch."""
    with torch.no_grad():
        return induce_reference(leaves.values, leaves.num_tokens, encoder.composition)[0]


class TrainingStep(ABC):
    """A whole training step: strings to tokens, trees, both passes, loss, gradients, clipping and Adam.

    Args:
        width: The models.
        sentences: The batch.
        reference_of: The step whose weights to share and whose work to do by plain torch and autograd instead.
    """

    def __init__(self, width: Width, sentences: list[str], *, reference_of: "TrainingStep | None" = None) -> None:
        self.encoder, self.sentences, self.is_reference = width.encoder, sentences, reference_of is not None
        self.loss: Any = reference_of.loss if reference_of else self.make_loss(width.model)
        self.parameters = list(self.loss.parameters())
        # Ours as the recipes have it, the reference as the released code has it.
        adam = (
            partial(torch.optim.Adam, lr=1e-5)
            if self.is_reference
            else partial(torch.optim.AdamW, lr=1e-5, weight_decay=0.0, fused=True)
        )
        self.optimizer = adam(self.parameters)
        self.gathered: GatheredGradients | None = None
        self.seconds: dict[str, float] = {}
        """Seconds of each part of the last step, by the clock."""

    @abstractmethod
    def make_loss(self, model: SentenceTransformer) -> nn.Module:
        """Make the objective over a model."""

    @abstractmethod
    def reference_loss(self, features: dict[str, Tensor]) -> Tensor:
        """Compute the objective by plain torch."""

    def __call__(self) -> float:
        """Take the step and return its loss."""
        self.encoder.train()
        self.loss.train()
        times = [time.perf_counter()]
        self.optimizer.zero_grad()
        with contextlib.nullcontext() if self.is_reference else undivided_operations():
            loss = self.objective()
            times.append(time.perf_counter())
            loss.backward()
        times.append(time.perf_counter())
        if self.gathered is None:
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        else:
            self.gathered.clip(self.parameters, 1.0)
        times.append(time.perf_counter())
        self.optimizer.step()
        times.append(time.perf_counter())
        self.seconds = dict(zip(PARTS, (end - begin for begin, end in itertools.pairwise(times)), strict=True))
        return loss.item()

    @contextlib.contextmanager
    def as_trained(self) -> Generator[None]:
        """Handle memory and gradients within the block as the trainer does (`selfsent.training.trainer`)."""
        with kept_memory(), gathered_embedding_gradients(self.loss) as self.gathered:
            yield
        self.gathered = None

    def without_dropout(self) -> float:
        """Compute the loss as it would be evaluated: what our path and the reference must agree on."""
        self.encoder.eval()
        self.loss.eval()
        with torch.no_grad():
            return self.objective().item()

    def objective(self) -> Tensor:
        """Compute the loss, from strings."""
        features = self.encoder.preprocess(self.sentences)
        return self.reference_loss(features) if self.is_reference else self.loss([features], None)


class ContrastiveStep(TrainingStep):
    """A step of Self-StrAE."""

    def make_loss(self, model: SentenceTransformer) -> nn.Module:
        """Contrast nodes."""
        return NodeContrastiveLoss(model)

    def reference_loss(self, features: dict[str, Tensor]) -> Tensor:
        """Induce one merge a sentence at a time, recorded by autograd, and compare all nodes in one matrix."""
        encoder, decoder = self.encoder, self.loss.tree_pass.decoder
        mask = features["attention_mask"].bool()
        leaves = encoder.embedding(features["input_ids"][mask])
        leaves = nn.functional.dropout(leaves, encoder.options.leaf_dropout, encoder.training)
        num_tokens = mask.sum(dim=1).numpy()
        num_merges = int((num_tokens - 1).clip(0).sum())
        ones = leaves.new_ones(num_merges, leaves.shape[1])
        noise = nn.functional.dropout(ones, encoder.options.composition_dropout, encoder.training)
        trees, up = induce_reference(leaves, num_tokens, encoder.composition, noise)
        dropout = decoder.dropout if encoder.training else 0.0
        down = downward_by_autograd(up[trees.roots[trees.roots >= 0]], trees, decoder.decomposition, dropout)
        return node_contrastive(up, down, temperature=self.loss.temperature)


class CrossEntropyStep(TrainingStep):
    """A step of StrAE's cross-entropy over Self-StrAE's trees."""

    def make_loss(self, model: SentenceTransformer) -> nn.Module:
        """Recover the tokens at the leaves."""
        return ReconstructionLoss(model)

    def reference_loss(self, features: dict[str, Tensor]) -> Tensor:
        """Refuse: this step is compared with the contrastive one."""
        raise NotImplementedError(f"{len(features)} features: cross-entropy has no plain reference here")


def downward_by_autograd(roots: Tensor, trees: TreeBatch, decomposition: nn.Module, dropout: float) -> Tensor:
    """The downward pass as autograd alone would have it: out of place, level by level, all intermediate values kept."""
    down = roots.new_zeros(trees.num_nodes, roots.shape[1]).index_copy(0, trees.roots[trees.roots >= 0], roots)
    for level in reversed(trees.levels):
        left, right = decomposition(down[level.parents])
        children = nn.functional.dropout(torch.cat([left, right]), dropout)
        down = down.index_copy(0, torch.cat([level.left, level.right]), children)
    return down


def encode_by_reference(encoder: TreeEncoder, sentences: list[str], *, batch_size: int) -> Tensor:
    """Embed sentences with trees found one merge a sentence at a time, in torch, batches sorted by length."""
    order = sorted(range(len(sentences)), key=lambda index: -len(sentences[index]))
    roots: list[Any] = []
    encoder.eval()
    for batch in (order[start : start + batch_size] for start in range(0, len(order), batch_size)):
        leaves = leaves_of(encoder, [sentences[index] for index in batch])
        with torch.no_grad():
            trees, up = induce_reference(leaves.values, leaves.num_tokens, encoder.composition)
        roots.append(up[trees.roots])
    return torch.cat(roots)[torch.argsort(torch.tensor(order))]


def prepared_step(sentences: list[str], dimension: int, vocab_size: int) -> ContrastiveStep:
    """Build a step whose kernels are compiled and whose Adam has its state, ready to be measured."""
    return warmed(ContrastiveStep(models_of(sentences, dimension=dimension, vocab_size=vocab_size), sentences))


def warmed(step: Step) -> Step:
    """Take a step on two sentences, so that kernels are compiled and Adam has its state."""
    whole, step.sentences = step.sentences, step.sentences[:2]
    step()
    step.sentences = whole
    return step
