"""Heads that only training has."""

import pytest
import torch

from selfsent.errors import UserError
from selfsent.modules.projection_head import StackedHead, TanhHead


def test_the_tanh_head_is_an_affine_map_and_a_tanh():
    head = TanhHead(3)
    rows = torch.randn(5, 3)
    torch.testing.assert_close(head(rows), torch.tanh(rows @ head.linear.weight.T + head.linear.bias))


def test_the_stacked_head_is_the_papers_three_blocks_and_nothing_in_between():
    head = StackedHead(4)
    rows = torch.randn(6, 4)
    expected = rows
    parameters = list(head.parameters())
    assert [tuple(parameter.shape) for parameter in parameters] == [(40, 4), (40,), (4, 40), (4,)] * 3
    for block in range(3):
        into, into_bias, out, out_bias = parameters[4 * block : 4 * block + 4]
        expected = (expected @ into.T + into_bias).clamp(min=0) @ out.T + out_bias
    torch.testing.assert_close(head(rows), expected)


def test_expansion_and_number_of_blocks_are_settings():
    assert [tuple(p.shape) for p in StackedHead(4, expansion=2, num_blocks=1).parameters()] == [
        (8, 4),
        (8,),
        (4, 8),
        (4,),
    ]


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: TanhHead(0), "width of a projection head must be 1 or more, got 0"),
        (lambda: StackedHead(4, expansion=0), "expansion of .* must be 1 or more, got 0"),
        (lambda: StackedHead(4, num_blocks=-1), "num_blocks of .* got -1"),
    ],
)
def test_a_number_below_one_is_refused(build, named):
    with pytest.raises(UserError, match=named):
        build()
