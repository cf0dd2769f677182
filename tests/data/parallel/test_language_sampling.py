"""How often languages are drawn: shares by a power of their size, and rows anew each epoch, the same for a seed."""

import random
from collections import Counter

import pytest
from datasets import Dataset

from selfsent.data.parallel.language_sampling import MAX_REPEATS, SampledTexts, drawn_rows, quotas, shares
from selfsent.errors import UserError
from selfsent.training.random_state import SeededViews


def test_shares_are_worked_out_by_hand():
    assert shares({"a": 16, "b": 81}, alpha=0.5) == pytest.approx({"a": 4 / 13, "b": 9 / 13})
    assert shares({"a": 1, "b": 3}, alpha=1) == pytest.approx({"a": 0.25, "b": 0.75})
    assert shares({"a": 1, "b": 3}, alpha=0) == pytest.approx({"a": 0.5, "b": 0.5})


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(UserError, match="language_alpha"):
        shares({"a": 1}, alpha=alpha)


def test_what_a_small_language_cannot_take_goes_to_the_others():
    assert quotas({"small": 10, "large": 1000}, 500, alpha=0) == {"small": 10, "large": 490}
    assert quotas({"small": 10, "large": 1000}, 500, alpha=0, max_repeats=5) == {"small": 50, "large": 450}
    assert quotas({"a": 10, "b": 10}, 8, alpha=1) == {"a": 4, "b": 4}


def test_ten_lines_beside_a_million_are_seen_and_do_not_take_over():
    draws = quotas({"small": 10, "large": 1_000_000}, 1_000_010, alpha=0.3, max_repeats=MAX_REPEATS)
    assert draws["small"] == 100
    assert draws["large"] == 1_000_000 + 10 - 100


def rows_of(counts: dict[str, int]) -> tuple[Dataset, list[str]]:
    languages = [name for name, count in counts.items() for _ in range(count)]
    random.Random(5).shuffle(languages)
    return Dataset.from_dict({"text": [f"{name} {number}" for number, name in enumerate(languages)]}), languages


def epoch_texts(dataset: Dataset, seed: int) -> list[str]:
    random.seed(seed)
    return dataset[:]["text"]


def test_in_proportion_every_row_comes_once():
    rows, languages = rows_of({"a": 7, "b": 30})
    epoch = drawn_rows(rows, languages, alpha=1, columns=["text"])
    assert sorted(epoch_texts(epoch.rows, 0)) == sorted(rows["text"])


def test_a_large_language_is_thinned_without_repeats_and_a_small_one_repeated():
    rows, languages = rows_of({"small": 10, "large": 200})
    epoch = drawn_rows(rows, languages, alpha=0, columns=["text"])
    assert epoch.draws == {"large": 110, "small": 100}
    seen: set[str] = set()
    for seed in range(8):
        texts = epoch_texts(epoch.rows, seed)
        large = [text for text in texts if text.startswith("large")]
        assert len(set(large)) == len(large) == 110
        assert set(Counter(text for text in texts if text.startswith("small")).values()) == {10}
        seen |= set(large)
    assert len(seen) > 190


def test_a_resumed_epoch_draws_the_same_and_the_next_one_others():
    rows, languages = rows_of({"small": 10, "large": 200})
    transform = drawn_rows(rows, languages, alpha=0, columns=["text"]).rows.format["format_kwargs"]["transform"]
    batch = {"first": list(range(50)), "stride": [110] * 50, "choices": [2] * 50}
    views, resumed = SeededViews(transform, seed=3), SeededViews(transform, seed=3)
    first = views(batch)
    random.seed(99)
    assert resumed(batch) == first
    views.epoch = 1
    assert views(batch) != first


def test_texts_for_a_tokenizer_are_drawn_by_language_the_same_every_time():
    texts = [("large", f"l{number}") for number in range(1000)] + [("small", f"s{number}") for number in range(20)]
    sampled = SampledTexts(lambda: iter(texts), alpha=0)
    found = list(sampled)
    counts = Counter(text[0] for text in found)
    assert counts["s"] == 20 * MAX_REPEATS
    assert counts["l"] == pytest.approx(820, abs=60)
    assert list(sampled) == found
