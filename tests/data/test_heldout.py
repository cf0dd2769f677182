import hashlib

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from selfsent.data.heldout import hash_of_text, split_heldout
from selfsent.errors import UserError


def texts(dataset: Dataset) -> list[str]:
    return list(dataset["text"])


def numbered(count: int, start: int = 0) -> Dataset:
    return Dataset.from_dict({"text": [f"Sentence {number}." for number in range(start, start + count)]})


def test_a_hash_is_the_first_8_bytes_of_blake2b_big_endian() -> None:
    assert hash_of_text("é").to_bytes(8, "big") == hashlib.blake2b("é".encode(), digest_size=8).digest()
    assert hash_of_text("\ud800") != hash_of_text("")


@given(
    st.lists(st.sampled_from([f"row {number}" for number in range(40)]), min_size=30, max_size=60).filter(
        lambda rows: len(set(rows)) > 1
    )
)
def test_both_parts_together_are_the_whole_in_order_and_share_no_row(rows: list[str]) -> None:
    dataset = Dataset.from_dict({"text": rows})
    num_rows = max(1, len(set(rows)) // 3)
    train, heldout = split_heldout(dataset, num_rows=num_rows)
    kept, held = texts(train), texts(heldout)
    assert not set(kept) & set(held)
    assert len(set(held)) == num_rows
    assert kept == [row for row in rows if row not in set(held)]
    assert held == [row for row in rows if row in set(held)]


def test_a_fraction_holds_out_about_so_many() -> None:
    train, heldout = split_heldout(numbered(4000), fraction=0.05)
    assert len(train) + len(heldout) == 4000
    assert 120 < len(heldout) < 280  # 200 expected; six standard deviations of a fair draw to each side


def test_a_row_stays_in_its_part_when_others_come_and_go() -> None:
    _, few = split_heldout(numbered(500), fraction=0.1)
    _, many = split_heldout(numbered(1500, start=-500), fraction=0.1)
    assert set(texts(few)) == set(texts(many)) & set(texts(numbered(500)))


def test_every_column_counts() -> None:
    rows = Dataset.from_dict({"a": ["same"] * 200, "score": [float(number) for number in range(200)]})
    _, heldout = split_heldout(rows, num_rows=20)
    assert len(heldout) == 20


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "not both"),
        ({"fraction": 0.1, "num_rows": 3}, "not both"),
        ({"fraction": 0.0}, "above 0 and below 1, got 0.0"),
        ({"fraction": 1.0}, "above 0 and below 1, got 1.0"),
        ({"num_rows": 0}, "held-out rows must be at least 1, got 0"),
        ({"num_rows": 10}, "a part would be empty"),
        ({"fraction": 1e-12}, "a part would be empty"),
    ],
)
def test_a_split_that_cannot_be_is_explained(options: dict[str, float], text: str) -> None:
    with pytest.raises(UserError, match=text):
        split_heldout(numbered(10), **options)  # pyright: ignore[reportArgumentType]
