"""SCT: self-supervised cross-view training for small language models, and its distillation.

Limkonchotiwat et al., "An Efficient Self-Supervised Cross-View Training For Sentence Embedding", TACL 2023 (arXiv
2311.03228).

===========================================  =================================  ========================================
of the paper                                 object                             file
===========================================  =================================  ========================================
instance queues D1, D2                       ``InstanceQueue``                  ``modules/instance_queue.py``
similarity distribution SR(z, D, tau)        ``similarity_distribution``        ``losses/functional.py``
objective L_SCT                              ``cross_view``                     ``losses/functional.py``
the same without its B x K matrices          ``queue_softmax``                  ``kernels/queue_softmax.py``
... with queues, ablations, all ranks        ``QueueComparison``                ``losses/cross_view.py``
online and reference vectors                 ``CrossViewLoss``                  ``losses/cross_view.py``
head h, three MLPs, in training only         ``StackedHead``                    ``losses/cross_view.py``
EMA encoder (ablation)                       ``AveragedEncoder``                ``losses/averaged_encoder.py``
distillation L_SCT + L_CD                    ``CrossViewDistillationLoss``      ``losses/cross_view_distillation.py``
vectors of the teacher                       ``teacher_vectors``                ``data/teacher_vectors.py``
views: back-translation                      ``BackTranslation``                ``views/back_translation.py``
views: masked LM, synonym (ablation)         ``make_view``                      ``views/registry.py``
===========================================  =================================  ========================================

Paper, Table 1, one recipe a row: ``sct-tiny``, ``sct-mini``, ``sct-small``, ``sct-base``, ``sct-large``. The recipes
``sct-distill-tiny``, ``-mini``, ``-small`` and ``-base`` have rate, queue size and temperatures from the README of the
released code, and the paper's joint objective, from the plain language model; that is not what the authors ran.

Where the released code departs from the paper, the defaults are the paper's and the code is a setting: both directions
are averaged (``reduction=sum``); the batch enters its queue before it is compared (``enqueue=after``); distillation is
joint with the self-supervised objective and has a head (``objective=alone, head=none``). ``preset=released`` sets all
of them, 20 epochs, the last batch and STS-B dev every 64 steps; of ``sct-distill`` it wants a student that ``sct``
trained before as ``--base``. The scripts stop early, which is not done here.

Where we differ:

* AdamW corrects its bias; the release's old AdamW does not. The 10 epochs are the paper's; the scripts have 20 and stop
  early.
* The paper does not say what one queue for both views holds (here both references), how the decay of the averaged
  encoder is set (0.999), nor whether both terms of distillation share queues (here not: ``share_queues``).
* The layer that bridges widths is the release's: Linear and tanh, part of the model.
* Repeated rows, and a last batch that is not full (``training.dataloader_drop_last``), are left out; the release trains
  on both.
* STS-B dev is looked at ten times a run, at least every 500 steps (``training.eval_steps``); the release does so every
  64 steps.
* On bare text the views differ in dropout alone (``view`` changes that); in distillation a made view has the teacher's
  vector of the text it was made from.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

from selfsent.data.arrow_file import materialise
from selfsent.data.numbered_views import NumberedViews, Transform
from selfsent.data.source import Source
from selfsent.data.teacher_vectors import TeacherVectors, teacher_vectors, texts_of_columns
from selfsent.data.training_rows import TrainingRows, texts_of
from selfsent.loading import FROM_SCRATCH
from selfsent.losses.cross_view import CrossViewLoss, CrossViewOptions
from selfsent.losses.cross_view_distillation import (
    CrossViewDistillationLoss,
    CrossViewDistillationOptions,
    require_same_width,
)
from selfsent.losses.sentence_pass import width_of
from selfsent.methods.document_views import (
    ViewOptions,
    document_dataset,
    is_one_translation,
    made_views,
    reads_documents,
)
from selfsent.methods.method import Method, Released, split_for
from selfsent.methods.starting_model import (
    DropoutOptions,
    PoolingOptions,
    TeacherOptions,
    from_scratch,
    open_teacher,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.model_content import content_hash, former_hashes
from selfsent.training.random_state import preserved_random_state
from selfsent.training.run import Ingredients, Run, RunData
from selfsent.views import Alternatives, PairedViews, Repeat, pair_transform

Bridge = Literal["auto", "none"]

_NUM_VIEWS = 2
_TEXTS_A_BATCH = 1000
_UNRELATED = ("premise", "sentence1")
"""First columns of pairs whose sides need not say the same: each text counts for itself."""


@dataclass(frozen=True, kw_only=True)
class SctConfig(CrossViewOptions, DropoutOptions, PoolingOptions, ViewOptions):
    """Options of ``sct``; the defaults are the paper's for BERT-Tiny.

    Those of the objective are declared in `selfsent.losses.cross_view.CrossViewOptions`.

    Args:
        base: The language model to start from; ``--base`` overrides it.
        view: What both views are made by: ``repeat`` (of bare text, dropout alone), a name of `selfsent.views.VIEWS`,
            or several with ``+`` between them, of which one is drawn for each text; each text of a ready pair is made
            anew. For ``back-translation`` of bare text with one pair of translators, the first view is the text
            itself. Or, of documents, a name of `selfsent.views.document_views.DOCUMENT_VIEWS` (``sct`` alone; not in
            the paper).
    """

    base: str = "google/bert_uncased_L-2_H-128_A-2"


@dataclass(frozen=True, kw_only=True)
class SctDistillConfig(SctConfig, CrossViewDistillationOptions, TeacherOptions):
    """Options of ``sct-distill``: those of ``sct``, and what concerns the teacher.

    Args:
        teacher: The model to learn from; ``--teacher`` overrides it (paper: SimCSE on BERT-large, mean pooling).
        bridge: ``auto`` adds a layer to the student where its width is not the teacher's; ``none`` refuses that.
    """

    teacher: str = "princeton-nlp/unsup-simcse-bert-large-uncased"
    bridge: Bridge = "auto"


def training(config: SctConfig) -> dict[str, Any]:  # noqa: ARG001 the sizes' rates are in the recipes
    """The paper's training arguments for BERT-Tiny: ten epochs of batches of 128, a tenth of the steps as warm-up."""
    return {
        "learning_rate": 5e-4,
        "per_device_train_batch_size": 128,
        "num_train_epochs": 10,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,
        "weight_decay": 0.01,
        "adam_epsilon": 1e-6,
        "max_grad_norm": 1.0,
        "dataloader_drop_last": True,
    }


