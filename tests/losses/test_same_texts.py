"""Numbers that tell equal texts, and the candidates a loss leaves out because of them."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selfsent.losses.same_texts import false_negatives, same_label, text_keys

ROWS = st.lists(st.lists(st.integers(0, 40_000), max_size=6), min_size=1, max_size=6)


def padded(rows: list[list[int]], *, width: int, left: bool = False, padding_id: int = 0) -> dict[str, Tensor]:
    """Rows of token ids as features of one width, padded at the right or at the left."""
    ids = torch.full((len(rows), width), padding_id)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for row, tokens in enumerate(rows):
        place = slice(width - len(tokens), width) if left else slice(0, len(tokens))
        ids[row, place] = torch.tensor(tokens, dtype=torch.long)
        mask[row, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def keys(rows: list[list[int]], **options: int) -> list[int]:
    found = text_keys(padded(rows, **{"width": 8, **options}))
    assert found is not None
    return found.tolist()


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_padding_does_not_change_a_key(rows: list[list[int]]):
    assert keys(rows) == keys(rows, width=11) == keys(rows, left=True) == keys(rows, padding_id=7)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_keys_are_equal_exactly_where_tokens_are(rows: list[list[int]]):
    for (one, key), (other, other_key) in itertools.combinations(zip(rows, keys(rows), strict=True), 2):
        assert (key == other_key) == (one == other)


def test_every_order_of_the_same_tokens_has_a_key_of_its_own():
    orders = [list(order) for order in itertools.permutations([5, 6, 7, 8, 9])]
    assert len(set(keys(orders))) == len(orders)


def test_a_text_and_the_same_text_with_more_behind_it_differ():
    assert len(set(keys([[], [0], [0, 0], [3], [3, 0], [0, 3]]))) == 6


def test_the_type_of_the_mask_does_not_matter():
    features = padded([[4, 2], [9]], width=4)
    as_booleans = {**features, "attention_mask": features["attention_mask"].bool()}
    assert torch.equal(text_keys(features), text_keys(as_booleans))


@pytest.mark.parametrize(
    "features",
    [
        {},
        {"input_ids": torch.tensor([1, 2, 3])},
        {"input_ids": torch.ones(2, 3), "attention_mask": torch.ones(2, 4)},
        {"input_ids": torch.ones(2, 3), "attention_mask": None},
    ],
    ids=["nothing", "one row without offsets", "another shape", "no mask"],
)
def test_what_is_not_rows_of_tokens_has_no_keys(features: dict[str, Tensor | None]):
    assert text_keys(features) is None


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_a_bag_of_tokens_has_the_key_of_the_same_tokens_in_a_padded_row(rows: list[list[int]]):
    ids = torch.tensor([token for row in rows for token in row], dtype=torch.long)
    offsets = torch.tensor([sum(map(len, rows[:place])) for place in range(len(rows))])
    found = text_keys({"input_ids": ids, "offsets": offsets})
    assert found is not None
    assert found.tolist() == keys(rows)


def plainly(
    anchors: list[int], positives: list[int], all_anchors: list[int], candidates: list[list[int]], first: int
) -> list[list[bool]]:
    """The rule in words, one cell at a time."""
    table = []
    for row, (anchor, positive) in enumerate(zip(anchors, positives, strict=True)):
        cells = []
        for column, texts in enumerate(candidates):
            for place, text in enumerate(texts):
                is_own_positive = column == 0 and place == first + row
                is_positive_of_an_equal_anchor = column == 0 and all_anchors[place] == anchor
                says_the_same = text in (anchor, positive)
                cells.append(not is_own_positive and (says_the_same or is_positive_of_an_equal_anchor))
        table.append(cells)
    return table


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 2), st.integers(1, 3))
def test_left_out_are_equal_texts_and_positives_of_equal_anchors_but_never_the_own_positive(
    data: st.DataObject, num_rows: int, num_ranks: int, num_columns: int
):
    text = st.integers(0, 4)
    column = st.lists(text, min_size=num_rows * num_ranks, max_size=num_rows * num_ranks)
    all_anchors, candidates = data.draw(column), [data.draw(column) for _ in range(num_columns)]
    for rank in range(num_ranks):
        first = rank * num_rows
        own = slice(first, first + num_rows)
        found = false_negatives(
            torch.tensor(all_anchors[own]),
            torch.tensor(candidates[0][own]),
            torch.tensor(all_anchors),
            [torch.tensor(keys) for keys in candidates],
            first,
        )
        assert found.tolist() == plainly(all_anchors[own], candidates[0][own], all_anchors, candidates, first)


def test_different_texts_leave_nothing_out():
    marked = false_negatives(torch.arange(4), torch.arange(4, 8), torch.arange(4), [torch.arange(4, 8)])
    assert not marked.any()
    assert marked.shape == (4, 4)


def test_positives_of_the_same_document_are_marked_and_the_own_positive_and_hard_negatives_are_not():
    marked = same_label(torch.tensor([7, 8]), torch.tensor([8, 7, 7, 8]), 8, first=2)
    assert marked.tolist() == [
        [False, True, False, False, False, False, False, False],
        [True, False, False, False, False, False, False, False],
    ]
