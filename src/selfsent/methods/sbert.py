"""SBERT: a siamese transformer fine-tuned on judged pairs or triplets, so that its cosines mean something.

Reimers & Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", EMNLP 2019 (arXiv 1908.10084).

==========================================  ================================  ==========================================
of the paper (Section 3)                    object                            file
==========================================  ================================  ==========================================
classification objective                    ``SoftmaxLoss``                   the host's
regression objective                        ``CosineSimilarityLoss``          the host's
triplet objective                           ``TripletLoss``                   the host's
concatenation (Section 6, Table 6)          ``classification_loss``           this file
pooling MEAN, MAX, CLS                      ``pooling_modules``               ``methods/starting_model.py``
labels, gold scores in 0 ... 1              ``ClassifiedPairs, RatedPairs``   ``data/judged_pairs.py``
smart batching at inference (Section 7)     ``SentenceTransformer.encode``    the host's: sorts by length
==========================================  ================================  ==========================================

Where we differ:

* The softmax classifier has a bias (the host's); the paper's formula shows none. It is dropped after training.
* Repeated rows, and pairs whose annotators did not agree, are left out; both are counted.
* Adam's weight decay is 0, as the paper names none. Regression has one epoch unless ``--epochs`` says otherwise: the
  paper names none for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss, SoftmaxLoss, TripletLoss

from selfsent.data.arrow_file import materialise
from selfsent.data.columns import Row
from selfsent.data.judged_pairs import ENTAILMENT_LABELS, ClassifiedPairs, RatedPairs, require_columns
from selfsent.data.training_rows import TrainingRows
from selfsent.errors import UserError
from selfsent.loading import FROM_SCRATCH
from selfsent.losses.sentence_pass import width_of
from selfsent.methods.method import Method, split_for
from selfsent.methods.starting_model import (
    BaseOptions,
    PoolingOptions,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.options import option
from selfsent.training.run import Ingredients, Run, RunData

PAPER_BASE = "bert-base-uncased"

Concatenation = Literal["u,v", "|u-v|", "u*v", "|u-v|,u*v", "u,v,u*v", "u,v,|u-v|", "u,v,|u-v|,u*v"]
"""What the classifier sees of two embeddings: the rows of the paper's ablation."""

TRIPLET_COLUMNS = ("anchor", "positive", "negative")


@dataclass(frozen=True, kw_only=True)
class SbertConfig(BaseOptions, PoolingOptions):
    """Options of all three objectives; the defaults are the paper's.

    Args:
        max_seq_length: Tokens a training text is cut to (not stated; the released code's 128); the model reads as many
            as its base.
    """


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig(SbertConfig):
    """Options of ``sbert-classification``.

    Args:
        concatenation: What the classifier sees of the embeddings u and v (``u,v,|u-v|``).
        labels: Names of the classes with commas between them; as integers they count from 0 in this order.
    """

    concatenation: Concatenation = "u,v,|u-v|"
    labels: str = ",".join(ENTAILMENT_LABELS)


@dataclass(frozen=True, kw_only=True)
class RegressionConfig(SbertConfig):
    """Options of ``sbert-regression``.

    Args:
        score_range: The lowest and the highest score, mapped to cosines 0 and 1 (STS: ``0,5``).
    """

    score_range: str = "0,5"


@dataclass(frozen=True, kw_only=True)
class TripletConfig(SbertConfig):
    """Options of ``sbert-triplet``.

    Args:
        margin: How much nearer than the negative the positive is to be, as Euclidean distance (1).
    """

    margin: float = option(1.0, above=0)


def training(config: SbertConfig) -> dict[str, Any]:  # noqa: ARG001 the same for every objective
    """One epoch of batches of 16, Adam, a tenth of the steps as warm-up: the paper's for classification and triplets.

    The paper does not say how many epochs the regression takes; the recipe ``sbert-regression-stsb`` has the four of
    the paper's cross-encoder.
    """
    return {
        "learning_rate": 2e-5,
        "per_device_train_batch_size": 16,
        "num_train_epochs": 1,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
    }


def build_classification(run: Run[ClassificationConfig], data: RunData) -> Ingredients:
    """Open the base, write numbered pairs to disk, and put a softmax classifier over both embeddings.

    Raises:
        UserError: The base cannot be used, an option is out of range, or columns or labels are not as needed.
    """
    config = run.config
    labels = _label_names(config.labels)
    require_columns(data.source, ClassifiedPairs.columns, method="sbert-classification")
    model = _model(run)
    pairs = ClassifiedPairs(data.source, labels=labels)
    limit = training_limit(model, config.max_seq_length)
    rows = _training_rows(model, pairs, ClassifiedPairs.columns, limit)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    loss = classification_loss(model, concatenation=config.concatenation, num_labels=len(labels))
    return Ingredients(
        model=model, loss=loss, dataset=dataset, notes=[*rows.notes(), pairs.note()], max_seq_length=limit
    )


