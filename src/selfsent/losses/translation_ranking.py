"""Translation ranking, alone or beside masked and translation language modelling: a multilingual model of one's own."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin
from torch import Tensor, nn

from selfsent.errors import UserError
from selfsent.losses.info_nce import InfoNCELoss, MarginOptions
from selfsent.losses.masked_language_modelling import MaskedLanguageModel, MaskingOptions
from selfsent.losses.translation_language_modelling import joined_features
from selfsent.options import option, takes

Features = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TranslationRankingOptions(MaskingOptions, MarginOptions):
    """Options of `TranslationRankingLoss`.

    Args:
        temperature: Divides cosines (not stated by LaBSE; 0.05).
        margin: m, subtracted from the cosine of a text with its translation (LaBSE: 0.3).
        ranking_weight: Weight of the ranking; 0 leaves it out.
        mlm_weight: Weight of masked language modelling, the mean of both sides; 0 leaves it out.
        tlm_weight: Weight of translation language modelling; 0 leaves it out.
        mini_batch_size: Sentences embedded at once with gradient caching: memory for so many, negatives of the whole
            batch, two passes; ``none`` embeds the batch in one pass.
    """

    margin: float = option(0.3, at_least=0, below=2)
    ranking_weight: float = option(1.0, at_least=0)
    mlm_weight: float = option(0.0, at_least=0)
    tlm_weight: float = option(0.0, at_least=0)
    mini_batch_size: int | None = option(None, at_least=1)

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have, alone or together."""
        if self.ranking_weight or self.mlm_weight or self.tlm_weight:
            return super().problems()
        together = "ranking_weight, mlm_weight and tlm_weight of 0 leave nothing to learn from; set one above 0"
        return [*super().problems(), together]


@dataclass(frozen=True, kw_only=True)
class _Arguments(TranslationRankingOptions):
    base: str | None = None
    max_tokens: int = 128


class TranslationRankingLoss(nn.Module):
    """Find each sentence's translation among those of the whole batch and of all ranks, in both directions.

    The translation must be nearer than any other sentence by an additive margin. Masked language modelling of both
    sides (``mlm``) and of sentences joined to their translations (``tlm``) may be added, or stand alone.

    Source: LaBSE (Feng et al., ACL 2022), Section 3.2 and Equation 2, with the margin of Yang et al. 2019; XLM
    (Conneau and Lample 2019) for ``tlm``; gradient caching: Gao et al. 2021, as sentence-transformers implements it.

    Differs: the mean of both directions, where LaBSE has their sum; cosines are divided by a temperature, which the
    paper does not state; equal texts of a batch are no negatives of each other.

    Inputs: two columns of tokens, texts and their translations; no labels. The masked-LM head belongs to the loss and
    is saved with the model, which then opens as a masked LM too.

    The checkpoints of sentence-transformers do not hold the masked-LM head and the count: to resume a run, or to train
    on several ranks, use `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: The model to train; ``mlm`` and ``tlm`` need a ``Transformer`` as its first module.
        base: Folder or hub name the model came from, to take its masked-LM head; ``None`` makes a fresh head.
        max_tokens: Positions of the model, for joined rows.
        options: Options by keyword; see `TranslationRankingOptions`.

    Raises:
        UserError: All weights are 0 or one is below, a number is out of range, or the model is no transformer.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import TranslationRankingLoss

        model = SentenceTransformer("xlm-roberta-base")
        dataset = Dataset.from_dict({
            "source": ["A cat sleeps on the roof.", "It rained all night."],
            "target": ["Eine Katze schläft auf dem Dach.", "Es regnete die ganze Nacht."],
        })
        loss = TranslationRankingLoss(model)
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(_Arguments)
    def __init__(self, model: SentenceTransformer, arguments: _Arguments) -> None:
        super().__init__()
        options = arguments.part(TranslationRankingOptions)
        self.weights = {"ranking": options.ranking_weight, "mlm": options.mlm_weight, "tlm": options.tlm_weight}
        self.model = model
        self.max_tokens = arguments.max_tokens
        contrast = InfoNCELoss(model, symmetric=True, **asdict(options.part(MarginOptions)))
        self.ranking: InfoNCELoss | CachedRanking = (
            contrast
            if options.mini_batch_size is None
            else CachedRanking(contrast, mini_batch_size=options.mini_batch_size)
        )
        masking = asdict(options.part(MaskingOptions))
        needs_head = options.mlm_weight > 0 or options.tlm_weight > 0
        self.masked_language_model = (
            MaskedLanguageModel(model, base=arguments.base, is_saved=True, **masking) if needs_head else None
        )

    def forward(
        self,
        sentence_features: Iterable[Features],
        labels: Tensor | None = None,  # noqa: ARG002 the host passes labels
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the weighted terms by name, in nats: means over sentences, or over the tokens to find."""
        columns = list(sentence_features)
        terms: dict[str, Tensor] = {}
        if self.weights["ranking"]:
            found = self.ranking([dict(column) for column in columns])
            terms["ranking"] = found if isinstance(found, Tensor) else found["info_nce"]
        if self.masked_language_model is not None and self.weights["mlm"]:
            found = [self.masked_language_model(self.model, column) for column in columns]
            terms["mlm"] = torch.stack(found).mean()
        if self.masked_language_model is not None and self.weights["tlm"]:
            joined = joined_features(columns[0], columns[1], max_tokens=self.max_tokens)
            terms["tlm"] = self.masked_language_model(self.model, joined)
        return {name: self.weights[name] * term for name, term in terms.items()}

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        weights = {f"{name}_weight": weight for name, weight in self.weights.items()}
        return {**weights, **self.ranking.get_config_dict()}

    @property
    def citation(self) -> str:
        """BibTeX entry of the source, for the model card."""
        return LABSE_CITATION


