"""Attention over packed rows is the attention of each row by itself."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from selfsent.kernels import packed_attention as module
from selfsent.kernels.packed_attention import packed_attention, row_groups

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def row_by_row(heads: list[Tensor], num_tokens: list[int], num_heads: int, scale: float) -> Tensor:
    """torch's attention of each row alone."""
    found = []
    split = [rows.view(-1, num_heads, rows.shape[-1]).split(num_tokens) for rows in heads]
    for row in zip(*split, strict=True):
        queries, keys, values = (part.transpose(0, 1) for part in row)
        found.append(functional.scaled_dot_product_attention(queries, keys, values, scale=scale).transpose(0, 1))
    return torch.cat(found).flatten(0, 1)


def drawn(num_tokens: list[int], num_heads: int, width: int = 3, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(num_tokens))
    shape = (sum(num_tokens) * num_heads, width)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for _ in range(3)]


@given(num_tokens=lengths, num_heads=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_values_and_gradients_are_those_of_each_row_by_itself(num_tokens: list[int], num_heads: int):
    heads = drawn(num_tokens, num_heads)
    found = packed_attention(*heads, row_groups(torch.tensor(num_tokens), num_heads), scale=0.7)
    expected = row_by_row(heads, num_tokens, num_heads, 0.7)
    torch.testing.assert_close(found, expected)
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
    gradients = torch.autograd.grad(found, heads, weights)
    for one, other in zip(gradients, torch.autograd.grad(expected, heads, weights), strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_agree_with_differences():
    heads = drawn([2, 5, 1], 2, width=2)
    groups = row_groups(torch.tensor([2, 5, 1]), 2)
    assert torch.autograd.gradcheck(lambda *rows: packed_attention(*rows, groups, scale=0.5), heads)


def test_gradients_pass_through_what_dropout_keeps(monkeypatch):
    heads = drawn([2, 5, 1, 4], 2, width=2)
    groups = row_groups(torch.tensor([2, 5, 1, 4]), 2)
    kept = torch.rand(groups.num_products).gt(0.4).double() / 0.6
    monkeypatch.setattr(module, "kept_values", lambda *_: kept)
    assert torch.autograd.gradcheck(lambda *rows: packed_attention(*rows, groups, scale=0.5, dropout=0.4), heads)


def test_dropout_keeps_the_expectation_and_its_draws_follow_the_seed():
    num_tokens, num_heads = [8] * 20 + [3] * 7, 2
    queries, keys, values = drawn(num_tokens, num_heads, dtype=torch.float32)
    groups = row_groups(torch.tensor(num_tokens), num_heads)
    expected = packed_attention(queries, keys, values, groups, scale=0.1)
    torch.manual_seed(0)
    draws = [packed_attention(queries, keys, values, groups, scale=0.1, dropout=0.25) for _ in range(400)]
    deviation = (torch.stack(draws).mean(dim=0) - expected).abs()
    assert deviation.mean() < 2 * torch.stack(draws).std(dim=0).mean() / len(draws) ** 0.5
    torch.manual_seed(0)
    assert torch.equal(packed_attention(queries, keys, values, groups, scale=0.1, dropout=0.25), draws[0])


@given(num_tokens=lengths, num_heads=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_groups_give_every_token_and_head_a_place_of_its_own(num_tokens: list[int], num_heads: int):
    groups = row_groups(torch.tensor(num_tokens), num_heads)
    assert len(groups.places) == sum(num_tokens) * num_heads == len(groups.places.unique())
    assert [group.rows.start for group in groups.groups[1:]] == [group.rows.stop for group in groups.groups[:-1]]
    assert groups.groups[-1].rows.stop == groups.num_places
    assert groups.groups[-1].products.stop == groups.num_products
    widths = [group.shape[1] for group in groups.groups]
    assert widths == sorted(num_tokens, reverse=True)[:: module.ROWS_A_GROUP]
