"""Masked language modelling: as an objective of its own, and as an auxiliary one beside a contrastive loss."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForMaskedLM, DataCollatorForLanguageModeling, PreTrainedModel

from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import mean_of_all_ranks
from selfsent.losses.translation_language_modelling import joined_features
from selfsent.options import Options, option, takes


@dataclass(frozen=True, kw_only=True)
class MaskingOptions(Options):
    """How tokens are masked out.

    Args:
        masked_share: Share of tokens to find (BERT: 0.15).
    """

    masked_share: float = option(0.15, above=0, below=1)


@dataclass(frozen=True, kw_only=True)
class _LossArguments(MaskingOptions):
    base: str | Path | None = None
    next_sentence: bool = False


@dataclass(frozen=True, kw_only=True)
class _Arguments(MaskingOptions):
    base: str | Path | None = None
    is_saved: bool = False


class MaskedLanguageModel(nn.Module):
    """The masked-LM head of a transformer and its loss: find the tokens that were masked out.

    The head is that of the base model where it has one, fresh otherwise; its output weights are the embedding table
    where the architecture ties them. The body is the SentenceTransformer's own, so both learn together.

    Source: BERT (Devlin et al., NAACL 2019): 15% of the tokens are chosen; of these 80% become the mask token, 10% a
    random one, 10% stay. As an auxiliary objective: SimCSE (Gao et al., EMNLP 2021), Section 5.

    Args:
        model: A SentenceTransformer that begins with a ``Transformer``.
        base: Folder or hub name the body came from, to take its head; ``None`` makes a fresh head.
        is_saved: Whether the model is saved with the head: its folder then opens as a masked LM as well.
        options: Options by keyword; see `MaskingOptions`.

    Raises:
        UserError: The model has no transformer, the architecture no masked LM, or the tokenizer no mask token.
    """

    @takes(_Arguments)
    def __init__(self, model: SentenceTransformer, arguments: _Arguments) -> None:
        super().__init__()
        self.options = arguments.part(MaskingOptions)
        body, tokenizer = _body_and_tokenizer(model)
        if tokenizer.mask_token_id is None:
            raise UserError("the tokenizer has no mask token; masked language modelling needs one, as BERT's has")
        self._collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=self.options.masked_share)
        self._special_ids = torch.tensor(sorted(tokenizer.all_special_ids))
        whole = _masked_lm(body, arguments.base)
        whole.config = body.config
        setattr(whole, whole.base_model_prefix, body)
        whole.tie_weights()
        heads = [child for name, child in whole.named_children() if name != whole.base_model_prefix]
        if len(heads) != 1:
            raise UserError(
                f"the masked-LM head of {type(whole).__name__} is not one module; BERT, RoBERTa and their like are"
            )
        self.head = heads[0].to(device=body.device, dtype=body.dtype)
        if arguments.is_saved:  # the host saves a transformer by this method of its body
            body.save_pretrained = whole.save_pretrained

    def forward(self, model: nn.Module, features: Mapping[str, Any]) -> Float[Tensor, ""]:
        """Mask the texts of one column and return the mean cross-entropy of the tokens masked out, in nats.

        Of several ranks it is this rank's share of the mean over the tokens of all.

        Masks are drawn anew in training, and are the same at every evaluation (no gradient), so that two compare.

        Args:
            model: The SentenceTransformer, or what wraps it.
            features: Features of one column; left as they are.
        """
        return self.masked_pass(model, features)[0]

    def masked_pass(
        self, model: nn.Module, features: Mapping[str, Any]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "B T D"]]:
        """As ``forward``, with the token states of the masked texts beside the loss."""
        ids = cast("Tensor", features["input_ids"])
        is_special = torch.isin(ids, self._special_ids.to(ids.device)) | (features["attention_mask"] == 0)
        self._collator.generator = None if torch.is_grad_enabled() else torch.Generator().manual_seed(0)
        masked, labels = self._collator.torch_mask_tokens(ids.cpu().clone(), is_special.cpu())
        masked, labels = masked.to(ids.device), labels.to(ids.device)
        states = model({**features, "input_ids": masked})["token_embeddings"]
        chosen = labels >= 0
        num_chosen = int(chosen.sum())
        found = self.head(states[chosen]) if num_chosen else None
        mean = states.sum() * 0.0 if found is None else functional.cross_entropy(found, labels[chosen])
        return mean_of_all_ranks(mean, num_chosen), states


class NextSentence(nn.Module):
    """Tell from the state of the first token whether a text follows another: BERT's second task.

    Source: BERT (Devlin et al., NAACL 2019), Section 3.1, Task 2; the layer and the tanh before the classifier are its
    pooler.

    Args:
        width: D of the token states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, 2)

    def forward(self, first_states: Float[Tensor, "B D"], follows: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        """Return the mean cross-entropy over pairs, in nats.

        Args:
            first_states: State of the first token of each pair of texts.
            follows: 1 where the second text follows the first, else 0.
        """
        return functional.cross_entropy(self.classifier(self.pooler(first_states).tanh()), follows)


class MaskedLanguageModelingLoss(nn.Module):
    """Masked language modelling as the only objective: pretrains a small transformer on raw text.

    Source and head: see `MaskedLanguageModel`. Inputs: one column of texts or several (averaged); no labels. The head
    belongs to the loss, and is saved with the model: ``SentenceTransformer`` opens the folder without it, and
    ``AutoModelForMaskedLM`` with it. ``forward`` changes no state.

    With ``next_sentence`` the inputs are two columns and labels, 1 where the second text follows the first: both are
    one row of two segments, and their sum of losses is BERT's. Without labels it is masked language modelling alone.

    The checkpoints of sentence-transformers do not hold the head: to resume a run, or to train on several devices, use
    `selfsent.training.trainer.ExactTrainer`.

    Args:
        model: A SentenceTransformer that begins with a ``Transformer``.
        base: Folder or hub name the body came from, to take its head; ``None`` makes a fresh head.
        next_sentence: Whether to predict if the second text follows the first.
        options: Options by keyword; see `MaskingOptions`.

    Raises:
        UserError: As `MaskedLanguageModel`; or with ``next_sentence`` the model knows no segments, or there are not two
            columns.

    Example:
        ```python
        from datasets import Dataset
        from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

        from selfsent.losses import MaskedLanguageModelingLoss

        model = SentenceTransformer("bert-base-uncased")
        dataset = Dataset.from_dict({"text": ["A cat sleeps on the roof.", "It rained all night."]})
        loss = MaskedLanguageModelingLoss(model, base="bert-base-uncased")
        trainer = SentenceTransformerTrainer(model=model, train_dataset=dataset, loss=loss)
        trainer.train()
        ```
    """

    @takes(_LossArguments)
    def __init__(self, model: SentenceTransformer, arguments: _LossArguments) -> None:
        super().__init__()
        self.model = model
        self.next_sentence = _next_sentence_of(model) if arguments.next_sentence else None
        masking = asdict(arguments.part(MaskingOptions))
        self.masked_language_model = MaskedLanguageModel(model, base=arguments.base, is_saved=True, **masking)

    def forward(
        self,
        sentence_features: Iterable[Mapping[str, Any]],
        labels: Tensor | None = None,
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Return the mean cross-entropy of the masked tokens, in nats; by name with that of the next sentence."""
        if self.next_sentence is not None:
            return self._with_next_sentence(self.next_sentence, list(sentence_features), labels)
        losses = [self.masked_language_model(self.model, features) for features in sentence_features]
        return torch.stack(losses).mean()

    def _with_next_sentence(
        self, next_sentence: NextSentence, columns: list[Mapping[str, Any]], labels: Tensor | None
    ) -> Float[Tensor, ""] | dict[str, Float[Tensor, ""]]:
        """Both of BERT's losses of pairs of texts."""
        if len(columns) != 2:  # noqa: PLR2004 a text and what may follow it
            raise UserError(f"next_sentence must get two columns of texts, got {len(columns)}")
        limit = int(self.model.max_seq_length or columns[0]["input_ids"].shape[1] + columns[1]["input_ids"].shape[1])
        joined = joined_features(*columns, max_tokens=limit)
        ends = (joined["input_ids"] == int(self.model.tokenizer.sep_token_id)).long()
        segments = (ends.cumsum(dim=1) - ends).clamp(max=1) * joined["attention_mask"]
        masked, states = self.masked_language_model.masked_pass(self.model, {**joined, "token_type_ids": segments})
        if labels is None:
            return masked
        return {"masked_language_model": masked, "next_sentence": next_sentence(states[:, 0], labels.flatten())}

    def get_config_dict(self) -> dict[str, Any]:
        """Name the settings for the model card."""
        return {**asdict(self.masked_language_model.options), "next_sentence": self.next_sentence is not None}


def _next_sentence_of(model: SentenceTransformer) -> NextSentence:
    """The head that tells whether a text follows another, of a model that tells texts apart by their segment."""
    body, _ = _body_and_tokenizer(model)
    if int(getattr(body.config, "type_vocab_size", 0) or 0) < 2:  # noqa: PLR2004 a segment each
        raise UserError(
            f"next_sentence needs a model of two segments, as BERT is, got {body.config.model_type}; leave it out"
        )
    return NextSentence(int(body.config.hidden_size)).to(device=body.device, dtype=body.dtype)


def _body_and_tokenizer(model: SentenceTransformer) -> tuple[PreTrainedModel, Any]:
    first = model[0]
    if not isinstance(first, Transformer):
        raise UserError(
            f"masked language modelling needs a transformer; this model begins with {type(first).__name__};"
            " name one with --base"
        )
    return first.model, first.tokenizer


def _masked_lm(body: PreTrainedModel, base: str | Path | None) -> PreTrainedModel:
    """The masked LM whose body is to be replaced, with the head of ``base``."""
    try:
        if base is not None:
            return cast("PreTrainedModel", AutoModelForMaskedLM.from_pretrained(str(base), use_safetensors=True))
        config = AutoConfig.for_model(**body.config.to_dict())
        return cast("PreTrainedModel", AutoModelForMaskedLM.from_config(config))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"there is no masked LM for {base or body.config.model_type}: {reason}") from error
