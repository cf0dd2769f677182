"""The node-contrastive objective with repeats and distances, against plain loops over nodes."""

import itertools
import math

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.losses import ContrastiveReconstructionLoss, NodeContrastiveLoss, ReconstructionLoss
from selfsent.losses.functional import node_contrastive
from selfsent.losses.node_relations import NodePairs, related_contrastive, span_groups, weighted_by_distance
from selfsent.modules import TreeEncoder
from selfsent.modules.tree_finder import STRUCTURES
from selfsent.trees.arrays import Tree, TreeBatch
from selfsent.trees.builders import random_tree

TOKENS = [[1, 2, 1, 2, 3], [4], [], [2, 1], [1, 2, 1]]


@pytest.fixture
def trees() -> TreeBatch:
    generator = np.random.default_rng(0)
    return TreeBatch.from_trees([random_tree(len(tokens), generator) for tokens in TOKENS])


def spans_of(trees: TreeBatch) -> list[tuple[int, ...]]:
    """The tokens that each node spans, written out."""
    return [
        tuple(tokens[start:end])
        for tree, tokens in zip(trees, TOKENS, strict=True)
        for start, end in [*((i, i + 1) for i in range(len(tokens))), *tree.spans]
    ]


def path_lengths(tree: Tree) -> np.ndarray:
    """Edges between all nodes of a tree, by Floyd and Warshall."""
    size = 2 * tree.num_tokens - 1
    lengths = np.full((size, size), 10_000)
    np.fill_diagonal(lengths, 0)
    for merge, children in enumerate(zip(tree.left, tree.right, strict=True)):
        for child in children:
            lengths[tree.num_tokens + merge, child] = lengths[child, tree.num_tokens + merge] = 1
    for k in range(size):
        lengths = np.minimum(lengths, lengths[:, [k]] + lengths[[k]])
    return lengths


def unit_rows(num_rows: int, seed: int) -> Tensor:
    rows = torch.randn(num_rows, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return functional.normalize(rows, dim=1)


def test_nodes_over_equal_tokens_share_a_number_whatever_the_tree(trees: TreeBatch):
    groups = span_groups(trees, torch.tensor(list(itertools.chain.from_iterable(TOKENS)))).tolist()
    spans = spans_of(trees)
    assert len(spans) == trees.num_nodes
    for i, j in itertools.combinations(range(len(spans)), 2):
        assert (groups[i] == groups[j]) == (spans[i] == spans[j])


def test_every_pair_of_a_tree_weighs_by_the_edges_between_its_nodes(trees: TreeBatch):
    pairs = weighted_by_distance(trees, 0.6)
    got = {(int(i), int(j)): float(w) for i, j, w in zip(pairs.rows, pairs.columns, pairs.log_weight, strict=True)}
    expected = {}
    for tree, offset in zip(trees, trees.offsets[:-1].tolist(), strict=True):
        if tree.num_tokens:
            lengths = path_lengths(tree)
            for i, j in itertools.permutations(range(len(lengths)), 2):
                expected[offset + i, offset + j] = math.log(1 - 0.6 ** lengths[i, j])
    assert got.keys() == expected.keys()
    assert all(got[pair] == pytest.approx(expected[pair], rel=1e-5) for pair in got)
    assert list(got) == sorted(got)


def looped(up: Tensor, down: Tensor, temperature: float, *, groups: list[int], repeats: str, weight: dict) -> float:
    total = 0.0
    for anchors, candidates in ((up, down), (down, up)):
        for i in range(len(up)):
            terms = {}
            for j in range(len(up)):
                same = groups[i] == groups[j]
                if repeats == "masked" and same and i != j:
                    continue
                factor = 1.0 if repeats == "positive" and same else weight.get((i, j), 1.0)
                terms[j] = factor * math.exp(float(anchors[i] @ candidates[j]) / temperature)
            positives = [j for j in terms if (groups[i] == groups[j] if repeats == "positive" else i == j)]
            total -= sum(math.log(terms[j] / sum(terms.values())) for j in positives) / len(positives)
    return total / (2 * len(up))


@pytest.mark.parametrize("repeats", ["negative", "masked", "positive"])
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_the_objective_is_that_of_the_loops(trees: TreeBatch, repeats: str, decay: float):
    groups = span_groups(trees, torch.tensor(list(itertools.chain.from_iterable(TOKENS))))
    pairs = weighted_by_distance(trees, decay) if decay else None
    weight = {}
    if pairs is not None:
        places = zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True)
        weight = dict(zip(places, pairs.log_weight.double().exp().tolist(), strict=True))
    up, down = unit_rows(trees.num_nodes, 0), unit_rows(trees.num_nodes, 1)
    got = related_contrastive(up, down, temperature=0.3, groups=groups, repeats=repeats, pairs=pairs)
    assert float(got) == pytest.approx(
        looped(up, down, 0.3, groups=groups.tolist(), repeats=repeats, weight=weight), rel=1e-6
    )


