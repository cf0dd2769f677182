"""What every cell of a tree must keep, in one table by class name: a cell that is not listed here fails the suite.

A cell turns children into a parent, a parent into children, or a token into the state of a leaf. The table holds the
equations of each, written out for one node; whole trees are then computed one node at a time, recorded by autograd.
"""

import copy
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.modules.cell_equations import (
    CHANNEL,
    Formula,
    affine_children,
    affine_parent,
    diagonal_children,
    diagonal_parent,
    inside_parent,
    lstm_children,
    lstm_leaf,
    lstm_parent,
    outside_children,
    per_channel,
)
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent import modules
from selfsent.kernels.outside_pass import outside
from selfsent.modules import RecursiveEncoder, TreeEncoder
from selfsent.modules.composition import (
    AffineComposition,
    AffineDecomposition,
    DiagonalComposition,
    DiagonalDecomposition,
    PlainLeaf,
)
from selfsent.modules.inside_outside import InsideComposition, OutsideCell
from selfsent.modules.tree_finder import SearchOptions
from selfsent.modules.tree_lstm import TreeLSTMComposition, TreeLSTMDecomposition, TreeLSTMLeaf
from selfsent.trees.arrays import TreeBatch
from selfsent.trees.builders import random_tree
from selfsent.trees.entangled import EntangledTrees, entangle

pytestmark = pytest.mark.usefixtures("one_thread")
EVERY_SHAPE = pytest.mark.parametrize("lengths", [[0, 5, 1, 0, 9, 3], [1], [30]], ids=str)
EVERY_TYPE = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
"""Compiled kernels serve float32, the plain passes float64."""

