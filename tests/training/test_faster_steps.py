import pytest
import torch
from torch import nn

from selfsent.training.faster_steps import fast_dropout, gathered_embedding_gradients


def loss_of(table: nn.Embedding, ids: list[torch.Tensor], *, tied: bool = False) -> torch.Tensor:
    losses = [(table(part) ** 3).sum() for part in ids]
    total = torch.stack(losses).sum()
    return total + (table.weight[:5] ** 2).sum() if tied else total


def gradient(*, gathered: bool, tied: bool = False, steps: int = 1) -> torch.Tensor:
    torch.manual_seed(0)
    table = nn.Embedding(5000, 8, padding_idx=0)
    ids = [torch.randint(0, 5000, (4, 7)) for _ in range(3)]
    if gathered:
        with gathered_embedding_gradients(table):
            for _ in range(steps):
                loss_of(table, ids, tied=tied).backward()
    else:
        for _ in range(steps):
            loss_of(table, ids, tied=tied).backward()
    assert table.weight.grad is not None
    assert not table.weight.grad.is_sparse
    assert not table.sparse
    return table.weight.grad


def test_the_gradient_is_that_of_torch():
    torch.testing.assert_close(gradient(gathered=True), gradient(gathered=False))


def test_a_table_that_is_also_used_as_a_matrix_keeps_both_parts():
    torch.testing.assert_close(gradient(gathered=True, tied=True), gradient(gathered=False, tied=True))


def test_gradients_of_several_backward_passes_add_up():
    torch.testing.assert_close(gradient(gathered=True, steps=3), gradient(gathered=False, steps=3))


def test_small_tables_are_left_alone():
    table = nn.Embedding(10, 4)
    with gathered_embedding_gradients(table):
        assert not table.sparse


def test_the_gradient_of_each_step_is_free_of_those_before():
    torch.manual_seed(0)
    table, plain = nn.Embedding(5000, 4), nn.Embedding(5000, 4)
    plain.load_state_dict(table.state_dict())
    memory = set()
    with gathered_embedding_gradients(table):
        for step in range(6):
            batches = [[torch.randint(0, 5000, (3, 5)) for _ in range(2)] for _ in range(1 + step % 2)]
            for model in (table, plain):
                model.zero_grad()
                for ids in batches:  # two backward passes in every other step
                    loss_of(model, ids, tied=step == 4).backward()
            torch.testing.assert_close(table.weight.grad, plain.weight.grad)
            torch.nn.utils.clip_grad_norm_([table.weight], 0.1)
            memory.add(table.weight.grad.data_ptr())
    assert len(memory) <= 2, "the table of zeros is made once; where it is also a matrix, torch makes one"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda table: nn.utils.clip_grad_norm_([table.weight], 1.0), id="clipped by no number"),
        pytest.param(lambda table: table.weight.grad.add_(1.0), id="noise added in place"),
    ],
)
def test_whatever_changed_a_gradient_in_place_the_next_one_is_free_of_it(change):
    table = nn.Embedding(5000, 4)
    with gathered_embedding_gradients(table):
        (table(torch.tensor([1, 2])).sum() * torch.nan).backward()
        change(table)
        table.zero_grad()
        table(torch.tensor([3, 3])).sum().backward()
    expected = torch.zeros(5000, 4)
    expected[3] = 2
    assert table.weight.grad is not None
    assert torch.equal(table.weight.grad, expected)


@pytest.mark.parametrize("max_norm", [0.1, 1e6, float("inf")])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("tied", [False, True])
def test_gradients_are_clipped_as_torch_clips_them(max_norm: float, steps: int, tied: bool):
    torch.manual_seed(0)
    table, other = nn.Embedding(5000, 4), nn.Linear(3, 2)
    ids = [torch.randint(0, 5000, (3, 5)) for _ in range(steps)]
    found: list[list[torch.Tensor]] = []
    for is_gathered in (False, True):
        parameters = [table.weight, *other.parameters()]
        with gathered_embedding_gradients(table) as gathered:
            for part in ids:
                (loss_of(table, [part], tied=tied) + other(torch.ones(3)).sum()).backward()
            clip = gathered.clip if is_gathered else nn.utils.clip_grad_norm_
            norm = clip(parameters, max_norm)
        found.append([norm, *(parameter.grad.clone() for parameter in parameters if parameter.grad is not None)])
        table.zero_grad()
        other.zero_grad()
    for one, expected in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(one, expected)


def test_without_any_gradient_there_is_nothing_to_clip():
    table = nn.Embedding(5000, 4)
    with gathered_embedding_gradients(table) as gathered:
        assert gathered.clip([table.weight], 1.0).item() == 0.0


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
