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
MLP head, in training only (Section 6.3)    ``TanhHead``                      ``modules/projection_head.py``
pooling modes (Section 6.3)                 ``pooling_modules``               ``methods/starting_model.py``
masked-LM auxiliary (Section 5)             ``MaskedLanguageModel``           ``losses/masked_language_modelling.py``
NLI triplets (Section 4)                    ``EntailmentTriplets``            ``data/entailment_triplets.py``
==========================================  ================================  ==========================================

Where we differ:

* Repeated sentences are left out of the data, and equal texts of a batch out of the negatives; both are counted.
* The head that stays with a supervised model is one of the host's ``Dense`` modules, so the host alone opens it.
* ``mean-first-last`` averages the first and the last layer's output, as the released code does since its correction.
* The head starts as a linear layer of PyTorch does, with a bias; the released code draws its weights from N(0, 0.02),
  its bias being 0.
* The auxiliary objective masks the texts of the first column; the released code those of every column, of both passes
  too. The output weights of its head are the embedding table where the base ties them; the released code trains a copy.
* A last batch that is not full is left out (``training.dataloader_drop_last``); the released code trains on it.
* STS-B dev is looked at ten times a run, at least every 500 steps (``training.eval_steps``); the paper does so every
  250 steps, the scripts every 125.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

from selfsent.data.arrow_file import materialise
from selfsent.data.entailment_triplets import EntailmentTriplets
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.errors import UserError
from selfsent.losses.info_nce import InfoNCELoss
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.methods.document_views import document_dataset, reads_documents
from selfsent.methods.method import Assembly, Ingredients, Method, split_for
from selfsent.methods.starting_model import (
    FROM_SCRATCH,
    PoolingName,
    from_scratch,
    open_transformer,
    tokenizer_of,
    training_limit,
    width_of,
)
from selfsent.modules.projection_head import TanhHead
from selfsent.views import VIEWS, View, make_view, pair_transform
from selfsent.views.document_views import DOCUMENT_VIEWS

PAPER_BASE = "bert-base-uncased"
Head = Literal["training-only", "kept", "none"]


@dataclass(frozen=True, kw_only=True)
class SimcseConfig:
    """Options of ``simcse``; the defaults are the paper's for BERT-base.

    Args:
        view: What the second view is: ``repeat`` (dropout alone), or a name of `selfsent.views.VIEWS`; or what both are
            of a document: a name of `selfsent.views.document_views.DOCUMENT_VIEWS`, not in the paper.
        temperature: Divides cosines (0.05).
        pooling: How token states become an embedding (``cls``).
        head: The MLP over the embedding: in training only, kept in the model, or none.
        symmetric: Whether the second view looks for the first as well (one-sided).
        hard_negative_weight: alpha, the weight of an anchor's own negatives, where the data has any (1).
        masked_weight: Weight of masked language modelling beside the contrast (0; the paper's auxiliary: 0.1).
        skip_false_negatives: Whether equal texts of a batch are left out of the negatives.
        max_seq_length: Tokens a training text is cut to (32); the model reads as many as its base.
        num_layers: Keep the base's lowest layers only; ``none`` keeps all.
        dropout: Share of values dropped in training; ``none`` leaves the base's (0.1).
        lexicon: For the view ``synonym``: a file of word and synonyms by tab; ``none`` uses what is installed, else
            the nearest neighbours among the corpus's own word vectors.
        masked_lm: For the view ``masked-lm``: folder or hub name of the masked LM; ``none`` takes the base.
    """

    view: str = "repeat"
    temperature: float = 0.05
    pooling: PoolingName = "cls"
    head: Head = "training-only"
    symmetric: bool = False
    hard_negative_weight: float = 1.0
    masked_weight: float = 0.0
    skip_false_negatives: bool = True
    max_seq_length: int = 32
    num_layers: int | None = None
    dropout: float | None = None
    lexicon: str | None = None
    masked_lm: str | None = None


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