WITH_AND_WITHOUT_NOISE = pytest.mark.parametrize("is_noisy", [False, True], ids=["plain", "noise"])


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the contract must know of one cell.

    Args:
        make: Makes the cell.
        formula: Its equations for one node: weights of the cell and vectors, not batches of them.
        state: Values of a node's state.
        embedding: How many of them, from the start, are the node's embedding.
    """

    make: Callable[[], nn.Module]
    formula: Formula
    state: int
    embedding: int


def channels(kind: Callable[[int], nn.Module], formula: Formula) -> Case:
    """A cell of channels: 40 values, a whole block of the compiled loops and a part of one."""
    return Case(make=lambda: kind(CHANNEL), formula=lambda *given: per_channel(formula, *given), state=40, embedding=40)


COMPOSITIONS = {
    "AffineComposition": channels(AffineComposition, affine_parent),
    "DiagonalComposition": channels(DiagonalComposition, diagonal_parent),
    "InsideComposition": Case(make=lambda: InsideComposition(6), formula=inside_parent, state=6, embedding=6),
    "TreeLSTMComposition": Case(make=lambda: TreeLSTMComposition(6), formula=lstm_parent, state=12, embedding=6),
}
DECOMPOSITIONS = {
    "AffineDecomposition": channels(AffineDecomposition, affine_children),
    "DiagonalDecomposition": channels(DiagonalDecomposition, diagonal_children),
    "TreeLSTMDecomposition": Case(make=lambda: TreeLSTMDecomposition(6), formula=lstm_children, state=12, embedding=12),
}
OUTSIDES = {"OutsideCell": Case(make=lambda: OutsideCell(6), formula=outside_children, state=6, embedding=6)}
LEAVES = {
    "PlainLeaf": Case(make=PlainLeaf, formula=lambda _, token: token, state=6, embedding=6),
    "TreeLSTMLeaf": Case(make=lambda: TreeLSTMLeaf(6), formula=lstm_leaf, state=12, embedding=6),
}
CASES = COMPOSITIONS | DECOMPOSITIONS | OUTSIDES | LEAVES
IN_TREES = [*COMPOSITIONS, *DECOMPOSITIONS, *OUTSIDES]
IN_GRAPHS = [*COMPOSITIONS, *DECOMPOSITIONS]
ENCODERS: dict[str, Callable[..., Any]] = {
    "affine": lambda **settings: TreeEncoder(channels=2, channel_size=3, **settings),
    "diagonal": lambda **settings: TreeEncoder(channels=2, channel_size=3, cell="diagonal", **settings),
    "iornn": lambda **settings: RecursiveEncoder(network="iornn", dimension=6, **settings),
    "tree-lstm": lambda **settings: RecursiveEncoder(network="tree-lstm", dimension=6, **settings),
}
"""An encoder of each composition."""

EVERY_ENCODER = pytest.mark.parametrize("cell", ENCODERS)


def make(name: str, dtype: torch.dtype = torch.float64, *, seed: int = 0) -> Any:
    """Make a cell none of whose weights is 0."""
    torch.manual_seed(seed)
    cell = CASES[name].make().to(dtype)
    for weight in cell.parameters():
        nn.init.uniform_(weight, -0.4, 0.4)
    return cell


def drawn_trees(lengths: Sequence[int]) -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(num_tokens, generator) for num_tokens in lengths])


def drawn_graph(lengths: Sequence[int]) -> EntangledTrees:
    """Entangled trees over four words, so that nodes are shared."""
    return entangle(drawn_trees(lengths), np.random.default_rng(1).integers(0, 4, size=sum(lengths)))


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain_upward(name: str, cell: Any, leaves: Tensor, trees: Any, noise: Tensor | None) -> Tensor:
    """Compose one node after another; children stand before their parents."""
    case = CASES[name]
    rows = dict(zip(trees.leaf_nodes.tolist(), leaves, strict=True))
    for merge, parent in enumerate(trees.merge_nodes.tolist()):
        state = case.formula(cell, rows[int(trees.left[merge])], rows[int(trees.right[merge])])
        if noise is not None:
            state = state * torch.cat([noise[merge], noise.new_ones(case.state - case.embedding)])
        rows[parent] = state
    return torch.stack([rows[node][: case.embedding] for node in range(trees.num_nodes)])


def plain_downward(
    name: str, cell: Any, tops: Tensor, trees: Any, *, noise: Tensor | None, inside: Tensor | None = None
) -> Tensor:
    """Decompose one node after another, parents first; a node is the mean of what its parents send."""
    formula, is_graph = CASES[name].formula, isinstance(trees, EntangledTrees)
    given = trees.tops if is_graph else trees.roots[trees.roots >= 0]
    sent: dict[int, list[Tensor]] = {node: [top] for node, top in zip(given.tolist(), tops, strict=True)}
    for merge, parent in reversed(list(enumerate(trees.merge_nodes.tolist()))):
        children = [int(trees.left[merge]), int(trees.right[merge])]
        siblings = [] if inside is None else [inside[child] for child in children]
        messages = formula(cell, torch.stack(sent[parent]).mean(dim=0), *siblings)
        for side, (child, message) in enumerate(zip(children, messages, strict=True)):
            factor = 1.0 if noise is None else noise[side, merge] if is_graph else noise[child]
            sent.setdefault(child, []).append(message * factor)
    return torch.stack([torch.stack(sent[node]).mean(dim=0) for node in range(trees.num_nodes)])


@dataclass(frozen=True)
class Pass:
    """A cell's pass over given trees, and the same one node after another; both take the same inputs."""

    found: Callable[..., Tensor]
    plain: Callable[..., Tensor]
    inputs: list[Tensor]
    num_nodes: int

    @property
    def num_values(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        return self.num_nodes, self.found(*self.inputs).shape[1]


def pass_of(
    name: str, cell: Any, trees: TreeBatch | EntangledTrees, *, is_noisy: bool = False, dtype: torch.dtype
) -> Pass:
    """The pass over trees or entangled trees that is the cell's, with drawn inputs."""
    case, is_graph = CASES[name], isinstance(trees, EntangledTrees)
    num_merges = len(trees.left)

    def rows(number: int, seed: int = 2) -> Tensor:
        return draw(number, case.state, dtype=dtype, seed=seed).requires_grad_()

    def noise(*shape: int) -> Tensor | None:
        return draw(*shape, dtype=dtype, seed=3).abs() if is_noisy else None

    if name in COMPOSITIONS:
        factors = noise(num_merges, case.embedding)
        climb = cell.upward_entangled if is_graph else cell.upward
        return Pass(
            lambda leaves, *_: climb(leaves, trees, factors),
            lambda leaves, *_: plain_upward(name, cell, leaves, trees, factors),
            [rows(len(trees.leaf_nodes)), *cell.parameters()],
            trees.num_nodes,
        )
    if isinstance(trees, EntangledTrees):
        factors, num_tops = noise(2, num_merges, case.state), len(trees.tops)
    else:
        factors, num_tops = noise(trees.num_nodes, case.state), int((trees.roots >= 0).sum())
    if name in OUTSIDES:
        return Pass(
            lambda root, inside, *_: outside(root[0], inside, trees, cell, factors),
            lambda root, inside, *_: plain_downward(
                name, cell, root.expand(num_tops, -1), trees, noise=factors, inside=inside
            ),
            [rows(1), rows(trees.num_nodes, seed=4), *cell.parameters()],
            trees.num_nodes,
        )
    descend = cell.downward_entangled if is_graph else cell.downward
    return Pass(
        lambda tops, *_: descend(tops, trees, factors),
        lambda tops, *_: plain_downward(name, cell, tops, trees, noise=factors),
        [rows(num_tops), *cell.parameters()],
        trees.num_nodes,
    )


def assert_same_values_and_gradients(one: Pass, dtype: torch.dtype) -> None:
    found, plain = one.found(*one.inputs), one.plain(*one.inputs)
    assert found.shape == plain.shape == one.num_values
    outer = draw(*plain.shape, dtype=dtype, seed=5)
    gradients = [torch.autograd.grad(rows, one.inputs, outer, materialize_grads=True) for rows in (found, plain)]
    tolerance = {"atol": 1e-12, "rtol": 1e-10} if dtype == torch.float64 else {"atol": 2e-3, "rtol": 1e-3}
    torch.testing.assert_close(found, plain, **tolerance)
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, **tolerance)


