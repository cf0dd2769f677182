"""SimCSE: contrastive learning of sentence embeddings, with dropout or entailment as the other view.

Gao, Yao & Chen, "SimCSE: Simple Contrastive Learning of Sentence Embeddings", EMNLP 2021 (arXiv 2104.08821).

==========================================  ================================  ==========================================
of the paper                                object                            file
==========================================  ================================  ==========================================
unsupervised objective (Equations 1, 4)     ``InfoNCELoss`` on one column     ``losses/info_nce.py``
supervised objective (Equation 5)           ``InfoNCELoss`` on three columns  ``losses/info_nce.py``
hard-negative weight alpha (Section 4)      ``hard_negative_weight``          ``losses/info_nce.py``
dropout as the only noise (Section 3)       ``repeat_rows``                   ``losses/sentence_pass.py``
other augmentations (Table 1)               ``make_view``                     ``views/``
MLP head, in training only (Section 6.3)    ``TanhHead``                      ``losses/info_nce.py``
pooling modes (Section 6.3)                 ``pooling_modules``               ``methods/starting_model.py``
masked-LM auxiliary (Section 5)             ``MaskedLanguageModel``           ``losses/masked_language_modelling.py``
NLI triplets (Section 4)                    ``EntailmentTriplets``            ``data/entailment_triplets.py``
==========================================  ================================  ==========================================

Where we differ:

* Repeated sentences are left out of the data, and equal texts of a batch out of the negatives; both are counted.
* The head that stays with a supervised model is one of the host's ``Dense`` modules, so the host alone opens it.
* ``mean-first-last`` averages the first and the last layer's output, as the released code does since its correction.
* The head starts as a linear layer of PyTorch does, with a bias; the released code draws its weights from N(0, 0.02),
  its bias being 0 (``head_init=normal``).
* The auxiliary objective masks the texts of the first column; the released code those of every column, of both passes
  too (``masked_columns=all``). The output weights of its head are the embedding table where the base ties them; the
  released code trains a copy.
* A last batch that is not full is left out (``training.dataloader_drop_last``); the released code trains on it.
* STS-B dev is looked at ten times a run, at least every 500 steps (``training.eval_steps``); the paper does so every
  250 steps, the scripts every 125.

``preset=released`` sets what of this is a setting to what the scripts ran.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

from selfsent.data.arrow_file import materialise
from selfsent.data.entailment_triplets import EntailmentTriplets
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.errors import UserError
from selfsent.loading import FROM_SCRATCH
from selfsent.losses.info_nce import ContrastOptions, InfoNCELoss, TanhHead
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.losses.sentence_pass import width_of
from selfsent.methods.document_views import ViewOptions, document_dataset, made_views, reads_documents
from selfsent.methods.method import Method, Released, split_for
from selfsent.methods.starting_model import (
    DropoutOptions,
    PoolingName,
    PoolingOptions,
    from_scratch,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.options import option
from selfsent.training.run import Ingredients, Run, RunData
from selfsent.views import PairedViews, make_view, pair_transform

PAPER_BASE = "bert-base-uncased"
Head = Literal["training-only", "kept", "none"]
HeadInit = Literal["uniform", "normal"]
_NORMAL_SD = 0.02


@dataclass(frozen=True, kw_only=True)
class SimcseConfig(ContrastOptions, DropoutOptions, PoolingOptions, ViewOptions):
    """Options of ``simcse``; the defaults are the paper's for BERT-base.

    Args:
        pooling: How token states become an embedding (``cls``).
        head: The MLP over the embedding: in training only, kept in the model, or none.
        head_init: How its weights start: ``uniform`` as a linear layer of PyTorch, or ``normal`` with standard
            deviation 0.02 and a bias of 0 (released code).
        masked_weight: Weight of masked language modelling beside the contrast (0; the paper's auxiliary: 0.1).
        max_seq_length: Tokens a training text is cut to (32); the model reads as many as its base.
    """

    pooling: PoolingName = "cls"
    head: Head = "training-only"
    head_init: HeadInit = "uniform"
    masked_weight: float = option(0.0, at_least=0)
    max_seq_length: int = option(32, at_least=2)


@dataclass(frozen=True, kw_only=True)
class SupervisedSimcseConfig(SimcseConfig):
    """Options of ``simcse-sup``: those of ``simcse``, with the head kept in the model."""

    head: Head = "kept"


def training(config: SimcseConfig) -> dict[str, Any]:
    """The paper's training arguments for BERT-base: linear decay without warm-up, clipped at 1 (Appendix A)."""
    is_supervised = isinstance(config, SupervisedSimcseConfig)
    return {
        "learning_rate": 5e-5 if is_supervised else 3e-5,
        "per_device_train_batch_size": 512 if is_supervised else 64,
        "num_train_epochs": 3 if is_supervised else 1,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(run: Run[SimcseConfig], data: RunData) -> Ingredients:
    """Open the base, write the texts to disk, and put model, views and loss together.

    Raises:
        UserError: The base cannot be used, an option is not known or out of range, or the data has no usable row.
    """
    config = run.config
    model = starting_model(run, data)
    limit = training_limit(model, config.max_seq_length)
    if reads_documents(config):
        dataset, notes = document_dataset(config.view, run, data)
        loss = _loss(run, model)
        return Ingredients(model=model, loss=loss, dataset=dataset, notes=notes, max_seq_length=limit)
    rows = TrainingRows(lambda: texts_of(data.source), ("text",), tokenizer=tokenizer_of(model), max_seq_length=limit)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    dataset, heldout = split_for(data, dataset)
    dataset, lone = _without_lone_row(run, dataset)
    if config.view != "repeat":
        _, view = made_views(config, run, data, base=_pretrained(run))
        dataset.set_transform(pair_transform(make_view("repeat"), view))
    loss = _loss(run, model)
    notes = [*rows.notes(), *lone]
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes, max_seq_length=limit)


def build_supervised(run: Run[SupervisedSimcseConfig], data: RunData) -> Ingredients:
    """Open the base, write pairs or triplets to disk, and put model and loss together.

    Takes ``anchor, positive[, negative]``, or ``premise, hypothesis, label``, of which triplets are made.

    Raises:
        UserError: The base cannot be used, an option is not known or out of range, or the data has other columns.
    """
    config = run.config
    source = data.source
    model = starting_model(run, data)
    limit = training_limit(model, config.max_seq_length)
    triplets = EntailmentTriplets(source) if source.columns == ("premise", "hypothesis", "label") else None
    columns = ("anchor", "positive", "negative") if triplets is not None else source.columns
    if columns[:2] != ("anchor", "positive"):
        raise UserError(
            f"simcse-sup learns from anchor, positive[, negative], or premise, hypothesis, label; {source.spec} holds"
            f" {', '.join(columns)}; pick columns with --columns, or train `simcse` on bare texts"
        )
    rows = TrainingRows(
        lambda: source if triplets is None else triplets,
        columns,
        tokenizer=tokenizer_of(model),
        max_seq_length=limit,
    )
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=columns)
    dataset, heldout = split_for(data, dataset)
    dataset, lone = _without_lone_row(run, dataset)
    if config.view != "repeat":
        dataset.set_transform(
            PairedViews(*made_views(config, run, data, base=_pretrained(run)), (columns[0], columns[1]))
        )
    notes = [*rows.notes(), *lone, *([triplets.note()] if triplets is not None else [])]
    loss = _loss(run, model)
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes, max_seq_length=limit)


