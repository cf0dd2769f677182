"""Banyan's objective: recover each word of a batch from its one leaf in the entangled trees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.losses.reconstruction import LeafReconstruction, ReconstructionOptions, embedding_table
from selfsent.losses.tree_pass import tree_encoder_of
from selfsent.modules.composition import decomposition_of
from selfsent.modules.tree_states import EntangledStates
from selfsent.options import takes


@dataclass(frozen=True, kw_only=True)
class EntangledReconstructionOptions(ReconstructionOptions):
    """Options of `EntangledReconstructionLoss`.

    Args:
        tied: Whether the output weights are the embedding table, or a layer of its own (released code).
    """

    tied: bool = False


class EntangledReconstructionLoss(nn.Module):
    """Recover each distinct token of a batch from the downward embedding of its leaf.

    All sentences of the batch are one graph (`selfsent.trees.entangled`): a word that occurs in many of them is one
    leaf, which hears from all of its parents, and counts once, however frequent it is.

    Source: Opper & Siddharth, Banyan (arXiv 2407.17771): cross-entropy alone; output weights of their own (``tied``)
    and dropout on messages as in the released code.
    Gradients reach the encoder, the decomposition and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several (one graph of them all); labels are not used.

    The checkpoints of sentence-transformers do not hold the decomposition and the output weights: to resume a run, or
    to train on several ranks, use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        options: Options by keyword; see `EntangledReconstructionOptions`.

    Raises:
        UserError: The model is not a tree model, or the dropout is outside its range.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from transformers import AutoTokenizer

        from selfsent.losses import EntangledReconstructionLoss
        from selfsent.modules import TreeEncoder

        encoder = TreeEncoder(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"), cell="diagonal")
        model = SentenceTransformer(modules=[encoder])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = EntangledReconstructionLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(EntangledReconstructionOptions)
    def __init__(self, model: SentenceTransformer, options: EntangledReconstructionOptions) -> None:
        super().__init__()
        tree = tree_encoder_of(model).options
        self.model = model
        self.options = options
        self.decomposition = decomposition_of(tree.cell, tree.channel_size, init=tree.composition_init)
        self.index = LeafReconstruction(model, tied=options.tied)

    def forward(
        self,
        sentence_features: Iterable[Mapping[str, Any]],
        labels: Tensor | None = None,  # noqa: ARG002 the host passes labels
    ) -> Float[Tensor, ""]:
        """Return the mean cross-entropy over the distinct tokens of the batch, in nats."""
        states: EntangledStates = self.model({**_one_batch(list(sentence_features)), "entangled": True})["trees"]
        down = self._downward(states)
        graph = states.graph
        tokens = torch.from_numpy(graph.token_ids).to(down.device)
        return self.index(down[: len(tokens)], tokens, embedding_table(self.model))

    def _downward(self, states: EntangledStates) -> Float[Tensor, "N D"]:
        graph, up = states.graph, states.up
        noise = None
        dropout = self.options.decomposition_dropout
        if self.training and dropout:
            noise = functional.dropout(up.new_ones(2, len(graph.left), up.shape[1]), dropout)
        return self.decomposition.downward_entangled(up[graph.tops], graph, noise)

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return asdict(self.options)

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return BANYAN_CITATION


def _one_batch(columns: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Put the sentences of all columns below each other."""
    names = [name for name in ("input_ids", "attention_mask", "split_depths") if name in columns[0]]
    width = max(column["input_ids"].shape[1] for column in columns)
    padded = {name: [functional.pad(c[name], (0, width - c[name].shape[1])) for c in columns] for name in names}
    return {name: torch.cat(parts) for name, parts in padded.items()}


BANYAN_CITATION = """
@misc{opper-siddharth-2024-banyan,
    title = "Banyan: Improved Representation Learning with Explicit Structure",
    author = "Opper, Mattia and Siddharth, N.",
    year = "2024",
    eprint = "2407.17771",
    archivePrefix = "arXiv",
}
"""
