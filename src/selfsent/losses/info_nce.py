"""InfoNCE, with what SimCSE adds to it: a head for training only, and weighted hard negatives."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.merged_forward import merge_feature_batches
from sentence_transformers.util import all_gather, all_gather_with_grad
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import trains_across_ranks
from selfsent.losses.functional import candidate_cross_entropy
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.losses.same_texts import false_negatives, same_label, text_keys
from selfsent.losses.sentence_pass import embed_columns, repeat_rows
from selfsent.options import Options, option, takes

MaskedColumns = Literal["first", "all"]
"""Whose tokens the masked language model beside a contrast finds: those of the first column's texts, or of every
embedded text, so that a text that is embedded twice is masked twice."""


@dataclass(frozen=True, kw_only=True)
class TemperatureOptions(Options):
    """The temperature of a contrast.

    Args:
        temperature: Divides cosines (SimCSE: 0.05).
    """

    temperature: float = option(0.05, above=0)


@dataclass(frozen=True, kw_only=True)
class ContrastOptions(TemperatureOptions):
    """How sentences are contrasted with each other.

    Args:
        symmetric: Whether the second view looks for the first too, and both losses are averaged (SimCSE: no).
        hard_negative_weight: alpha, the weight of an anchor's own hard negatives, where the data has any (SimCSE: 1).
        masked_weight: lambda, the weight of masked language modelling beside the contrast (SimCSE: 0.1).
        masked_columns: What is masked for it: the texts of the ``first`` column, or of ``all`` that are embedded, both
            passes of a text among them (SimCSE's released code).
        skip_false_negatives: Whether equal texts of a batch are left out of the negatives.
    """

    symmetric: bool = False
    hard_negative_weight: float = option(1.0, above=0)
    masked_weight: float = option(0.1, at_least=0)
    masked_columns: MaskedColumns = "first"
    skip_false_negatives: bool = True


@dataclass(frozen=True, kw_only=True)
class MarginOptions(TemperatureOptions):
    """The margin of a contrast, by which the positive must be nearer than the negatives.

    Args:
        margin: Subtracted from the cosine of each anchor with its own positive (LaBSE: 0.3; SimCSE has none).
    """

    margin: float = option(0.0, at_least=0, below=2)


@dataclass(frozen=True, kw_only=True)
class LabelOptions(Options):
    """What the labels of a contrast are.

    Args:
        documents_as_labels: Whether a row's label is the number of the document it is part of; then candidates from the
            same document are left out of the negatives and counted with the others.
    """

    documents_as_labels: bool = False


@dataclass(frozen=True, kw_only=True)
class InfoNCEOptions(LabelOptions, MarginOptions, ContrastOptions):
    """Options of `InfoNCELoss`."""


@dataclass(frozen=True, kw_only=True)
class _Arguments(InfoNCEOptions):
    head: nn.Module | None = None
    masked_language_model: MaskedLanguageModel | None = None


class TanhHead(nn.Module):
    """One affine layer and a hyperbolic tangent, as BERT's own pooler has it, with fresh weights.

    Source: SimCSE (Gao et al., EMNLP 2021), Section 3.1 and released code: kept on [CLS] while training, removed at
    test in the unsupervised setting.

    Args:
        width: D of the sentence embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, embeddings: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return the projected embeddings; each value lies in (-1, 1)."""
        return self.linear(embeddings).tanh()


class InfoNCELoss(nn.Module):
    """Find each sentence's other view among those of the whole batch; other sentences are the negatives.

    One column gives SimCSE's unsupervised views: each text is embedded twice and only dropout differs. Two columns are
    anchor and positive, further ones hard negatives. Batches of several ranks are one batch.

    Source: SimCSE (Gao et al., EMNLP 2021), Equations 1 and 5, Section 4 and Appendix B.

    Differs: candidates with the very text of the anchor or its positive, and positives of an equal anchor, are left
    out and counted (``num_false_negatives``; ``skip_false_negatives=False`` keeps them). Without a head, weights and
    such candidates this is ``MultipleNegativesRankingLoss(scale=1 / temperature)``, computed in one pass.

    Labels are not used unless ``documents_as_labels``. The head belongs to the loss and is not saved with the model.
    ``forward`` changes only the count.

    The checkpoints of sentence-transformers do not hold the head and the count: to resume a run, or to train on
    several ranks, use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: The SentenceTransformer to train.
        head: Applied to all embeddings in training, dropped afterwards; maps (B, D) to (B, D'), such as `TanhHead`.
        masked_language_model: Adds masked language modelling of the first column.
        options: Options by keyword; see `InfoNCEOptions`.

    Raises:
        UserError: A number is out of range; in ``forward``: a batch without any negative.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import InfoNCELoss

        model = SentenceTransformer("bert-base-uncased")
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = InfoNCELoss(model, temperature=0.05)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    num_false_negatives: Tensor

    @takes(_Arguments)
    def __init__(self, model: SentenceTransformer, arguments: _Arguments) -> None:
        super().__init__()
        self.model = model
        self.options = arguments.part(InfoNCEOptions)
        self.head = None if arguments.head is None else arguments.head.to(model.device)
        self.masked_language_model = arguments.masked_language_model
        self.register_buffer("num_false_negatives", torch.zeros((), dtype=torch.int64, device=model.device))

    def forward(
        self,
        sentence_features: Iterable[Mapping[str, Any]],
        labels: Tensor | None = None,
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Return the mean over anchors in nats, or by name with the masked language model's (already weighted)."""
        columns = list(sentence_features)
        views = repeat_rows(columns[0]) if len(columns) == 1 else columns
        embeddings = embed_columns(self.model, views)
        if self.head is not None:
            embeddings = list(self.head(torch.cat(embeddings)).chunk(len(embeddings)))
        contrast = self.contrast(embeddings, views, labels if self.options.documents_as_labels else None)
        if self.masked_language_model is None or not self.options.masked_weight:
            return contrast
        masked = self._masked(self.masked_language_model, views)
        return {"info_nce": contrast, "masked_language_model": self.options.masked_weight * masked}

    def _masked(self, masked_lm: MaskedLanguageModel, views: Sequence[Mapping[str, Any]]) -> Float[Tensor, ""]:
        """Mean cross-entropy of the tokens masked out."""
        whole = merge_feature_batches([dict(view) for view in views]) if self.options.masked_columns == "all" else None
        return masked_lm(self.model, views[0] if whole is None else whole)

    def contrast(
        self,
        embeddings: Sequence[Float[Tensor, "B D"]],
        views: Sequence[Mapping[str, Any]],
        documents: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, ""]:
        """Contrast embeddings: anchors, positives, then hard negatives by column.

        Args:
            embeddings: One column each.
            views: Their features, which tell equal texts.
            documents: For each row the number of its document; ``None``: every row is a document of its own.
        """
        anchors, positives = embeddings[0], embeddings[1]
        everywhere = [_gathered(column) for column in embeddings[1:]]
        num_rows = len(everywhere[0])
        if num_rows == 1 and len(everywhere) == 1:
            raise UserError("a batch of one sentence has no negatives; give 2 or more with --batch-size")
        target = (_rank() or 0) * len(anchors) + torch.arange(len(anchors), device=anchors.device)
        log_weight = self._log_weight(views, target, num_rows, anchors, documents)
        if log_weight is not None and torch.is_grad_enabled():
            self.num_false_negatives += log_weight.isinf().sum()
        loss = candidate_cross_entropy(
            anchors, torch.cat(everywhere), target, temperature=self.options.temperature, log_weight=log_weight
        )
        if not self.options.symmetric:
            return loss
        if log_weight is not None:
            log_weight = self._log_weight(views[:2][::-1], target, num_rows, anchors, documents)
        all_anchors = _gathered(anchors)
        back = candidate_cross_entropy(
            positives, all_anchors, target, temperature=self.options.temperature, log_weight=log_weight
        )
        return (loss + back) / 2

    def _log_weight(
        self,
        views: Sequence[Mapping[str, Any]],
        target: Tensor,
        num_rows: int,
        like: Tensor,
        documents: Tensor | None,
    ) -> Float[Tensor, "B N"] | None:
        """What to add to each scaled cosine: nothing, log alpha, or minus infinity; ``None`` if nothing anywhere."""
        num_candidates = num_rows * (len(views) - 1)
        skipped = self._skipped(views, target, documents)
        if skipped is None and self.options.hard_negative_weight == 1 and not self.options.margin:
            return None
        log_weight = like.new_zeros(len(target), num_candidates)
        log_weight[torch.arange(len(target)), target] = -self.options.margin / self.options.temperature
        for column in range(1, len(views) - 1):
            log_weight[torch.arange(len(target)), target + column * num_rows] = math.log(
                self.options.hard_negative_weight
            )
        return log_weight if skipped is None else log_weight.masked_fill(skipped, -math.inf)

    def _skipped(
        self, views: Sequence[Mapping[str, Any]], target: Tensor, documents: Tensor | None
    ) -> Bool[Tensor, "B N"] | None:
        """The candidates that are not used as negatives; ``None`` where every candidate is."""
        skipped = self._false_negatives(views, int(target[0])) if self.options.skip_false_negatives else None
        if documents is None:
            return skipped
        num_candidates = len(views[1:]) * len(all_documents := _gathered(documents))
        of_same_document = same_label(documents, all_documents, num_candidates, int(target[0]))
        return of_same_document if skipped is None else skipped | of_same_document

    def _false_negatives(self, views: Sequence[Mapping[str, Any]], first: int) -> Tensor | None:
        keys = [text_keys(view) for view in views]
        known = [key for key in keys if key is not None]
        if len(known) < len(keys):
            return None
        gathered = [_gathered(key) for key in known]
        return false_negatives(known[0], known[1], gathered[0], gathered[1:], first)

    def counts(self) -> dict[str, int]:
        """Return what the trainer logs beside the loss: the number of candidates left out so far, on this rank."""
        return {"num_false_negatives": int(self.num_false_negatives)}

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {
            **asdict(self.options),
            "head": None if self.head is None else type(self.head).__name__,
            "masked_weight": 0.0 if self.masked_language_model is None else self.options.masked_weight,
        }

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return SIMCSE_CITATION


def _rank() -> int | None:
    """This process's number among those that take a step together; ``None`` where it is alone, or evaluates."""
    return dist.get_rank() if trains_across_ranks() else None


def _gathered(rows: Tensor) -> Tensor:
    """Gather the rows of all ranks, with gradients where they have any."""
    if _rank() is None:
        return rows
    return all_gather_with_grad(rows) if rows.is_floating_point() else all_gather(rows)


SIMCSE_CITATION = """
@inproceedings{gao-etal-2021-simcse,
    title = "{S}im{CSE}: Simple Contrastive Learning of Sentence Embeddings",
    author = "Gao, Tianyu and Yao, Xingcheng and Chen, Danqi",
    booktitle = "Proceedings of the 2021 Conference on Empirical Methods in Natural Language Processing",
    year = "2021",
    url = "https://arxiv.org/abs/2104.08821",
}
"""
