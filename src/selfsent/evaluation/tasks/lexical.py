"""The suite ``lexical``: how well the similarity of two words' embeddings ranks pairs of words as people do.

Protocol: each word is encoded as a sentence of its own, as it is written; cosine, Spearman's rank correlation over all
pairs. A word is out of the vocabulary if the tokenizer makes it of nothing but its unknown token, or its embedding is
zero; a pair with such a word gets the similarity 0, so that every model is scored on the same pairs. How many there
are, and the correlation over the other pairs, stands beside the score.

Layout: ``lexical/{task}.tsv`` with ``word1, word2, score``.

Source: Hill et al. 2015 (SimLex-999); Agirre et al. 2009 (WordSim-353, similarity and relatedness).
Differs: Self-StrAE's and Banyan's evaluators leave the gold scores as text, which ranks both sides alphabetically;
    here they are numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfsent.errors import UserError
from selfsent.evaluation.metrics import METRICS
from selfsent.evaluation.records import find_file, read_records
from selfsent.evaluation.report import LEXICAL
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import Encoder, SentenceVectors, cosines, encode_distinct
from selfsent.evaluation.statistics import Spearman, bootstrap_interval
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.tasks.sts import ScoredPairs, check_varied

_COLUMNS = ("word1", "word2", "score")


def evaluate(model: Encoder, data_dir: Path | None, options: SuiteOptions) -> list[Score]:
    """Score a model on SimLex-999 and both halves of WordSim-353.

    Args:
        model: The model.
        data_dir: Folder with ``lexical/``; the hub has no data set to take instead.
        options: Uses ``batch_size``, ``num_resamples``, ``seed``.

    Returns:
        Spearman's correlation of each; the counts of what is out of the vocabulary beside it.

    Raises:
        UserError: A file is missing or wrong, or the embeddings are.
    """
    if data_dir is None:
        raise UserError(
            f"the suite lexical has no data on the hub; name a folder with --data-dir that holds "
            f"lexical/{LEXICAL[0]}.tsv and so on, with the columns {', '.join(_COLUMNS)}"
        )
    tasks = [_read(data_dir, task) for task in LEXICAL]
    words = dict.fromkeys(word for task in tasks for word in (*task.sentences1, *task.sentences2))
    vectors = encode_distinct(model, words, batch_size=options.batch_size, what="words")
    unknown = unknown_words(model, list(words)) | {word for word in words if not vectors[word].any()}
    return [_score(task, vectors, unknown, options) for task in tasks]


def _read(data_dir: Path, task: str) -> ScoredPairs:
    records = read_records(find_file(data_dir, f"lexical/{task}.tsv", columns=_COLUMNS), columns=_COLUMNS)
    return ScoredPairs(
        name=task,
        sentences1=[record.text("word1") for record in records],
        sentences2=[record.text("word2") for record in records],
        gold=np.array([record.number("score") for record in records]),
    )


def unknown_words(model: Any, words: Sequence[str]) -> set[str]:
    """Find the words a model's tokenizer knows nothing of.

    Args:
        model: A model; one without a tokenizer, or with one that has no unknown token, knows every word.
        words: The words.

    Returns:
        Those of which every token is the unknown one.
    """
    tokenizer = getattr(model, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    unknown_token = getattr(tokenizer, "unk_token", None) or getattr(getattr(backend, "model", None), "unk_token", None)
    if backend is None or unknown_token is None or not hasattr(backend, "encode_batch"):
        return set()
    encoded = backend.encode_batch(list(words), add_special_tokens=False)
    masked = (
        [token for token, kept in zip(encoding.tokens, encoding.attention_mask, strict=True) if kept]
        for encoding in encoded
    )
    return {word for word, tokens in zip(words, masked, strict=True) if set(tokens) <= {unknown_token}}


def _score(task: ScoredPairs, vectors: SentenceVectors, unknown: set[str], options: SuiteOptions) -> Score:
    pairs = list(zip(task.sentences1, task.sentences2, strict=True))
    known = np.array([not unknown.intersection(pair) for pair in pairs])
    predicted = np.where(known, cosines(vectors.of(task.sentences1), vectors.of(task.sentences2)), 0.0)
    check_varied(predicted, task.gold, name=task.name, pairs=pairs)
    items = np.column_stack([predicted, task.gold])
    return Score(
        task=task.name,
        metric=METRICS["spearman"],
        value=Spearman()(items),
        ci95=bootstrap_interval(items, Spearman(), num_resamples=options.num_resamples, seed=options.seed),
        num_items=len(items),
        also=_unknown_counts(items, known, unknown & {*task.sentences1, *task.sentences2}),
        items=items,
    )


def _unknown_counts(
    items: NDArray[np.float64], known: NDArray[np.bool_], unknown: set[str]
) -> dict[str, float | int | str]:
    counts: dict[str, float | int | str] = {
        "num_unknown_words": len(unknown),
        "num_unknown_pairs": int(np.count_nonzero(~known)),
    }
    if unknown and np.count_nonzero(known) > 1:
        counts["spearman_known_pairs"] = Spearman()(items[known])
    return counts
