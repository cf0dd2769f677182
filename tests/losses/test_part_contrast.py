"""The contrast of parts against autograd and against a plain drawing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from selfsent.documents.stretches import Stretch
from selfsent.documents.token_corpus import write_token_corpus
from selfsent.errors import UserError
from selfsent.losses.functional import info_nce
from selfsent.losses.part_contrast import PartBatches, part_contrast

WORDS = ["title", *(f"w{number}" for number in range(40))]


def word_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="title"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


STRETCHES = [
    Stretch(document=0, title="title w1", sentences=("w2 w3", "w4 w5 w6")),
    Stretch(document=0, title="title w1", sentences=("w7 w8", "w9")),
    Stretch(document=1, title="", sentences=("w10 w11", "w12", "w13 w14")),
    Stretch(document=2, title="", sentences=("w15 w16",)),
    Stretch(document=3, title="", sentences=("w11 w10", "w17 w18")),
    Stretch(document=4, title="", sentences=("w20", "w21 w22", "w23", "w24 w25")),
]


@pytest.fixture
def batches_of(tmp_path: Path):
    def make(*parts: str, token_dropout: float = 0.0) -> PartBatches:
        corpus = write_token_corpus(STRETCHES, word_tokenizer(), tmp_path)
        rows_of = np.arange(len(WORDS))
        weights = np.ones(len(WORDS), dtype=np.float32)
        options = {"rows_of": rows_of, "row_weights": weights, "token_dropout": token_dropout, "seed": 1}
        return PartBatches(corpus, parts=parts, **options)

    return make


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.05, 1.0))
def test_loss_and_gradient_are_those_of_autograd(seed: int, num_rows: int, temperature: float):
    sums = np.random.default_rng(seed).normal(size=(2 * num_rows, 4)).astype(np.float32)
    leaf = torch.from_numpy(sums.copy()).requires_grad_()
    expected = info_nce(leaf[:num_rows], leaf[num_rows:], temperature=temperature, symmetric=True)
    expected.backward()
    found = part_contrast(sums, np.zeros((num_rows, num_rows), dtype=bool), temperature=temperature)
    assert found.loss == pytest.approx(float(expected.detach()), abs=1e-4)
    assert np.allclose(found.gradient, leaf.grad.numpy(), atol=1e-4)


def test_a_skipped_pair_is_no_candidate_in_either_direction():
    sums = np.eye(6, 3, dtype=np.float32) + np.roll(np.eye(6, 3, k=-3, dtype=np.float32), 1, axis=0)
    sums[sums.sum(axis=1) == 0] = 1
    skipped = np.zeros((3, 3), dtype=bool)
    skipped[0, 1] = skipped[1, 0] = True
    found = part_contrast(sums, skipped, temperature=1.0)
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    cosines = units[:3] @ units[3:].T
    plain = 0.0
    for row in range(3):
        others = [column for column in range(3) if not skipped[row, column]]
        plain -= cosines[row, row] - np.log(np.exp(cosines[row, others]).sum())
        plain -= cosines[row, row] - np.log(np.exp(cosines[others, row]).sum())
    assert found.loss == pytest.approx(plain / 6, abs=1e-5)
    assert found.num_skipped == 2


def words_of(batches: PartBatches, part: str, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    stretches = batches.usable
    bags, _ = batches.draw(stretches, np.random.default_rng(seed))
    texts = [
        [WORDS[token] for token in bags.tokens[start:end]]
        for start, end in zip(bags.starts[:-1], bags.starts[1:], strict=True)
    ]
    return list(zip(texts[: len(stretches)], texts[len(stretches) :], strict=True))


def test_stretches_of_one_part_are_never_drawn(batches_of):
    assert batches_of("random").usable.tolist() == [0, 1, 2, 4, 5]


def test_the_first_sentence_stands_against_title_and_other_sentences(batches_of):
    pairs = words_of(batches_of("first"), "first")
    assert pairs[0] == (["w2", "w3"], ["title", "w1", "w4", "w5", "w6"])
    assert pairs[2] == (["w10", "w11"], ["w12", "w13", "w14"])


def test_the_lead_is_the_title_or_else_the_first_sentence(batches_of):
    pairs = words_of(batches_of("lead"), "lead")
    assert pairs[0] == (["title", "w1"], ["w2", "w3", "w4", "w5", "w6"])
    assert pairs[2][0] == ["w10", "w11"]


@pytest.mark.parametrize("part", ["random", "crops", "first", "lead"])
def test_anchor_and_rest_are_the_whole_stretch_and_neither_is_empty(batches_of, part: str):
    batches = batches_of(part)
    for seed in range(20):
        for number, (anchor, rest) in zip(batches.usable, words_of(batches, part, seed), strict=True):
            whole = " ".join(STRETCHES[number].parts).split()
            assert sorted(anchor + rest) == sorted(whole)
            assert anchor
            assert rest


def test_parts_of_one_document_and_equal_anchors_are_no_negatives(batches_of):
    batches = batches_of("first")
    _, skipped = batches.draw(batches.usable, np.random.default_rng(0))
    # Stretches 0 and 1 are document 0; the first sentences of documents 1 and 3 hold the same words.
    expected = np.zeros((5, 5), dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    assert skipped.tolist() == expected.tolist()


def test_dropped_tokens_weigh_nothing_and_are_drawn_anew(batches_of):
    batches = batches_of("random", token_dropout=0.5)
    random = np.random.default_rng(0)
    shares = [float((batches.draw(batches.usable, random)[0].weights == 0).mean()) for _ in range(200)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert len(set(shares)) > 1


def test_an_epoch_draws_every_usable_stretch_once_in_an_order_of_seed_and_epoch(batches_of):
    batches = batches_of("random")
    first, again, second = batches.epoch(1, 2), batches.epoch(1, 2), batches.epoch(2, 2)
    assert [one.tolist() for one in first] == [one.tolist() for one in again]
    assert [one.tolist() for one in first] != [one.tolist() for one in second]
    assert len({int(number) for one in first for number in one}) == 4  # five stretches, two batches of two


def test_an_unknown_part_and_a_dropout_of_everything_are_refused(batches_of):
    with pytest.raises(UserError, match="parts must be one or more of first, random, lead, crops, got middle"):
        batches_of("middle")
    with pytest.raises(UserError, match=r"token_dropout=1\.0 must be in \[0, 1\)"):
        batches_of("random", token_dropout=1.0)