def test_without_relations_it_is_the_plain_objective_over_many_tiles():
    up, down = unit_rows(700, 0), unit_rows(700, 1)
    torch.testing.assert_close(
        related_contrastive(up, down, temperature=0.5), node_contrastive(up, down, temperature=0.5)
    )


def test_pairs_fall_into_the_tiles_of_their_rows():
    up, down = unit_rows(600, 0), unit_rows(600, 1)
    rows, columns = torch.tensor([0, 255, 256, 511, 599]), torch.tensor([599, 256, 255, 3, 0])
    pairs = NodePairs(rows, columns, torch.full((5,), -2.0))
    logits = up @ down.T / 0.5
    changed, changed_back = logits.clone(), logits.T.clone()
    changed[rows, columns] -= 2
    changed_back[rows, columns] -= 2
    own = torch.arange(600)
    expected = (functional.cross_entropy(changed, own) + functional.cross_entropy(changed_back, own)) / 2
    torch.testing.assert_close(related_contrastive(up, down, temperature=0.5, pairs=pairs), expected)


@pytest.mark.parametrize("repeats", ["masked", "positive"])
def test_gradients_are_those_of_the_formula(trees: TreeBatch, repeats: str):
    groups = span_groups(trees, torch.tensor(list(itertools.chain.from_iterable(TOKENS))))
    pairs = weighted_by_distance(trees, 0.5)
    sides = [unit_rows(trees.num_nodes, seed).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(
        lambda up, down: related_contrastive(
            up,
            down,
            temperature=0.4,
            groups=groups,
            repeats=repeats,
            pairs=pairs,
        ),
        sides,
    )


def test_left_out_nodes_take_their_pairs_with_them(trees: TreeBatch):
    pairs = weighted_by_distance(trees, 0.5)
    mask = torch.ones(trees.num_nodes, dtype=torch.bool)
    mask[[0, 5, 9]] = False
    kept, number = pairs.kept(mask), {int(node): i for i, node in enumerate(mask.nonzero())}
    expected = [
        (number[i], number[j])
        for i, j in zip(pairs.rows.tolist(), pairs.columns.tolist(), strict=True)
        if i in number and j in number
    ]
    assert list(zip(kept.rows.tolist(), kept.columns.tolist(), strict=True)) == expected


@pytest.mark.parametrize("option", [{"distance_decay": 1.0}, {"distance_decay": -0.1}, {"temperature": 0.0}])
def test_an_option_out_of_range_is_refused(tiny_tokenizer: PreTrainedTokenizerFast, option: dict[str, float]):
    model = SentenceTransformer(modules=[TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2)])
    for loss in (NodeContrastiveLoss, ContrastiveReconstructionLoss):
        with pytest.raises(UserError, match=next(iter(option))):
            loss(model, **option)


@pytest.mark.parametrize("structure", [name for name in STRUCTURES if name != "attention"])
@pytest.mark.parametrize("build", [NodeContrastiveLoss, ReconstructionLoss, ContrastiveReconstructionLoss])
def test_every_objective_learns_on_every_structure(
    tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str], structure: str, build
):
    torch.manual_seed(0)
    encoder = TreeEncoder(
        tokenizer=tiny_tokenizer,
        channels=4,
        channel_size=4,
        structure=structure,
        unparsed="balanced",
        leaf_dropout=0.0,
        composition_dropout=0.0,
    )
    loss = build(SentenceTransformer(modules=[encoder], device="cpu"), decomposition_dropout=0.0).train()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    features = encoder.preprocess(sentences)
    values = []
    for _ in range(15):
        optimizer.zero_grad()
        result = loss([dict(features)], None)
        total = torch.stack(list(result.values())).sum() if isinstance(result, dict) else result
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < values[0]
