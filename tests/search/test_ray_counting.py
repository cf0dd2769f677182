"""Ray counts what one process counts: words, tokens, co-occurrences and topics, whatever the parts."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SENTENCES
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from selfsent.counts.cooccurrences import cooccurrences
from selfsent.counts.latent_semantics import latent_semantics
from selfsent.counts.tokenized_texts import TokenizedTexts
from selfsent.errors import UserError
from selfsent.search.ray_counting import SpreadTexts, count_words
from selfsent.search.ray_engine import RayEngine

pytest.importorskip("ray")
pytest.importorskip("lance_ray")
pytestmark = pytest.mark.slow

TEXTS = [f"{text} {other}" for text in SENTENCES for other in SENTENCES[::3]] + ["", "Rain."]


@pytest.fixture
def tokenizer() -> Tokenizer:
    """Whole words in lower case; the rare ones are unknown."""
    made = Tokenizer(models.WordLevel(unk_token="?"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=["?"], vocab_size=40))
    return made


@pytest.fixture
def spread(engine: RayEngine, tokenizer: Tokenizer, tmp_path: Path) -> SpreadTexts:
    """Parts of six texts, the last of two."""
    return SpreadTexts.write(engine, partial(list, TEXTS), tokenizer, tmp_path / "ids", texts_a_part=6)


def test_the_most_frequent_words_are_the_vocabulary_that_one_process_trains(engine, tokenizer):
    words = count_words(engine, [partial(list, TEXTS[:20]), partial(list, TEXTS[20:])], tokenizer)
    most_frequent = sorted(words, key=lambda word: (-words[word], word))[:39]
    assert tokenizer.get_vocab() == {word: number for number, word in enumerate(["?", *most_frequent])}


def test_counts_of_tokens_are_equal(spread, tokenizer):
    assert len(spread.parts) == len(TEXTS) // 6 + 1
    expected = TokenizedTexts.of(TEXTS, tokenizer).counts()
    assert expected[0] > 0
    np.testing.assert_array_equal(spread.counts(), expected)


@pytest.mark.parametrize("window", [2, None])
def test_counts_of_cooccurrences_are_equal(spread, tokenizer, window):
    expected = cooccurrences(TokenizedTexts.of(TEXTS, tokenizer), window=window, unknown=0)
    found = spread.cooccurrences(window=window, unknown=0)
    assert expected.nnz > 0
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


@pytest.mark.parametrize("texts_a_passage", [1, 3])
def test_topics_are_equal_within_rounding(spread, tokenizer, texts_a_passage):
    expected = latent_semantics(
        TokenizedTexts.of(TEXTS, tokenizer), dimension=4, texts_a_passage=texts_a_passage, seed=3
    )
    found = spread.latent_semantics(dimension=4, texts_a_passage=texts_a_passage, seed=3)
    assert np.abs(expected).sum() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_parts_that_would_cut_passages_are_refused(spread):
    with pytest.raises(UserError, match=r"multiple of texts_a_passage, .* got 6 and 4"):
        spread.latent_semantics(dimension=4, texts_a_passage=4)


def test_a_corpus_without_texts_has_no_counts(engine, tokenizer, tmp_path):
    empty = SpreadTexts.write(engine, partial(list, []), tokenizer, tmp_path / "none")
    assert not empty.counts().any()
    assert not empty.cooccurrences(window=None, unknown=0).nnz
    assert not empty.latent_semantics(dimension=3).any()


def test_a_folder_that_cannot_be_written_to_is_one_line(engine, tokenizer, tmp_path):
    (tmp_path / "file").write_text("taken")
    with pytest.raises(UserError, match=r"cannot write token ids to .*Not a directory"):
        SpreadTexts.write(engine, partial(list, TEXTS), tokenizer, tmp_path / "file")
