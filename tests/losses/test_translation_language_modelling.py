"""Rows of a text and its translation: by hand, when they are too long, and with a real tokenizer."""

import torch

from selfsent.losses.translation_language_modelling import joined_features

BEGIN, END, PAD = 2, 3, 0


def features(*rows: list[int]) -> dict[str, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def test_a_translation_follows_behind_the_separator():
    joined = joined_features(
        features([BEGIN, 10, 11, END], [BEGIN, 12, END]),
        features([BEGIN, 20, END], [BEGIN, 21, 22, 23, END]),
        max_tokens=20,
    )
    assert joined["input_ids"].tolist() == [
        [BEGIN, 10, 11, END, 20, END, PAD],
        [BEGIN, 12, END, 21, 22, 23, END],
    ]
    assert joined["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 1, 0], [1] * 7]


def test_a_row_that_is_too_long_is_cut_on_its_longer_side_and_keeps_its_ends():
    source, target = [BEGIN, *range(10, 20), END], [BEGIN, *range(30, 33), END]
    joined = joined_features(features(source), features(target), max_tokens=10)
    assert joined["input_ids"].tolist() == [[BEGIN, 10, 11, 12, 13, END, 30, 31, 32, END]]
    joined = joined_features(features(source), features([BEGIN, *range(30, 40), END]), max_tokens=10)
    assert joined["input_ids"].tolist() == [[BEGIN, 10, 11, 12, END, 30, 31, 32, 33, END]]
