"""The suite ``teacher-error``: how far a student's vectors are from its teacher's, on translations it has not seen.

Protocol: the mean over sentences and values of the squared difference between the student's vector of a text, or of its
translation, and the teacher's vector of the text, scaled to length one; the headline is the mean of both.

Layout: that of ``bitext``.

Source: Reimers and Gurevych 2020, who follow a training by it (times 100).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, Vectors, cosines, encode_distinct
from selfsent.evaluation.statistics import Mean, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.bitext import Bitext, read_bitexts
from selfsent.evaluation.vector_space import normalise


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Compare a student with its teacher on every bitext under ``parallel/``.

    Args:
        model: The student.
        data_dir: Folder with ``parallel/``.
        options: Uses ``teacher``, ``split``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        The error of each bitext; that of texts, of translations and the mean cosines beside it.

    Raises:
        UserError: No teacher or folder is named, there is no bitext, or the widths differ.
    """
    if options.teacher is None or data_dir is None:
        raise UserError(
            "teacher-error compares a student with its teacher on --data-dir; name the folder and --teacher"
        )
    bitexts = read_bitexts(data_dir, options.split)
    from selfsent.loading import load  # noqa: PLC0415 the host takes seconds to import

    opened = load(options.teacher)
    texts = (text for bitext in bitexts for text in (*bitext.sources, *bitext.targets))
    student = encode_distinct(model, texts, batch_size=options.batch_size, what="translations")
    sources = (text for bitext in bitexts for text in bitext.sources)
    teacher = encode_distinct(opened, sources, batch_size=options.batch_size, what="teacher")
    return [
        score_error(
            student.of(bitext.sources),
            student.of(bitext.targets),
            teacher.of(bitext.sources),
            bitext=bitext,
            options=options,
        )
        for bitext in bitexts
    ]


def score_error(
    source_vectors: Vectors, target_vectors: Vectors, teacher_vectors: Vectors, *, bitext: Bitext, options: SuiteOptions
) -> Score:
    """Score the distance of a student's vectors from a teacher's.

    Args:
        source_vectors: The student's, of the texts.
        target_vectors: The student's, of their translations.
        teacher_vectors: The teacher's, of the texts.
        bitext: What they are of.
        options: Uses ``num_resamples`` and ``seed``.

    Raises:
        UserError: Student and teacher differ in width.
    """
    if source_vectors.shape[1] != teacher_vectors.shape[1]:
        raise UserError(
            f"the student's vectors have {source_vectors.shape[1]} values and the teacher's {teacher_vectors.shape[1]};"
            " they cannot be subtracted; judge such a student by bitext and sts-crosslingual"
        )
    teacher = normalise(teacher_vectors)
    sides = [source_vectors, target_vectors]
    items = np.column_stack([_squared_error(side, teacher) for side in sides])
    similar = [float(cosines(side, teacher).mean()) for side in sides]
    return Score(
        task=f"teacher-error/{bitext.name}",
        metric=METRICS["mse"],
        value=float(items.mean()),
        ci95=bootstrap_interval(items, Mean(), num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also={
            "mse_source": float(items[:, 0].mean()),
            "mse_target": float(items[:, 1].mean()),
            "cosine_source": similar[0],
            "cosine_target": similar[1],
        },
        items=items,
    )


def _squared_error(student: Vectors, teacher: Vectors) -> NDArray[np.float64]:
    return np.square(student.astype(np.float64) - teacher).mean(axis=1)