def build_regression(run: Run[RegressionConfig], data: RunData) -> Ingredients:
    """Open the base, write scored pairs to disk, and fit the cosine to the score.

    Raises:
        UserError: The base cannot be used, an option is out of range, or columns or scores are not as needed.
    """
    config = run.config
    lowest, highest = _score_range(config.score_range)
    require_columns(data.source, RatedPairs.columns, method="sbert-regression")
    model = _model(run)
    pairs = RatedPairs(data.source, lowest=lowest, highest=highest)
    limit = training_limit(model, config.max_seq_length)
    rows = _training_rows(model, pairs, RatedPairs.columns, limit)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    return Ingredients(
        model=model, loss=CosineSimilarityLoss(model), dataset=dataset, notes=rows.notes(), max_seq_length=limit
    )


def build_triplet(run: Run[TripletConfig], data: RunData) -> Ingredients:
    """Open the base, write triplets to disk, and keep the positive nearer than the negative.

    Raises:
        UserError: The base cannot be used, an option is out of range, or the data has other columns.
    """
    config = run.config
    require_columns(data.source, TRIPLET_COLUMNS, method="sbert-triplet")
    model = _model(run)
    limit = training_limit(model, config.max_seq_length)
    rows = _training_rows(model, data.source, TRIPLET_COLUMNS, limit)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    dataset, heldout = split_for(data, dataset)
    loss = TripletLoss(model, triplet_margin=config.margin)
    return Ingredients(
        model=model, loss=loss, dataset=dataset, heldout=heldout, notes=rows.notes(), max_seq_length=limit
    )


def classification_loss(model: SentenceTransformer, *, concatenation: Concatenation, num_labels: int) -> SoftmaxLoss:
    """Make the host's softmax loss over one concatenation of the paper's ablation."""
    parts = concatenation.split(",")
    return SoftmaxLoss(
        model,
        embedding_dimension=width_of(model),
        num_labels=num_labels,
        concatenation_sent_rep="u" in parts,
        concatenation_sent_difference="|u-v|" in parts,
        concatenation_sent_multiplication="u*v" in parts,
    )


def _model(run: Run[SbertConfig]) -> SentenceTransformer:
    if run.base in FROM_SCRATCH:
        raise UserError(f"SBERT fine-tunes a transformer (received --base {run.base}); name one, or leave it out")
    return open_transformer(
        PAPER_BASE if run.base is None else run.base,
        device=run.device,
        **asdict(run.config.part(PoolingOptions)),
        **asdict(run.config.part(BaseOptions)),
    )


def _training_rows(
    model: SentenceTransformer, rows: Iterable[Row], columns: Sequence[str], limit: int | None
) -> TrainingRows:
    return TrainingRows(lambda: rows, columns, tokenizer=tokenizer_of(model), max_seq_length=limit)


def _label_names(option: str) -> list[str]:
    labels = [label.strip().lower() for label in option.split(",")]
    if len(labels) < 2 or len(set(labels)) < len(labels) or "" in labels:  # noqa: PLR2004 a decision needs two
        raise UserError(f"labels must be two or more different names with commas between them, got {option!r}")
    return labels


def _score_range(option: str) -> tuple[float, float]:
    try:
        lowest, highest = (float(part) for part in option.split(","))
    except ValueError as error:
        raise UserError(f"score_range={option!r} must be two numbers with a comma between them, such as 0,5") from error
    return lowest, highest


def _method(name: str, summary: str, config: type[SbertConfig], build: Any) -> Method:
    return Method(name=name, summary=f"{summary} (EMNLP 2019)", config=config, build=build, training=training)


SBERT_CLASSIFICATION = _method(
    "sbert-classification",
    "fine-tuning on premise, hypothesis, label by a classifier over both embeddings",
    ClassificationConfig,
    build_classification,
)
"""SBERT on natural language inference."""

SBERT_REGRESSION = _method(
    "sbert-regression",
    "fine-tuning on sentence1, sentence2, score by the error of the cosine",
    RegressionConfig,
    build_regression,
)
"""SBERT on scored pairs."""

SBERT_TRIPLET = _method(
    "sbert-triplet",
    "fine-tuning on anchor, positive, negative by a margin between distances",
    TripletConfig,
    build_triplet,
)
"""SBERT on triplets."""
