from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from selfsent.trees.builders import FIXED_BUILDERS, balanced, left_branching, random_tree, right_branching
from selfsent.trees.tree import Tree


def bracketed(tree: Tree) -> str:
    """Write token positions in nested brackets, by a recursion of its own."""
    if not tree.num_tokens:
        return ""

    def written(node: int) -> str:
        if node < tree.num_tokens:
            return str(node)
        merge = node - tree.num_tokens
        return f"({written(int(tree.left[merge]))} {written(int(tree.right[merge]))})"

    return written(2 * tree.num_tokens - 2)


@pytest.mark.parametrize(
    ("build", "num_tokens", "expected"),
    [
        (balanced, 2, "(0 1)"),
        (balanced, 3, "((0 1) 2)"),
        (balanced, 4, "((0 1) (2 3))"),
        (balanced, 5, "(((0 1) 2) (3 4))"),
        (balanced, 7, "(((0 1) (2 3)) ((4 5) 6))"),
        (right_branching, 4, "(0 (1 (2 3)))"),
        (left_branching, 4, "(((0 1) 2) 3)"),
        (right_branching, 2, "(0 1)"),
        (left_branching, 2, "(0 1)"),
    ],
)
def test_a_fixed_structure_has_its_shape(build: Callable[[int], Tree], num_tokens: int, expected: str):
    assert bracketed(build(num_tokens)) == expected


@pytest.mark.parametrize("build", FIXED_BUILDERS.values(), ids=FIXED_BUILDERS.keys())
@settings(deadline=None, max_examples=40)
@given(num_tokens=st.integers(0, 60))
def test_a_fixed_structure_keeps_the_reading_order(build: Callable[[int], Tree], num_tokens: int):
    tree = build(num_tokens)
    assert len(tree.left) == len(tree.right) == max(num_tokens - 1, 0)
    read = bracketed(tree).replace("(", " ").replace(")", " ").split()
    assert [int(token) for token in read] == list(range(num_tokens))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300))
def test_a_balanced_tree_is_as_low_as_a_binary_tree_can_be(num_tokens: int):
    assert balanced(num_tokens).depth == (num_tokens - 1).bit_length()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60))
def test_a_one_sided_tree_is_as_deep_as_a_binary_tree_can_be(num_tokens: int):
    assert right_branching(num_tokens).depth == left_branching(num_tokens).depth == num_tokens - 1


@pytest.mark.parametrize("num_tokens", [0, 1])
def test_a_sentence_of_no_or_one_token_has_no_merge(num_tokens: int):
    builders = [*FIXED_BUILDERS.values(), lambda n: random_tree(n, np.random.default_rng(0))]
    for tree in (build(num_tokens) for build in builders):
        assert tree.num_tokens == num_tokens
        assert len(tree.left) == len(tree.right) == 0
        assert tree.spans == []
        assert tree.depth == 0


def test_a_one_sided_tree_of_a_very_long_sentence_is_built_and_measured():
    assert right_branching(50_000).depth == 49_999
    assert left_branching(50_000).spans[-1] == (0, 50_000)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_random_tree_is_a_tree_and_its_seed_decides_it(num_tokens: int, seed: int):
    one, again = (bracketed(random_tree(num_tokens, np.random.default_rng(seed))) for _ in range(2))
    assert one == again
    read = one.replace("(", " ").replace(")", " ").split()
    assert [int(token) for token in read] == list(range(num_tokens))


def test_a_random_tree_merges_every_pair_equally_often():
    # Of four tokens the first merge is one of three, the second one of two: only ((0 1) (2 3)) is reached twice.
    generator = np.random.default_rng(0)
    counts = Counter(bracketed(random_tree(4, generator)) for _ in range(6000))
    shares = {
        "((0 1) (2 3))": 2 / 6,
        "(((0 1) 2) 3)": 1 / 6,
        "((0 (1 2)) 3)": 1 / 6,
        "(0 ((1 2) 3))": 1 / 6,
        "(0 (1 (2 3)))": 1 / 6,
    }
    assert counts.keys() == shares.keys()
    observed = [counts[shape] for shape in shares]
    assert chisquare(observed, [6000 * share for share in shares.values()]).pvalue > 1e-3
