"""Vectors of texts that were computed once are found again, whatever was killed meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfsent.data.heldout import hash_of_text
from selfsent.data.text_vectors import TextVectors
from selfsent.time_limit import TimeLimit

TEXTS = [f"text {number}" for number in range(1200)]


class Encoder:
    """Gives each text the lengths of the text and of its last word, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text), float(text.split()[-1])] for text in texts], dtype=np.float32)


def test_each_text_is_computed_once_for_all_corpora_that_hold_it(tmp_path: Path):
    encode = Encoder()
    first = TextVectors(tmp_path, 2)
    assert first.complete(TEXTS[:700], encode, TimeLimit()).tolist() == list(range(700))
    again = TextVectors(tmp_path, 2)
    assert again.complete(TEXTS[500:], encode, TimeLimit()).tolist() == list(range(700))
    assert sorted(encode.asked) == sorted(TEXTS)
    assert again.of(["text 7", "text 1100"]).tolist() == [[6, 7], [9, 1100]]


def test_when_the_time_is_over_the_texts_of_the_lowest_hashes_have_vectors_and_a_later_call_takes_the_same(
    tmp_path: Path,
):
    encode = Encoder()
    chosen = TextVectors(tmp_path, 2).complete(TEXTS, encode, TimeLimit(0))
    assert len(chosen) == 512
    order = sorted(range(len(TEXTS)), key=lambda place: hash_of_text(TEXTS[place]))
    assert chosen.tolist() == sorted(order[:512])
    assert TextVectors(tmp_path, 2).complete(TEXTS, encode, TimeLimit()).tolist() == chosen.tolist()
    assert len(encode.asked) == 512


def test_half_a_part_that_a_kill_left_is_cut_off_and_computed_again(tmp_path: Path):
    encode = Encoder()
    TextVectors(tmp_path, 2).complete(TEXTS[:10], encode, TimeLimit())
    with (tmp_path / "vectors.bin").open("ab") as file:
        file.write(b"\0" * 13)
    with (tmp_path / "keys.bin").open("r+b") as file:
        file.truncate(8 * 9 + 3)
    again = TextVectors(tmp_path, 2)
    assert len(again.complete(TEXTS[:11], encode, TimeLimit())) == 11
    assert again.of(TEXTS[:11]).tolist() == [[6, number] for number in range(10)] + [[7, 10]]
