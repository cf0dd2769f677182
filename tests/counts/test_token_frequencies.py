import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from selfsent.counts.token_frequencies import TokenFrequencies, count_tokens, token_weights, vocabulary_sha256
from selfsent.data.tokenizer import train_tokenizer
from selfsent.errors import UserError

COUNTS = np.array([0, 1, 4, 9])


def test_counts_are_those_of_a_plain_loop_over_the_texts(
    sentences: list[str], tiny_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("selfsent.counts.token_frequencies._TEXTS_A_BATCH", 5)
    table = count_tokens(iter([*sentences, "", "☃"]), tiny_tokenizer)
    counter = Counter(token for text in [*sentences, "", "☃"] for token in tiny_tokenizer.encode(text))
    assert {i: n for i, n in enumerate(table.counts.tolist()) if n} == dict(counter)
    assert table.num_texts == len(sentences) + 2
    assert table.num_tokens == counter.total()
    assert len(table.counts) == len(tiny_tokenizer)


def test_a_table_is_the_same_after_saving_and_names_corpus_and_tokenizer(
    sentences: list[str], tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
):
    table = count_tokens(sentences, tiny_tokenizer)
    table.save(tmp_path / "runs" / "table.json")
    again = TokenFrequencies.load(tmp_path / "runs" / "table.json")
    np.testing.assert_array_equal(again.counts, table.counts)
    assert vars(again) | {"counts": 0} == vars(table) | {"counts": 0}
    (tmp_path / "marked.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "runs" / "table.json").read_bytes())
    assert TokenFrequencies.load(tmp_path / "marked.json").num_texts == table.num_texts
    assert count_tokens(sentences[::-1], tiny_tokenizer).corpus_sha256 != table.corpus_sha256
    assert count_tokens(iter(sentences), tiny_tokenizer).corpus_sha256 == table.corpus_sha256
    assert table.tokenizer_sha256 == vocabulary_sha256(tiny_tokenizer)


def test_a_tokenizer_is_the_same_after_saving_and_whatever_it_is_set_to(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
):
    tiny_tokenizer.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    again(["a b c", "d"], padding=True, truncation=True, max_length=2)
    assert vocabulary_sha256(again) == vocabulary_sha256(tiny_tokenizer)


def test_a_table_of_another_tokenizer_is_refused(sentences: list[str], tiny_tokenizer: PreTrainedTokenizerFast):
    other = train_tokenizer(sentences[:6], vocab_size=150)
    count_tokens(sentences, tiny_tokenizer).check_tokenizer(tiny_tokenizer)
    with pytest.raises(UserError, match=r"another tokenizer .*; count them again with the model's own"):
        count_tokens(sentences, other).check_tokenizer(tiny_tokenizer)


def test_a_corpus_without_tokens_is_refused(tiny_tokenizer: PreTrainedTokenizerFast):
    with pytest.raises(UserError, match="the 2 texts of the corpus hold none"):
        count_tokens(["", ""], tiny_tokenizer)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("not json", "not a table of token frequencies"),
        ("[]", "not a table of token frequencies"),
        (json.dumps({"format": "counts of words"}), "its format is 'counts of words'"),
        ({"counts": [1.5, 2]}, "not whole numbers"),
        ({"counts": [1, -2]}, "not whole numbers"),
        ({"counts": []}, "not whole numbers"),
        ({"num_texts": None}, "not a table of token frequencies"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(
    tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast, content: Any, reason: str
):
    path = tmp_path / "table.json"
    count_tokens(["the cat"], tiny_tokenizer).save(path)
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content)
    path.write_text(content)
    with pytest.raises(UserError, match=reason) as caught:
        TokenFrequencies.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot read token frequencies at .*missing.json: No such file"):
        TokenFrequencies.load(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("linear", [1, 8 / 9, 5 / 9, 0.1]),
        ("log", [1, 1 - np.log10(2), 1 - np.log10(5), 0.1]),
        ("inverse", [1, 1, 0.25, 1 / 9]),
        ("uniform", [1, 1, 1, 1]),
    ],
)
def test_weights_are_those_worked_out_by_hand(weighting: Any, expected: list[float]):
    np.testing.assert_allclose(token_weights(COUNTS, weighting=weighting, floor=0.1), expected)


def test_the_floor_lifts_what_is_below_it_and_nothing_else():
    np.testing.assert_allclose(token_weights(COUNTS, floor=0.6), [1, 8 / 9, 0.6, 0.6])
    np.testing.assert_allclose(token_weights(COUNTS, floor=0), [1, 8 / 9, 5 / 9, 0])
    np.testing.assert_allclose(token_weights(COUNTS, floor=1), 1)


@pytest.mark.parametrize("floor", [-0.1, 1.1, float("nan")])
def test_theta_outside_0_to_1_is_refused(floor: float):
    with pytest.raises(UserError, match=r"theta=.* must be in \[0, 1\]"):
        token_weights(COUNTS, floor=floor)


def test_an_unknown_weighting_and_an_empty_table_are_refused():
    unknown: Any = "tfidf"
    with pytest.raises(UserError, match="weighting must be one of linear, log, inverse, uniform, got 'tfidf'"):
        token_weights(COUNTS, weighting=unknown)
    with pytest.raises(UserError, match="in which none occurs"):
        token_weights(np.zeros(3, dtype=np.int64))