def build(run: Run[SctConfig], data: RunData) -> Ingredients:
    """Open the base, write the views to disk, and put model, queues and loss together.

    Raises:
        UserError: The base cannot be used, an option is not known or out of range, or the data has no usable row.
    """
    config = run.config
    columns = _view_columns(data.source)
    model = _student(run, data)
    loss = CrossViewLoss(model, **asdict(config.part(CrossViewOptions)))
    limit = training_limit(model, config.max_seq_length)
    if reads_documents(config):
        dataset, notes = document_dataset(config.view, run, data)
        return Ingredients(model=model, loss=loss, dataset=dataset, notes=notes, max_seq_length=limit)
    rows = _rows(data.source, columns, model, limit)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=columns)
    dataset, heldout = split_for(data, dataset)
    transform = _transform(run, data, columns)
    if transform is not None:
        dataset.set_transform(transform)
    return Ingredients(
        model=model,
        loss=loss,
        dataset=dataset,
        heldout=None if heldout is None else heldout.select_columns(list(columns[:_NUM_VIEWS])),
        notes=[*rows.notes(), *_notes(config, columns, rows)],
        max_seq_length=limit,
    )


def build_distillation(run: Run[SctDistillConfig], data: RunData) -> Ingredients:
    """Open student and teacher, write the texts and the teacher's vectors to disk, and put the loss together.

    Raises:
        UserError: As for ``build``; the teacher cannot be opened, its width is another and nothing may bridge it, or
            the cache belongs to other texts or another teacher.
    """
    config = run.config
    columns = _view_columns(data.source)
    student = _student(run, data)
    teacher = open_teacher(run.teacher, config.teacher, device=run.device)
    _bridge(config, student, width_of(teacher))
    limit = training_limit(student, config.max_seq_length)
    rows = _rows(data.source, columns, student, limit)
    numbered = ({**row, "label": number} for number, row in enumerate(rows))
    dataset = materialise(numbered, run.corpus_folder / "corpus.arrow", columns=[*columns, "label"])
    with preserved_random_state():
        vectors = _teacher_vectors(run, dataset.select_columns(list(columns)), teacher)
    loss = CrossViewDistillationLoss(student, vectors.vectors, **asdict(config.part(CrossViewDistillationOptions)))
    dataset.set_transform(NumberedViews(columns, _transform(run, data, columns)))
    notes = [*rows.notes(), *_notes(config, columns, rows), _vectors_note(vectors)]
    if data.heldout_rows:
        notes.append("no rows are held out of a distillation; --data-dir names the data that tells the best model")
    return Ingredients(model=student, loss=loss, dataset=dataset, notes=notes, max_seq_length=limit)


def _student(run: Run[SctConfig], data: RunData) -> SentenceTransformer:
    config = run.config
    base = run.base or config.base
    if base in FROM_SCRATCH:
        return from_scratch(base, data.source.texts(), config, device=run.device)
    return open_transformer(
        base,
        device=run.device,
        **asdict(config.part(PoolingOptions)),
        **asdict(config.part(DropoutOptions)),
    )


def _bridge(config: SctDistillConfig, student: SentenceTransformer, teacher_width: int) -> None:
    """Give the student a layer of the teacher's width where it needs one."""
    width = width_of(student)
    if config.bridge == "none":
        require_same_width(width, teacher_width)
    elif width != teacher_width:
        student.append(Dense(width, teacher_width, activation_function=nn.Tanh()).to(student.device))


