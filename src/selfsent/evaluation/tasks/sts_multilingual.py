"""The suite ``sts-multilingual``: the STS benchmark in other languages, and between two languages.

Protocol as in ``sts``. Line i of every language's file translates line i of the English one, so the cross-lingual task
``en-de`` pairs the English first sentence with the German second sentence.

Layout: ``sts/STSBenchmarkMultilingual/{language}-{split}.jsonl`` with ``sentence1, sentence2, score``; English itself
is ``sts/STSBenchmark/{split}.jsonl``.

Source: stsb-multi-mt, machine translations of Cer et al. 2017.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from selfsent.errors import UserError
from selfsent.evaluation.records import HubData, find_file, read_records
from selfsent.evaluation.report import MULTILINGUAL_STS
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.sts import COLUMNS, ScoredPairs, pairs_of, read_pairs, score_tasks

_HUB_LANGUAGES = ("de", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")
_HUB = HubData(
    name="mteb/stsb_multi_mt",
    revision="29afa2569dcedaaa2fe6a3dcfebab33d28b82e8c",
    rename={"similarity_score": "score"},
)


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model by language.

    Args:
        model: The model.
        data_dir: Folder with ``sts/``; ``None`` for the hub.
        options: Uses ``languages`` (empty: every one there is), ``split``, ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        One score a language or pair of languages, named ``STSBenchmarkMultilingual/de``.

    Raises:
        UserError: A file is missing or wrong, or the embeddings are.
    """
    wanted = options.languages or (_HUB_LANGUAGES if data_dir is None else languages_in(data_dir, options.split))
    tasks = [_task(data_dir, language, options.split) for language in wanted]
    return score_tasks(model, tasks, replace(options, aggregation="all"))


def languages_in(data_dir: Path, split: str = "test") -> tuple[str, ...]:
    """List the languages that have a file.

    Raises:
        UserError: There is none.
    """
    folder = data_dir / "sts" / MULTILINGUAL_STS
    ending = f"-{split}.jsonl"
    found = {file.name.partition(ending)[0] for file in folder.glob(f"*{ending}*")} if folder.is_dir() else set[str]()
    if not found:
        raise UserError(
            f"no {split} file in {folder}; it must hold files such as {folder / f'de{ending}'} with the columns "
            f"{', '.join(COLUMNS)}"
        )
    return tuple(sorted(found))


def _task(data_dir: Path | None, language: str, split: str) -> ScoredPairs:
    first_language, _, second_language = language.partition("-")
    first = _read(data_dir, first_language, split)
    if not second_language:
        return replace(first, name=f"{MULTILINGUAL_STS}/{language}")
    second = _read(data_dir, second_language, split)
    if not np.array_equal(first.gold, second.gold):
        raise UserError(
            f"the {split} files of {first_language} and {second_language} do not hold the same pairs line by line "
            f"({len(first.gold)} and {len(second.gold)}, or other scores); the task {language} needs that"
        )
    return replace(first, name=f"{MULTILINGUAL_STS}/{language}", sentences2=second.sentences2)


def _read(data_dir: Path | None, language: str, split: str) -> ScoredPairs:
    relative = f"sts/{MULTILINGUAL_STS}/{language}-{split}.jsonl"
    if data_dir is None:
        data = replace(_HUB, config=language, split=split)
        return pairs_of(data.records(columns=COLUMNS, instead=relative), name=language)
    if language == "en":
        return read_pairs(data_dir, "STSBenchmark", split)
    return pairs_of(read_records(find_file(data_dir, relative, columns=COLUMNS), columns=COLUMNS), name=language)