def build(config: SimcseConfig, assembly: Assembly) -> Ingredients:
    """Open the base, write the texts to disk, and put model, views and loss together.

    Raises:
        UserError: The base cannot be used, an option is not known or out of range, or the data has no usable row.
    """
    if config.view not in (*VIEWS, *DOCUMENT_VIEWS):
        raise UserError(f"view must be one of {', '.join([*VIEWS, *DOCUMENT_VIEWS])}, got {config.view!r}")
    model = starting_model(config, assembly)
    limit = training_limit(model, config.max_seq_length)
    if reads_documents(config):
        dataset, notes = document_dataset(config.view, assembly)
        loss = _loss(config, model, assembly)
        return Ingredients(model=model, loss=loss, dataset=dataset, notes=notes, max_seq_length=limit)
    rows = TrainingRows(
        lambda: texts_of(assembly.source), ("text",), tokenizer=tokenizer_of(model), max_seq_length=limit
    )
    dataset = materialise(rows, assembly.folder / "corpus.arrow", columns=rows.columns)
    dataset, heldout = split_for(assembly, dataset)
    if config.view != "repeat":
        dataset.set_transform(pair_transform(make_view("repeat"), _view(config, assembly)))
    loss = _loss(config, model, assembly)
    return Ingredients(
        model=model, loss=loss, dataset=dataset, heldout=heldout, notes=rows.notes(), max_seq_length=limit
    )


def build_supervised(config: SupervisedSimcseConfig, assembly: Assembly) -> Ingredients:
    """Open the base, write pairs or triplets to disk, and put model and loss together.

    Takes ``anchor, positive[, negative]``, or ``premise, hypothesis, label``, of which triplets are made.

    Raises:
        UserError: The base cannot be used, an option is not known or out of range, or the data has other columns.
    """
    source = assembly.source
    model = starting_model(config, assembly)
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
    dataset = materialise(rows, assembly.folder / "corpus.arrow", columns=columns)
    dataset, heldout = split_for(assembly, dataset)
    notes = [*rows.notes(), *([triplets.note()] if triplets is not None else [])]
    loss = _loss(config, model, assembly)
    return Ingredients(model=model, loss=loss, dataset=dataset, heldout=heldout, notes=notes, max_seq_length=limit)


def starting_model(config: SimcseConfig, assembly: Assembly) -> SentenceTransformer:
    """The base as a SentenceTransformer, with the head in it where it is kept."""
    if assembly.base in FROM_SCRATCH:
        model = from_scratch(assembly.base, assembly.source.texts(), device=assembly.device)
    else:
        model = open_transformer(
            PAPER_BASE if assembly.base is None else assembly.base,
            pooling=config.pooling,
            max_seq_length=config.max_seq_length,
            num_layers=config.num_layers,
            dropout=config.dropout,
            device=assembly.device,
        )
    if config.head == "kept":
        model.append(Dense(width_of(model), width_of(model), activation_function=nn.Tanh()).to(model.device))
    return model


def _view(config: SimcseConfig, assembly: Assembly) -> View:
    return make_view(
        config.view,
        lexicon=config.lexicon,
        texts=assembly.source.texts(),
        masked_lm=config.masked_lm or _pretrained(assembly),
        cache_dir=assembly.folder,
        device=assembly.device,
    )


def _pretrained(assembly: Assembly) -> str | None:
    """The base, where it is pretrained."""
    if assembly.base in FROM_SCRATCH:
        return None
    return PAPER_BASE if assembly.base is None else assembly.base


def _loss(config: SimcseConfig, model: SentenceTransformer, assembly: Assembly) -> InfoNCELoss:
    masked = None
    if config.masked_weight:
        masked = MaskedLanguageModel(model, base=_pretrained(assembly))
    return InfoNCELoss(
        model,
        temperature=config.temperature,
        symmetric=config.symmetric,
        hard_negative_weight=config.hard_negative_weight,
        head=TanhHead(width_of(model)) if config.head == "training-only" else None,
        masked_language_model=masked,
        masked_weight=config.masked_weight,
        skip_false_negatives=config.skip_false_negatives,
        documents_as_labels=reads_documents(config),
    )


SIMCSE = Method(
    name="simcse",
    summary="contrastive learning with dropout, or an augmentation, as the other view, on raw text (EMNLP 2021)",
    config=SimcseConfig,
    build=build,
    training=training,
    reads_documents=reads_documents,
)
"""Unsupervised SimCSE."""

SIMCSE_SUP = Method(
    name="simcse-sup",
    summary="contrastive learning on entailed pairs, contradictions as hard negatives (EMNLP 2021)",
    config=SupervisedSimcseConfig,
    build=build_supervised,
    training=training,
)
"""Supervised SimCSE."""