class CachedRanking(CachedLossMixin, nn.Module):
    """InfoNCE over a batch that does not fit into memory at once, by the host's gradient caching.

    The batch is embedded in parts without gradients, the loss is computed on all embeddings, and the parts are
    embedded again to pass its gradients on, with the same dropout.

    Args:
        contrast: The objective, holding the model.
        mini_batch_size: Sentences embedded at once, above 0.

    Raises:
        UserError: In ``forward``: the features are not rows of tokens.
    """

    def __init__(self, contrast: InfoNCELoss, *, mini_batch_size: int) -> None:
        super().__init__()
        self.model = contrast.model
        self.contrast = contrast
        self.mini_batch_size = mini_batch_size
        self._columns: list[Features] = []

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Float[Tensor, ""]:
        """Return the mean over anchors in nats."""
        columns = list(sentence_features)
        if any(getattr(column.get("attention_mask"), "ndim", 0) != 2 for column in columns):  # noqa: PLR2004 rows, tokens
            raise UserError(
                f"mini_batch_size needs rows of tokens to cut a batch by, as transformers have, and"
                f" {type(self.model[0]).__name__} has none; leave it out: such models need little memory"
            )
        self._columns = [dict(column) for column in columns]
        return self.forward_cached(columns, labels)

    def calculate_loss(
        self,
        reps: list[list[Tensor]],
        labels: Tensor | None = None,  # noqa: ARG002 the host's signature
        *,
        with_backward: bool = False,
    ) -> Tensor:
        """Compute the objective on the embeddings of all parts; the host calls it."""
        loss = self.contrast.contrast([torch.cat(parts) for parts in reps], self._columns)
        if with_backward:
            loss.backward()
        return loss.detach() if with_backward else loss

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {**self.contrast.get_config_dict(), "mini_batch_size": self.mini_batch_size}


LABSE_CITATION = """
@inproceedings{feng-etal-2022-language,
    title = "Language-agnostic {BERT} Sentence Embedding",
    author = "Feng, Fangxiaoyu and Yang, Yinfei and Cer, Daniel and Arivazhagan, Naveen and Wang, Wei",
    booktitle = "Proceedings of the 60th Annual Meeting of the Association for Computational Linguistics",
    year = "2022",
    url = "https://arxiv.org/abs/2007.01852",
}
"""
