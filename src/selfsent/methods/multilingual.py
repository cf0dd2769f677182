"""Multilingual distillation: a student places texts and their translations where a monolingual teacher places the text.

Reimers & Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation", EMNLP 2020
(arXiv 2004.09813).

==========================================  ===============================  ===========================================
of the paper                                object                           file
==========================================  ===============================  ===========================================
objective, both terms (Section 2)           ``TeacherMatchingLoss``          ``losses/teacher_matching.py``
teacher's vectors, computed once            ``teacher_vectors``              ``data/teacher_vectors.py``
parallel data of many kinds (Section 3)     ``open_parallel``                ``data/parallel/parallel_sources.py``
what is no translation                      ``write_pool``                   ``data/parallel/translation_pool.py``
languages in balance (Section 3)            ``drawn_rows``                   ``data/parallel/language_sampling.py``
similarity distributions (not the paper)    ``CrossViewDistillationLoss``    ``losses/cross_view_distillation.py``
bridge of widths: PCA of the teacher        ``principal_directions``         ``counts/principal_directions.py``
error against the teacher (Section 3)       ``evaluate``                     ``evaluation/tasks/teacher_error.py``
language bias (Section 5)                   ``evaluate``                     ``evaluation/tasks/language_bias.py``
==========================================  ===============================  ===========================================

Where we differ:

* The teacher's vectors are scaled to length one; a teacher that ends in a normalisation, as most do, gives them so.
* Languages are drawn in proportion to ``n ** 0.3``, within one data set of all; the paper draws its data sets alike
  (``language_alpha=0``).
* The mean over sentences, values and both terms (the host), where the paper has a sum over values and terms.
* Pairs that the suite ``bitext`` holds out are left out of the training, as are sides out of proportion.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

from selfsent.counts.principal_directions import principal_directions
from selfsent.data.parallel.language_sampling import drawn_rows
from selfsent.data.parallel.multilingual_texts import (
    LanguageOptions,
    callable_tokenizer,
    normalisation_note,
    train_shared_tokenizer,
    vocabulary_notes,
)
from selfsent.data.parallel.parallel_sources import pairs_of
from selfsent.data.parallel.translation_pool import TranslationPool, write_pool
from selfsent.data.teacher_vectors import TeacherVectors, teacher_vectors
from selfsent.evaluation.tasks.bitext import is_heldout
from selfsent.loading import load
from selfsent.losses.cross_view_distillation import CrossViewDistillationLoss, require_same_width
from selfsent.losses.sentence_pass import width_of
from selfsent.losses.teacher_matching import TeacherMatchingLoss
from selfsent.methods.method import Method
from selfsent.methods.starting_model import (
    BaseOptions,
    PoolingOptions,
    TeacherOptions,
    open_teacher,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.model_content import content_hash, former_hashes
from selfsent.modules.scratch_encoders import FROM_SCRATCH, EncoderSizes, WidthOptions, untrained_encoder
from selfsent.options import option
from selfsent.training.random_state import preserved_random_state
from selfsent.training.run import Ingredients, Run, RunData

Objective = Literal["mse", "cosine", "distribution"]
Bridge = Literal["auto", "pca", "none"]
"""``auto`` widens or narrows the student by a layer, ``pca`` narrows the teacher, ``none`` refuses other widths."""

_COLUMNS = ("source", "target", "number")
_NUM_LAYERS = 2


@dataclass(frozen=True, kw_only=True)
class MultilingualConfig(LanguageOptions, WidthOptions, BaseOptions, PoolingOptions, TeacherOptions):
    """Options of ``multilingual``; the defaults are the paper's where it has them, but for the balance of languages.

    Args:
        base: The student: a transformer's folder or hub name, or from scratch ``transformer``, ``tree`` or ``static``;
            ``--base`` overrides it.
        objective: ``mse`` (paper), ``cosine``, or ``distribution``: place texts among the teacher's vectors of the
            batch as the teacher does.
        bridge: What is done where the widths differ: see `Bridge`.
        language_alpha: Languages are drawn in proportion to the power alpha of their pairs (XLM-R: 0.3; paper: 0).
        max_teacher_texts: Most distinct sources for the teacher to encode, drawn by language; ``none`` takes all.
        temperature: With ``distribution``: divides the student's similarities (SCT: 0.05).
        reference_temperature: With ``distribution``: divides the teacher's (SCT: 0.04).
        queue_size: With ``distribution``: so many of the teacher's vectors are compared with; 0 takes the batch's.
        max_seq_length: Tokens a transformer's training texts are cut to (paper: 128); a base keeps the limit it has.
        num_layers: Layers: of a base so many, ``none`` keeps all; from scratch 2 where ``none``.
        hidden_size: Width of a transformer from scratch, or of a static embedding (384, that of small teachers).
    """

    teacher: str = "sentence-transformers/bert-base-nli-stsb-mean-tokens"
    base: str = "xlm-roberta-base"
    objective: Objective = "mse"
    bridge: Bridge = "auto"
    max_teacher_texts: int | None = option(None, at_least=1)
    temperature: float = option(0.05, above=0)
    reference_temperature: float = option(0.04, above=0)
    queue_size: int = option(0, at_least=0)
    hidden_size: int = option(384, at_least=1)
    num_heads: int = option(6, at_least=1)


def training(config: MultilingualConfig) -> dict[str, Any]:  # noqa: ARG001 the same for every student
    """Training arguments of the authors' released recipe: 64 pairs a batch, 2e-5 after 10,000 steps of warm-up."""
    return {
        "learning_rate": 2e-5,
        "per_device_train_batch_size": 64,
        "num_train_epochs": 20,
        "warmup_steps": 10_000,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
    }


