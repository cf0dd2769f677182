import torch
from torch import nn

from selfsent.training.dropout import bit_dropout, fast_dropout


def test_the_share_dropped_and_the_expectation_are_those_of_dropout():
    torch.manual_seed(0)
    values = torch.full((1000, 1001), 2.0)
    dropped = bit_dropout(values, 0.1)
    is_dropped = dropped == 0
    assert abs(is_dropped.double().mean().item() - 0.1) < 5 * (0.1 * 0.9 / values.numel()) ** 0.5 + 1 / 65536
    torch.testing.assert_close(dropped[~is_dropped].unique(), torch.tensor([2 / 0.9]), rtol=1e-4, atol=0)
    along_rows, along_columns = is_dropped.double().mean(dim=0), is_dropped.double().mean(dim=1)
    assert 0.5 < along_rows.var() / (0.09 / 1000) < 2
    assert 0.5 < along_columns.var() / (0.09 / 1001) < 2


def test_neighbouring_values_that_share_a_draw_are_independent():
    torch.manual_seed(1)
    dropped = (bit_dropout(torch.ones(400_000), 0.5) == 0).double().view(-1, 4)
    correlations = torch.corrcoef(dropped.T) - torch.eye(4)
    assert correlations.abs().max() < 5 / len(dropped) ** 0.5


def test_gradients_pass_through_the_values_that_are_kept():
    values = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    dropped = bit_dropout(values, 0.3)
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, dropped.detach())


def test_modules_are_swapped_within_the_block_only_and_repeat_with_the_seed():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5))
    rows = torch.ones(4, 8)
    with fast_dropout(model):
        torch.manual_seed(3)
        first = model(rows)
        torch.manual_seed(3)
        assert torch.equal(model(rows), first)
        model.eval()
        assert torch.equal(model(rows), model[0](rows))
        model.train()
    assert "forward" not in vars(model[1])
    torch.manual_seed(3)
    assert not torch.equal(model(rows), first)


def test_no_dropout_draws_nothing():
    model = nn.Sequential(nn.Dropout(0.0))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with fast_dropout(model):
        model(torch.ones(3))
    assert torch.equal(torch.rand(1), expected)