def _view_columns(source: Source) -> tuple[str, ...]:
    """The columns that are views: ``text`` for bare text, a pair, or more alternative texts of one thing."""
    columns = source.text_columns
    if len(columns) == 1 or columns[0] in _UNRELATED:
        return ("text",)
    return columns[:_NUM_VIEWS] if columns[0] == "anchor" else columns


def _rows(source: Source, columns: tuple[str, ...], model: SentenceTransformer, limit: int | None) -> TrainingRows:
    return TrainingRows(
        lambda: texts_of(source) if columns == ("text",) else source,
        columns,
        tokenizer=tokenizer_of(model),
        max_seq_length=limit,
    )


def _transform(run: Run[SctConfig], data: RunData, columns: tuple[str, ...]) -> Transform | None:
    """What draws two views of a row, where the row does not hold them."""
    config = run.config
    drawn = Alternatives(columns) if len(columns) > _NUM_VIEWS else None
    if config.view == "repeat":
        return drawn
    base = run.base or config.base
    views = made_views(config, run, data, base=None if base in FROM_SCRATCH else base)
    if columns == ("text",):
        return pair_transform(Repeat() if is_one_translation(config) else views[0], views[1])
    return PairedViews(*views, draw=drawn) if drawn else PairedViews(*views, (columns[0], columns[1]))


def _notes(config: SctConfig, columns: tuple[str, ...], rows: TrainingRows) -> list[str]:
    """What views there are, and whether a queue holds more than the corpus."""
    notes: list[str] = []
    if columns == ("text",):
        made = "differ in dropout alone" if config.view == "repeat" else f"are made by {config.view}"
        if is_one_translation(config):
            made = "are the text and its translation there and back"
        notes.append(f"bare text: the two views {made}; the paper's are translations by way of two languages")
    elif config.view != "repeat":
        notes.append(f"each text of a ready pair is made anew by {config.view}")
    if len(columns) > _NUM_VIEWS:
        notes.append(f"two of the {len(columns)} texts of a row are drawn as its views, anew each epoch")
    num_rows = rows.num_rows * (_NUM_VIEWS if config.queues == "one" else 1)
    is_queued = config.queues in ("two", "one") and not compares_vectors_alone(config)
    if is_queued and config.queue_size > num_rows:
        notes.append(
            f"warning: a queue of {config.queue_size:,} rows is longer than the corpus of {rows.num_rows:,}: it holds"
            f" random rows for the whole first epoch, and later each sentence several times; queue_size={num_rows} or"
            " less holds none twice"
        )
    return notes


def compares_vectors_alone(config: SctConfig) -> bool:
    """Whether no term of the objective looks at a queue."""
    if isinstance(config, SctDistillConfig):
        is_direct = config.distillation == "mse" or (
            config.distillation == "cross-view" and config.comparison == "vectors"
        )
        return is_direct and (config.objective == "alone" or config.comparison == "vectors")
    return config.comparison == "vectors"


def _teacher_vectors(run: Run[SctDistillConfig], texts: Dataset, teacher: SentenceTransformer) -> TeacherVectors:
    """The teacher's vector of every text of the data set, from the cache or computed now."""
    config = run.config

    def all_texts() -> Iterator[str]:
        batches = cast("Iterator[dict[str, list[str]]]", texts.iter(batch_size=_TEXTS_A_BATCH))
        return texts_of_columns(batches)

    return teacher_vectors(
        all_texts,
        teacher=lambda: teacher,
        teacher_hash=content_hash(run.teacher or config.teacher),
        former_teacher_hashes=lambda: former_hashes(run.teacher or config.teacher),
        folder=None if config.teacher_cache is None else Path(config.teacher_cache).expanduser(),
    )


def _vectors_note(found: TeacherVectors) -> str:
    num_texts, width = found.vectors.shape
    return (
        f"the teacher's vectors of {num_texts:,} texts ({found.vectors.nbytes / 2**20:,.0f} MiB of {width} values each)"
        f" are in {found.folder}; {found.num_encoded:,} computed now"
    )


_SUMMED = {"reduction": "sum", "enqueue": "after"}
_SCRIPTS = {"num_train_epochs": 20, "dataloader_drop_last": False, "eval_steps": 64}

SCT = Method(
    name="sct",
    summary="cross-view training of small language models, on pairs of views or raw text (TACL 2023)",
    config=SctConfig,
    build=build,
    training=training,
    reads_documents=reads_documents,
    released=Released(options=_SUMMED, training=_SCRIPTS),
)
"""Self-supervised cross-view training."""

SCT_DISTILL = Method(
    name="sct-distill",
    summary="a small model learns how a --teacher places sentences among others, on raw text or views (TACL 2023)",
    config=SctDistillConfig,
    build=build_distillation,
    training=training,
    takes_teacher=True,
    released=Released(
        options={**_SUMMED, "objective": "alone", "head": "none"},
        training=_SCRIPTS,
        base="a student that `sct` has trained",
    ),
)
"""Cross-view training with a teacher."""
