"""Token ids on disk, and counts of them in blocks."""

from pathlib import Path

import numpy as np
import pytest
from tests.losses.test_part_contrast import STRETCHES, WORDS, word_tokenizer

from selfsent.documents import token_corpus as token_corpus_module
from selfsent.documents.token_corpus import write_token_corpus

ROWS_OF = np.array([0, *(1 + number % 7 for number in range(len(WORDS) - 1))])
"""Words share rows, as words of one stem do."""


@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_blocks_count_every_row_of_every_step_th_stretch(
    tmp_path: Path, step: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_corpus_module, "_STRETCHES_COUNTED", at_once)
    corpus = write_token_corpus(STRETCHES, word_tokenizer(), tmp_path)
    expected = np.zeros((len(STRETCHES), 8))
    for number, stretch in enumerate(STRETCHES):
        for word in " ".join(stretch.parts).split():
            expected[number, ROWS_OF[WORDS.index(word)]] += 1
    blocks = list(corpus.counts(ROWS_OF, step=step))
    np.testing.assert_array_equal(np.vstack([block.toarray() for block in blocks]), expected[::step])
    assert all(block.has_canonical_format for block in blocks)


def test_parts_and_documents_are_those_that_were_written(tmp_path: Path) -> None:
    corpus = write_token_corpus(STRETCHES, word_tokenizer(), tmp_path)
    assert len(corpus) == len(STRETCHES)
    assert corpus.num_parts.tolist() == [len(stretch.parts) for stretch in STRETCHES]
    assert corpus.documents.tolist() == [stretch.document for stretch in STRETCHES]
    assert corpus.is_titled.tolist() == [1, 1, 0, 0, 0, 0]
    third = corpus.tokens[corpus.part_starts[6] : corpus.part_starts[7]]
    assert [WORDS[number] for number in third] == ["w10", "w11"]


def test_a_corpus_without_stretches_counts_nothing(tmp_path: Path) -> None:
    corpus = write_token_corpus([], word_tokenizer(), tmp_path)
    assert not list(corpus.counts(ROWS_OF))