def test_every_cell_is_in_the_table() -> None:
    words = ("Composition", "Decomposition", "Cell", "Leaf")
    files = [import_module(f"{modules.__name__}.{file.name}") for file in pkgutil.iter_modules(modules.__path__)]
    written = {
        name
        for file in files
        for name, kind in inspect.getmembers(file, inspect.isclass)
        if issubclass(kind, nn.Module) and name.endswith(words) and not inspect.isabstract(kind)
    }
    assert written - {"GatedComposition"} == CASES.keys()  # what two cells share; it has no `forward`


@EVERY_TYPE
@WITH_AND_WITHOUT_NOISE
@EVERY_SHAPE
@pytest.mark.parametrize("name", IN_TREES)
def test_its_pass_over_trees_is_that_of_one_node_after_another(
    name: str, lengths: list[int], dtype: torch.dtype, is_noisy: bool
) -> None:
    one = pass_of(name, make(name, dtype), drawn_trees(lengths), is_noisy=is_noisy, dtype=dtype)
    assert_same_values_and_gradients(one, dtype)


@EVERY_TYPE
@WITH_AND_WITHOUT_NOISE
@EVERY_SHAPE
@pytest.mark.parametrize("name", IN_GRAPHS)
def test_its_pass_over_entangled_trees_is_that_of_one_node_after_another(
    name: str, lengths: list[int], dtype: torch.dtype, is_noisy: bool
) -> None:
    one = pass_of(name, make(name, dtype), drawn_graph(lengths), is_noisy=is_noisy, dtype=dtype)
    assert_same_values_and_gradients(one, dtype)


@pytest.mark.parametrize("kind", [drawn_trees, drawn_graph], ids=["trees", "entangled"])
@pytest.mark.parametrize("name", IN_TREES)
def test_its_gradients_are_those_of_finite_differences(name: str, kind: Callable[[Sequence[int]], Any]) -> None:
    if name in OUTSIDES and kind is drawn_graph:
        pytest.skip("an outside embedding is of a place in one sentence, which entangled trees do not have")
    one = pass_of(name, make(name), kind([0, 3, 1, 4]), is_noisy=True, dtype=torch.float64)
    assert gradcheck(one.found, one.inputs, fast_mode=True)


def drawn_sides(name: str, cell: nn.Module, num_rows: int) -> list[Tensor]:
    """What a cell is called with: a matrix for each argument."""
    width = CASES[name].embedding if name in LEAVES else CASES[name].state
    return [draw(num_rows, width, seed=side) for side, _ in enumerate(inspect.signature(cell.forward).parameters)]


