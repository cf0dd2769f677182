"""The node-contrastive objective of StrAE."""

import math
from collections.abc import Iterable
from typing import Any

from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.kernels.contrastive import tiled_symmetric_info_nce
from selfsent.losses.tree_pass import TreePass

# The released code multiplies cosines by exp(0.2).
RELEASED_TEMPERATURE = math.exp(-0.2)


class NodeContrastiveLoss(nn.Module):
    """Pull each node's upward and downward embeddings together, against all other nodes of the batch.

    Source: Opper et al., EMNLP 2023 (StrAE and Self-StrAE), contrastive objective; `functional.node_contrastive` is the
    formula. Computed in tiles, so that memory grows with the nodes and not with their square.
    Gradients reach the encoder and the decoder, through both sides of every pair. ``forward`` changes no state.

    Inputs: one column of texts or several (all nodes of all columns are contrasted together); labels are not used.

    Args:
        model: A SentenceTransformer whose first module is a `selfsent.modules.TreeEncoder`.
        temperature: Divides the cosines; default e^-0.2 = 0.8187, the released code's multiplier as a divisor.
        decomposition_dropout: Share of values dropped from decomposed embeddings in training (released code: 0.1).

    Raises:
        UserError: The model is not a tree model, or the temperature is not positive.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        temperature: float = RELEASED_TEMPERATURE,
        decomposition_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.model = model
        self.temperature = temperature
        self.tree_pass = TreePass(model, decomposition_dropout=decomposition_dropout)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:  # noqa: ARG002 the host passes labels
        """Return the mean over nodes of both directions' cross-entropy, in nats."""
        nodes = self.tree_pass(self.model, sentence_features)
        rows, columns = (functional.normalize(side, dim=1) for side in (nodes.up, nodes.down))
        return tiled_symmetric_info_nce(rows, columns, temperature=self.temperature)

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {"temperature": self.temperature, "decomposition_dropout": self.tree_pass.decoder.dropout}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return STRAE_CITATION


def check_temperature(temperature: float) -> None:
    """Refuse a temperature no cosine can be divided by."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise UserError(
            f"temperature={temperature} cannot divide a cosine; give a number above 0, such as 0.8187 or 0.05"
        )


STRAE_CITATION = """
@inproceedings{opper-etal-2023-strae,
    title = "{S}tr{AE}: Autoencoding for Pre-Trained Embeddings using Explicit Structure",
    author = "Opper, Mattia and Prokhorov, Victor and N, Siddharth",
    booktitle = "Proceedings of the 2023 Conference on Empirical Methods in Natural Language Processing",
    year = "2023",
    url = "https://arxiv.org/abs/2305.05588",
}
"""
