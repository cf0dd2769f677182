"""The suite ``sts-crosslingual``: English first sentences of the STS benchmark beside translated second sentences.

Protocol, layout and source as in ``sts-multilingual``, whose tasks ``en-de`` and so on these are.
"""

from dataclasses import replace
from pathlib import Path

from selfsent.errors import UserError
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks import sts_multilingual

PIVOT = "en"


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model on English beside each other language.

    Args:
        model: The model.
        data_dir: Folder with ``sts/``; ``None`` for the hub, of the languages that the options name.
        options: As for ``sts-multilingual``; of ``languages`` those that are pairs are taken as they are.

    Returns:
        One score a pair of languages, named ``STSBenchmarkMultilingual/en-de``.

    Raises:
        UserError: A file is missing or wrong, or the embeddings are.
    """
    languages = options.languages or sts_multilingual.languages_in(_folder(data_dir), options.split)
    pairs = tuple(name if "-" in name else f"{PIVOT}-{name}" for name in languages if name != PIVOT)
    if not pairs:
        raise UserError(f"sts-crosslingual compares {PIVOT} with other languages, got none; name one, such as de")
    return sts_multilingual.evaluate(model, data_dir, replace(options, languages=pairs))


def _folder(data_dir: Path | None) -> Path:
    if data_dir is None:
        raise UserError(
            "sts-crosslingual finds its languages in a folder; name the one that holds sts/ with --data-dir"
        )
    return data_dir