def starting_model(run: Run[SimcseConfig], data: RunData) -> SentenceTransformer:
    """The base as a SentenceTransformer, with the head in it where it is kept."""
    config = run.config
    if run.base in FROM_SCRATCH:
        model = from_scratch(run.base, data.source.texts(), config, device=run.device)
    else:
        model = open_transformer(
            PAPER_BASE if run.base is None else run.base,
            device=run.device,
            **asdict(config.part(PoolingOptions)),
            **asdict(config.part(DropoutOptions)),
        )
    if config.head == "kept":
        head = Dense(width_of(model), width_of(model), activation_function=nn.Tanh())
        _start(head.linear, config.head_init)
        model.append(head.to(model.device))
    return model


def _start(linear: nn.Linear, init: HeadInit) -> None:
    """Draw the weights of a head as the released code does, where that was asked for."""
    if init == "normal":
        nn.init.normal_(linear.weight, std=_NORMAL_SD)
        nn.init.zeros_(linear.bias)


def _training_head(config: SimcseConfig, width: int) -> TanhHead | None:
    """The head that belongs to the loss, where there is one."""
    if config.head != "training-only":
        return None
    head = TanhHead(width)
    _start(head.linear, config.head_init)
    return head


def _without_lone_row(run: Run[SimcseConfig], dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Leave out a row that would be a batch by itself, since one text has no negatives."""
    batch_size = int(run.training.get("per_device_train_batch_size", 0))
    drops_last = run.training.get("dataloader_drop_last", True)
    if drops_last or batch_size <= 1 or len(dataset) % batch_size != 1:
        return dataset, []
    note = f"1 row is left out: it would be a last batch of one text beside batches of {batch_size}, without negatives"
    return dataset.select(range(len(dataset) - 1)), [note]


def _pretrained(run: Run[SimcseConfig]) -> str | None:
    """The base, where it is pretrained."""
    if run.base in FROM_SCRATCH:
        return None
    return PAPER_BASE if run.base is None else run.base


def _loss(run: Run[SimcseConfig], model: SentenceTransformer) -> InfoNCELoss:
    config = run.config
    masked = None
    if config.masked_weight:
        masked = MaskedLanguageModel(model, base=_pretrained(run))
    return InfoNCELoss(
        model,
        head=_training_head(config, width_of(model)),
        masked_language_model=masked,
        documents_as_labels=reads_documents(config),
        **asdict(config.part(ContrastOptions)),
    )


_RELEASED = Released(
    options={"head_init": "normal", "masked_columns": "all"},
    training={"dataloader_drop_last": False, "eval_steps": 125},
)

SIMCSE = Method(
    name="simcse",
    summary="contrastive learning with dropout, or an augmentation, as the other view, on raw text (EMNLP 2021)",
    config=SimcseConfig,
    build=build,
    training=training,
    reads_documents=reads_documents,
    released=_RELEASED,
)
"""Unsupervised SimCSE."""

SIMCSE_SUP = Method(
    name="simcse-sup",
    summary="contrastive learning on entailed pairs, contradictions as hard negatives (EMNLP 2021)",
    config=SupervisedSimcseConfig,
    build=build_supervised,
    training=training,
    released=_RELEASED,
)
"""Supervised SimCSE."""