def called(name: str, cell: Any, num_rows: int) -> Tensor:
    """What a cell gives for rows; two children stand side by side."""
    found = cell(*drawn_sides(name, cell, num_rows))
    return torch.stack(found, dim=1) if isinstance(found, tuple) else found


@pytest.mark.parametrize("name", CASES)
def test_a_call_gives_for_each_row_what_the_equations_say(name: str) -> None:
    cell, case = make(name), CASES[name]
    rows = zip(*drawn_sides(name, cell, 3), strict=True)
    torch.testing.assert_close(called(name, cell, 3), torch.stack([case.formula(cell, *row) for row in rows]))
    assert called(name, cell, 0).shape == (0, *called(name, cell, 3).shape[1:])
    assert called(name, cell, 3).shape[-1] == case.state


@pytest.mark.parametrize("name", IN_TREES)
def test_a_batch_without_a_token_passes(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        for trees in [drawn_trees([0, 0])] + [drawn_graph([])] * (name not in OUTSIDES):
            one = pass_of(name, make(name, dtype), trees, dtype=dtype)
            assert one.num_values == (0, CASES[name].embedding)


@EVERY_TYPE
@pytest.mark.parametrize("name", IN_TREES)
def test_values_and_gradients_of_a_sentence_do_not_depend_on_its_batch_mates(name: str, dtype: torch.dtype) -> None:
    cell, trees, order = make(name, dtype), drawn_trees([7, 0, 2, 12]), [3, 1, 0, 2]
    one = pass_of(name, cell, trees, dtype=dtype)
    other = pass_of(name, cell, TreeBatch.from_trees([trees[number] for number in order]), dtype=dtype)
    place = int(name in OUTSIDES)  # after the one embedding of all roots
    rows = one.inputs[place]
    num_rows = {len(trees.leaf_nodes): trees.num_tokens, trees.num_nodes: np.diff(trees.offsets)}.get(
        len(rows), np.minimum(trees.num_tokens, 1)
    )

    def moved(values: Tensor, sizes: Any) -> Tensor:
        parts = values.detach().split(sizes.tolist())
        return torch.cat([parts[number] for number in order])

    other.inputs[place] = moved(rows, num_rows).requires_grad_()
    found, again = one.found(*one.inputs), other.found(*other.inputs)
    torch.testing.assert_close(again, moved(found, np.diff(trees.offsets)))
    gradients = [
        torch.autograd.grad(values.square().sum(), used)[0]
        for values, used in ((found, rows), (again, other.inputs[place]))
    ]
    torch.testing.assert_close(gradients[1], moved(gradients[0], num_rows))


@pytest.mark.parametrize("name", IN_TREES)
def test_bfloat16_is_finite_and_near_float32(name: str) -> None:
    cell, trees = make(name, torch.float32), drawn_trees([5, 2])
    exact = pass_of(name, cell, trees, dtype=torch.float32)
    rounded = pass_of(name, copy.deepcopy(cell).bfloat16(), trees, dtype=torch.bfloat16)
    found = rounded.found(*rounded.inputs)
    found.sum().backward()
    assert found.dtype == torch.bfloat16
    assert all(value.grad is not None and value.grad.isfinite().all() for value in rounded.inputs)
    torch.testing.assert_close(found.float(), exact.found(*exact.inputs), atol=0.15, rtol=0.05)


@pytest.mark.parametrize("name", IN_TREES)
def test_a_second_derivative_is_refused_rather_than_wrong(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        one = pass_of(name, make(name, dtype), drawn_trees([3]), dtype=dtype)
        (gradient, *_) = torch.autograd.grad(one.found(*one.inputs).pow(2).sum(), one.inputs, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            gradient.sum().backward()


@EVERY_TYPE
@pytest.mark.parametrize("name", IN_TREES)
def test_a_frozen_cell_gets_no_gradient_and_lets_it_through(name: str, dtype: torch.dtype) -> None:
    one = pass_of(name, make(name, dtype).requires_grad_(False), drawn_trees([4, 3]), dtype=dtype)
    one.found(*one.inputs).square().sum().backward()
    rows, *weights = one.inputs
    assert rows.grad is not None
    assert rows.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in weights if isinstance(weight, nn.Parameter))


@pytest.mark.parametrize("name", CASES)
def test_its_state_makes_the_same_cell(name: str) -> None:
    one, other = make(name, seed=0), make(name, seed=1)
    assert torch.equal(called(name, one, 3), called(name, other, 3)) == (not one.state_dict())
    other.load_state_dict(one.state_dict())
    assert torch.equal(called(name, one, 3), called(name, other, 3))


@pytest.mark.parametrize("name", [name for name in CASES if name not in OUTSIDES])
def test_starting_anew_changes_every_weight_and_repeats_with_the_seed(name: str) -> None:
    cell = make(name)
    before = [weight.clone() for weight in cell.parameters()]
    torch.manual_seed(6)
    cell.reset_parameters()
    first = [weight.clone() for weight in cell.parameters()]
    assert not any(torch.equal(one, other) for one, other in zip(before, first, strict=True))
    torch.manual_seed(6)
    cell.reset_parameters()
    assert all(torch.equal(one, other) for one, other in zip(cell.parameters(), first, strict=True))


def merges_one_at_a_time(name: str, cell: Any, states: Tensor) -> tuple[list[int], list[int]]:
    """Merge one sentence's most similar neighbours until one node is left."""
    case, frontier = CASES[name], list(enumerate(states))
    sides: tuple[list[int], list[int]] = ([], [])
    while len(frontier) > 1:
        rows = [state[: case.embedding] for _, state in frontier]
        likeness = [functional.cosine_similarity(one, other, dim=0) for one, other in pairwise(rows)]
        place = int(torch.stack(likeness).argmax())
        (left, one), (right, other) = frontier[place : place + 2]
        sides[0].append(left)
        sides[1].append(right)
        frontier[place : place + 2] = [(len(states) + len(sides[0]) - 1, case.formula(cell, one, other))]
    return sides


@EVERY_SHAPE
@pytest.mark.parametrize("name", COMPOSITIONS)
@torch.no_grad()
def test_induced_trees_merge_the_most_similar_neighbours(name: str, lengths: list[int]) -> None:
    cell = make(name, torch.float32)
    states = draw(sum(lengths), CASES[name].state, dtype=torch.float32)
    trees, known = cell.induce(states, np.array(lengths, dtype=np.int64), None, SearchOptions())
    assert trees.num_tokens.tolist() == lengths
    for tree, own in zip(trees, states.split(lengths), strict=True):
        assert (tree.left.tolist(), tree.right.tolist()) == merges_one_at_a_time(name, cell, own)
    upward = cell.upward(states, trees)
    torch.testing.assert_close(cell.upward(states, trees, None, known), upward, atol=1e-4, rtol=1e-4)


def test_there_is_an_encoder_of_every_composition(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    made = [encoder(tokenizer=tiny_tokenizer) for encoder in ENCODERS.values()]
    assert sorted(type(encoder.composition).__name__ for encoder in made) == sorted(COMPOSITIONS)


@EVERY_ENCODER
def test_an_encoder_of_it_does_not_depend_on_batch_mates_order_or_padding(
    cell: str, tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str]
) -> None:
    torch.manual_seed(0)
    encoder = ENCODERS[cell](tokenizer=tiny_tokenizer, structure="induced", init_range=1.0).eval()
    texts = [*sentences[:4], "", "a", " ".join(["cat"] * 200)]
    together = encoder(encoder.preprocess(texts))["sentence_embedding"]
    alone = torch.cat([encoder(encoder.preprocess([text]))["sentence_embedding"] for text in texts])
    padded = {key: functional.pad(entry, (0, 5)) for key, entry in encoder.preprocess(texts[::-1]).items()}
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(encoder(padded)["sentence_embedding"].flip(0), together, atol=1e-6, rtol=1e-5)
    assert not together[4].any()
    assert together.isfinite().all()


@EVERY_ENCODER
def test_a_saved_encoder_of_it_opens_with_what_it_was(
    cell: str, tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str], tmp_path: Path
) -> None:
    encoder = ENCODERS[cell](tokenizer=tiny_tokenizer, structure="random", max_seq_length=9, leaf_dropout=0.3)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    model.save_pretrained(str(tmp_path))
    for again in (selfsent.load(tmp_path), SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")):
        assert (again.encode(sentences) == model.encode(sentences)).all()
        assert again[0].get_config_dict() == encoder.get_config_dict()
