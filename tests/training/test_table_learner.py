"""A table learns from documents, and goes on from any whole epoch to the same result."""

from pathlib import Path

import numpy as np
import pytest
from tests.losses.test_part_contrast import word_tokenizer

from selfsent.documents.stretches import Stretch
from selfsent.documents.token_corpus import write_token_corpus
from selfsent.errors import UserError
from selfsent.losses.part_contrast import PartBatches
from selfsent.training.table_learner import LearnerSettings, TableLearner

NUM_TOPICS = 8
SETTINGS = LearnerSettings(temperature=0.1, batch_size=8, learning_rate=0.05, num_epochs=5)


def learner(folder: Path, *, settings: LearnerSettings = SETTINGS, seed: int = 0) -> TableLearner:
    """Documents whose sentences use one of eight topics' five words each."""
    random = np.random.default_rng(5)
    found = []
    for document in range(64):
        words = [f"w{5 * (document % NUM_TOPICS) + number}" for number in range(5)]
        sentences = tuple(" ".join(random.choice(words, 3)) for _ in range(3))
        found.append(Stretch(document=document, title="", sentences=sentences))
    corpus = write_token_corpus(found, word_tokenizer(), folder)
    weights = np.ones(41, dtype=np.float32)
    batches = PartBatches(
        corpus, rows_of=np.arange(41), row_weights=weights, parts=("random",), token_dropout=0.1, seed=seed
    )
    table = np.random.default_rng(1).normal(size=(41, 16)).astype(np.float32)
    return TableLearner(table, batches, settings)


def test_words_of_one_topic_come_together_and_others_apart(tmp_path: Path):
    learning = learner(tmp_path)

    def margin() -> float:
        units = learning.table[1:41] / np.linalg.norm(learning.table[1:41], axis=1, keepdims=True)
        topic = np.arange(40) // 5
        same = topic[:, None] == topic
        cosines = units @ units.T
        return float(cosines[same & ~np.eye(40, dtype=bool)].mean() - cosines[~same].mean())

    before, losses = margin(), [learning.learn_epoch() for _ in range(5)]
    assert losses[-1] < losses[0]
    assert margin() > before + 0.3


def test_a_learner_that_goes_on_from_a_saved_epoch_ends_with_the_same_table(tmp_path: Path):
    whole = learner(tmp_path / "corpus")
    for _ in range(4):
        whole.learn_epoch()
    interrupted = learner(tmp_path / "corpus")
    for _ in range(2):
        interrupted.learn_epoch()
    interrupted.save(tmp_path)
    resumed = learner(tmp_path / "corpus")
    resumed.load(tmp_path)
    assert (resumed.epoch, resumed.num_steps) == (2, 16)
    for _ in range(2):
        resumed.learn_epoch()
    assert np.array_equal(resumed.table, whole.table)


def test_seeds_draw_different_batches(tmp_path: Path):
    tables = [learner(tmp_path, seed=seed) for seed in (0, 0, 1)]
    for one in tables:
        one.learn_epoch()
    assert np.array_equal(tables[0].table, tables[1].table)
    assert not np.array_equal(tables[0].table, tables[2].table)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"num_epochs": -1}, "num_epochs must be 0 or more, got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(changed: dict[str, float], message: str):
    numbers = {"temperature": 0.1, "batch_size": 8, "learning_rate": 0.1, "num_epochs": 1}
    with pytest.raises(UserError, match=message):
        LearnerSettings(**{**numbers, **changed})  # pyright: ignore[reportArgumentType]