def build(run: Run[MultilingualConfig], data: RunData) -> Ingredients:
    """Filter the translations, open student and teacher, compute the teacher's vectors, put the loss together.

    Raises:
        UserError: The source holds no translations or none is left, student or teacher cannot be opened, widths differ
            and nothing may bridge them, or an option is out of range.
    """
    config = run.config
    pool = write_pool(
        pairs_of(data.source),
        run.corpus_folder / "pool.arrow",
        is_heldout=is_heldout,
        max_length_ratio=config.max_length_ratio,
    )
    teacher = open_teacher(run.teacher, config.teacher, device=run.device)
    if config.max_teacher_texts is not None:
        pool = pool.within(config.max_teacher_texts, alpha=config.language_alpha)
    student, tokenizer = _student(run, pool)
    _bridge(config, student, width_of(teacher))
    with preserved_random_state():
        vectors = teacher_vectors(
            pool.sources,
            teacher=lambda: teacher,
            teacher_hash=content_hash(run.teacher or config.teacher),
            former_teacher_hashes=lambda: former_hashes(run.teacher or config.teacher),
            folder=None if config.teacher_cache is None else Path(config.teacher_cache).expanduser(),
        )
    epoch = drawn_rows(
        pool.rows,
        pool.languages,
        alpha=config.language_alpha,
        columns=_COLUMNS,
        then=_Labels(pool.places(), of_both_views=config.objective == "distribution"),
    )
    notes = [pool.note(), epoch.note(), _vectors_note(vectors)]
    limit = training_limit(student, config.max_seq_length)
    notes += vocabulary_notes(tokenizer, pool.texts, max_seq_length=limit)
    notes += normalisation_note(tokenizer_of(teacher), tokenizer)
    if data.heldout_rows:
        notes.append("no rows are held out of a distillation; --data-dir names the data that tells the best model")
    loss = _loss(config, student, vectors)
    return Ingredients(model=student, loss=loss, dataset=epoch.rows, notes=notes, max_seq_length=limit)


class _Labels:
    """Turns the numbers of sources into the rows of the teacher's vectors: for the text, or for it and its translation.

    Args:
        places: The row of each source, by its number.
        of_both_views: Whether a pair has two labels, as a comparison of views needs them.
    """

    def __init__(self, places: NDArray[np.int64], *, of_both_views: bool) -> None:
        self._places, self._of_both_views = places, of_both_views

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        labels = self._places[batch["number"]].tolist()
        texts = {"source": batch["source"], "target": batch["target"]}
        return {**texts, "label": [[label, label] for label in labels] if self._of_both_views else labels}


def _student(run: Run[MultilingualConfig], pool: TranslationPool) -> tuple[SentenceTransformer, Any]:
    """The student and its tokenizer."""
    config = run.config
    base = run.base or config.base
    folder = Path(base).expanduser()
    if base not in FROM_SCRATCH:
        if (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            student = load(base, device=run.device)  # a trained tree or static model
        else:
            student = open_transformer(
                base,
                device=run.device,
                **asdict(config.part(PoolingOptions)),
                **asdict(config.part(BaseOptions)),
            )
        return student, callable_tokenizer(tokenizer_of(student))
    tokenizer = train_shared_tokenizer(
        pool.texts,
        vocab_size=config.vocab_size,
        alpha=config.language_alpha,
        lowercase=config.lowercase,
        for_transformer=base == "transformer",
    )
    sizes = EncoderSizes(
        width=config.hidden_size,
        num_layers=config.num_layers or _NUM_LAYERS,
        num_heads=config.num_heads,
        max_seq_length=config.max_seq_length,
    )
    folder = run.corpus_folder / "untrained"
    return untrained_encoder(base, tokenizer, sizes, folder=folder, device=run.device), tokenizer


def _bridge(config: MultilingualConfig, student: SentenceTransformer, teacher_width: int) -> None:
    """Give the student a layer of the teacher's width where it needs one."""
    width = width_of(student)
    if config.bridge == "none":
        require_same_width(width, teacher_width)
    elif config.bridge == "auto" and width != teacher_width:
        student.append(Dense(width, teacher_width, activation_function=nn.Identity()).to(student.device))


def _loss(config: MultilingualConfig, student: SentenceTransformer, vectors: TeacherVectors) -> nn.Module:
    """The objective; with ``bridge=pca`` against the teacher's vectors in the student's width."""
    found, width = vectors.vectors, width_of(student)
    projection = None
    if config.bridge == "pca" and width != found.shape[1]:
        projection = principal_directions(found, width)
    if config.objective != "distribution":
        return TeacherMatchingLoss(student, found, objective=config.objective, projection=projection)
    return CrossViewDistillationLoss(
        student,
        found if projection is None else found @ projection,
        objective="alone",
        head="none",
        queues="two" if config.queue_size else "none",
        queue_size=config.queue_size,
        temperature=config.temperature,
        reference_temperature=config.reference_temperature,
    )


def _vectors_note(found: TeacherVectors) -> str:
    num_texts, width = found.vectors.shape
    return (
        f"the teacher's vectors of {num_texts:,} texts ({found.vectors.nbytes / 2**20:,.0f} MiB of {width} values each)"
        f" are in {found.folder}; {found.num_encoded:,} computed now"
    )


MULTILINGUAL = Method(
    name="multilingual",
    summary="a student of many languages learns from a --teacher of one, on translations (EMNLP 2020)",
    config=MultilingualConfig,
    build=build,
    training=training,
    takes_teacher=True,
)
"""Multilingual knowledge distillation."""
