"""StrAE's objectives for the recursive networks before it, each with the decoder of its kind."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.losses.node_contrastive import RELEASED_TEMPERATURE, STRAE_CITATION, NodeContrast
from selfsent.losses.reconstruction import LeafReconstruction, embedding_table
from selfsent.losses.tree_pass import NodeStates, TreePass
from selfsent.modules.recursive_encoder import RecursiveEncoder
from selfsent.options import Options, option, takes

Objective = Literal["contrastive", "cross-entropy", "contrastive-cross-entropy"]
"""All nodes contrasted, the leaves' tokens recovered, or half of each over internal nodes and leaves."""


@dataclass(frozen=True, kw_only=True)
class RecursiveObjectiveOptions(Options):
    """What a recursive network is trained for.

    Args:
        objective: ``contrastive`` over all nodes, ``cross-entropy`` of the leaf tokens, or half of each over internal
            nodes and leaves.
        temperature: Divides cosines in the contrastive objective.
        tied: Whether reconstruction's output weights are the embedding table, or a layer of their own.
    """

    objective: Objective = "contrastive"
    temperature: float = option(RELEASED_TEMPERATURE, above=0)
    tied: bool = True


@dataclass(frozen=True, kw_only=True)
class RecursiveNetworkOptions(RecursiveObjectiveOptions):
    """Options of `RecursiveNetworkLoss`.

    Args:
        dropout: Share of values dropped from downward embeddings in training.
    """

    dropout: float = option(0.1, at_least=0, below=1)


class RecursiveNetworkLoss(nn.Module):
    """Train a Tree-LSTM or an inside-outside network on raw text with the objectives of StrAE.

    Recovering a token from its leaf's outside embedding is the inside-outside network's own objective, a word given its
    context. The roots of such a network share one outside embedding, so they are not contrasted.

    Source: Opper et al., EMNLP 2023 (StrAE), objectives; Le & Zuidema, EMNLP 2014, Section 4, for a word given its
    context. Differs: cross-entropy over the vocabulary, where Le & Zuidema rank the word above a drawn one by a margin.
    Gradients reach the encoder, the decoder and the output weights. ``forward`` changes no state.

    Inputs: one column of texts or several; labels are not used.

    The checkpoints of sentence-transformers do not hold the decoder: to resume a run, or to train on several devices,
    use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.RecursiveEncoder`.
        options: Options by keyword; see `RecursiveNetworkOptions`.

    Raises:
        UserError: The model is another one, or a setting is out of range.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
        from transformers import AutoTokenizer

        from selfsent.losses import RecursiveNetworkLoss
        from selfsent.modules import RecursiveEncoder

        encoder = RecursiveEncoder(tokenizer=AutoTokenizer.from_pretrained("bert-base-uncased"), network="tree-lstm")
        model = SentenceTransformer(modules=[encoder])
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = RecursiveNetworkLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(RecursiveNetworkOptions)
    def __init__(self, model: SentenceTransformer, options: RecursiveNetworkOptions) -> None:
        super().__init__()
        _require_recursive(model)
        self.objective: Objective = options.objective
        self.contrast = NodeContrast(temperature=options.temperature)
        self.model = model
        self.tree_pass = TreePass(model, decomposition_dropout=options.dropout)
        self.index = None if options.objective == "contrastive" else LeafReconstruction(model, tied=options.tied)

    def forward(
        self,
        sentence_features: Iterable[dict[str, Any]],
        labels: Tensor | None = None,  # noqa: ARG002 the host passes labels
    ) -> Tensor | dict[str, Tensor]:
        """Return the objective in nats; of the mixed one two halved terms, ``contrastive`` and ``reconstruction``."""
        nodes = self.tree_pass(self.model, sentence_features)
        if self.index is None:
            return self.contrast(nodes, self._contrasted(nodes))
        reconstruction = self.index(nodes.down[nodes.is_leaf], nodes.token_ids, embedding_table(self.model))
        if self.objective == "cross-entropy":
            return reconstruction
        contrastive = self.contrast(nodes, self._contrasted(nodes) & ~nodes.is_leaf)
        return {"contrastive": contrastive / 2, "reconstruction": reconstruction / 2}

    def _contrasted(self, nodes: NodeStates) -> Tensor:
        """True for each node whose downward embedding depends on its sentence."""
        mask = torch.ones_like(nodes.is_leaf)
        if not self.tree_pass.decoder.knows_roots:
            mask[nodes.trees.roots[nodes.trees.roots >= 0]] = False
        return mask

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        settings: dict[str, Any] = {"objective": self.objective, "dropout": self.tree_pass.decoder.dropout}
        if self.objective != "cross-entropy":
            settings |= asdict(self.contrast)
        return settings | ({} if self.index is None else {"tied": self.index.tied})

    @property
    def citation(self) -> str:
        """BibTeX entry of the source of the objectives, for the model card."""
        return STRAE_CITATION


def _require_recursive(model: SentenceTransformer) -> None:
    first = model[0]
    if not isinstance(first, RecursiveEncoder):
        raise UserError(
            f"this objective needs a recursive network, and the first module here is {type(first).__name__};"
            " build one with `selfsent train tree-lstm` or put a selfsent.modules.RecursiveEncoder first"
        )
