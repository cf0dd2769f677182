"""Tree-LSTM and inside-outside encoder against plain recursion, and as modules of the host."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

import selfsent
from selfsent.errors import UserError
from selfsent.losses.tree_pass import TreePass
from selfsent.modules import RecursiveEncoder
from selfsent.modules.inside_outside import OutsideDecoder
from selfsent.modules.tree_encoder import TreeStates
from selfsent.modules.tree_lstm import TreeLSTMDecoder
from selfsent.modules.tree_options import RecursiveEncoderOptions
from selfsent.options import describe
from selfsent.trees.tree import Tree

NETWORKS = ("tree-lstm", "iornn")
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS)
STRUCTURES = ("balanced", "right", "left", "random", "induced")
UNEVEN = ["the cat sleeps", "a", "", "two dogs run along the beach in the morning"]
DIMENSION = 6


def encoder_of(tokenizer: PreTrainedTokenizerFast, network: Any, **settings: Any) -> RecursiveEncoder:
    torch.manual_seed(0)
    return RecursiveEncoder(
        tokenizer=tokenizer, network=network, **{"dimension": DIMENSION, "init_range": 1.0, **settings}
    )


def gate(linear: torch.nn.Linear, number: int, *inputs: Tensor) -> Tensor:
    """One gate of a layer of several, before its squashing."""
    rows = slice(number * DIMENSION, (number + 1) * DIMENSION)
    return linear.weight[rows] @ torch.cat(inputs) + linear.bias[rows]


def recursive_tree_lstm(encoder: Any, tree: Tree, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Hidden values and memory of every node, by the equations of Tai et al., a node at a time."""
    leaf, inner = encoder.leaf.linear, encoder.composition.linear
    states: dict[int, tuple[Tensor, Tensor]] = {}

    def visit(node: int) -> tuple[Tensor, Tensor]:
        if node < tree.num_tokens:
            i, o, u = (gate(leaf, number, tokens[node]) for number in range(3))
            c = torch.sigmoid(i) * torch.tanh(u)
        else:
            merge = node - tree.num_tokens
            (h1, c1), (h2, c2) = visit(int(tree.left[merge])), visit(int(tree.right[merge]))
            f1, f2, i, o, u = (gate(inner, number, h1, h2) for number in range(5))
            c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(f1) * c1 + torch.sigmoid(f2) * c2
        states[node] = (torch.sigmoid(o) * torch.tanh(c), c)
        return states[node]

    visit(2 * tree.num_tokens - 2)
    return [states[node] for node in range(2 * tree.num_tokens - 1)]


def recursive_inside(encoder: Any, tree: Tree, tokens: Tensor) -> list[Tensor]:
    """The inside embedding of every node, a node at a time."""
    linear = encoder.composition.linear
    rows: dict[int, Tensor] = {}

    def visit(node: int) -> Tensor:
        if node < tree.num_tokens:
            rows[node] = tokens[node]
        else:
            merge = node - tree.num_tokens
            children = torch.cat([visit(int(tree.left[merge])), visit(int(tree.right[merge]))])
            rows[node] = torch.tanh(linear.weight @ children + linear.bias)
        return rows[node]

    visit(2 * tree.num_tokens - 2)
    return [rows[node] for node in range(2 * tree.num_tokens - 1)]


def recursive_up(encoder: RecursiveEncoder, states: TreeStates, features: dict[str, Tensor]) -> Tensor:
    """Upward embeddings of all nodes of a batch by plain recursion."""
    rows: list[Tensor] = []
    for tree, ids, mask in zip(states.trees, features["input_ids"], features["attention_mask"].bool(), strict=True):
        tokens = encoder.embedding.weight[ids[mask]]
        if tree.num_tokens and encoder.options.network == "iornn":
            rows += recursive_inside(encoder, tree, tokens)
        elif tree.num_tokens:
            rows += [hidden for hidden, _ in recursive_tree_lstm(encoder, tree, tokens)]
    return torch.stack(rows)


def recursive_down(decoder: Any, tree: Tree, root: Tensor) -> list[Tensor]:
    """Downward hidden values of a Tree-LSTM from a root's embedding and an empty memory, a node at a time."""
    linear = decoder.decomposition.linear
    rows: dict[int, Tensor] = {}

    def descend(node: int, hidden: Tensor, memory: Tensor) -> None:
        rows[node] = hidden
        if node >= tree.num_tokens:
            merge = node - tree.num_tokens
            for side, child in enumerate((int(tree.left[merge]), int(tree.right[merge]))):
                f, i, o, u = (gate(linear, 4 * side + number, hidden) for number in range(4))
                c = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(u)
                descend(child, torch.sigmoid(o) * torch.tanh(c), c)

    descend(2 * tree.num_tokens - 2, root, torch.zeros(DIMENSION, dtype=root.dtype))
    return [rows[node] for node in range(2 * tree.num_tokens - 1)]


def assert_same_gradients(ours: Tensor, expected: Tensor, module: torch.nn.Module) -> None:
    weights = torch.randn(ours.shape, dtype=ours.dtype)
    parameters = list(module.parameters())
    found, wanted = (
        torch.autograd.grad((value * weights).sum(), parameters, materialize_grads=True, retain_graph=True)
        for value in (ours, expected)
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@EVERY_NETWORK
@pytest.mark.parametrize("structure", STRUCTURES)
def test_upward_values_and_gradients_are_those_of_plain_recursion(
    network: str, structure: str, tiny_tokenizer: PreTrainedTokenizerFast
):
    encoder = encoder_of(tiny_tokenizer, network, structure=structure).double().eval()
    features = encoder.preprocess(UNEVEN)
    states = encoder(dict(features))["trees"]
    expected = recursive_up(encoder, states, features)
    torch.testing.assert_close(states.up, expected)
    assert_same_gradients(states.up, expected, encoder)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_downward_tree_lstm_is_that_of_plain_recursion_from_the_roots_embedding(
    structure: str, tiny_tokenizer: PreTrainedTokenizerFast
):
    encoder = encoder_of(tiny_tokenizer, "tree-lstm", structure=structure).double().eval()
    decoder: Any = encoder.new_decoder(dropout=0.1).double().eval()
    states = encoder(encoder.preprocess(UNEVEN))["trees"]
    down = decoder(states)
    rows = [
        row for tree, up in (states[number] for number in range(len(states))) if len(up)
        for row in recursive_down(decoder, tree, up[-1])
    ]  # fmt: skip
    torch.testing.assert_close(down, torch.stack(rows))
    assert_same_gradients(down, torch.stack(rows), decoder)
    assert_same_gradients(down, torch.stack(rows), encoder)


@EVERY_NETWORK
def test_a_sentence_embedding_is_its_roots_alone_or_in_any_batch(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network).eval()
    model = SentenceTransformer(modules=[encoder], device="cpu")
    texts = [*UNEVEN, " ".join(["cat"] * 500)]
    together = model.encode(texts, convert_to_tensor=True, batch_size=8)
    for text, row in zip(texts, together, strict=True):
        torch.testing.assert_close(model.encode(text, convert_to_tensor=True), row, atol=1e-6, rtol=1e-5)
    assert together[2].abs().sum() == 0
    assert together.isfinite().all()


@EVERY_NETWORK
def test_one_word_is_a_tree_of_one_node(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network).eval()
    features = encoder.preprocess(["a"])
    assert features["input_ids"].shape == (1, 1)
    states = encoder(dict(features))["trees"]
    torch.testing.assert_close(states.up, recursive_up(encoder, states, features))
    assert encoder.new_decoder(dropout=0.0)(states).shape == (1, DIMENSION)


@EVERY_NETWORK
@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_saved_model_opens_with_what_it_was(
    network: str, structure: str, sentences: list[str], tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
):
    encoder = encoder_of(tiny_tokenizer, network, structure=structure, max_seq_length=9, leaf_dropout=0.3)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    model.save_pretrained(str(tmp_path / "model"))
    for again in (
        selfsent.load(tmp_path / "model"),
        SentenceTransformer(str(tmp_path / "model"), trust_remote_code=True, device="cpu"),
    ):
        assert (again.encode(sentences) == model.encode(sentences)).all()
        assert again[0].get_config_dict() == encoder.get_config_dict()


@EVERY_NETWORK
def test_starting_anew_changes_every_weight(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network)
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    encoder.reset_parameters()
    assert not any(torch.equal(value, before[name]) for name, value in encoder.named_parameters())


@EVERY_NETWORK
def test_given_trees_are_followed(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network, structure="given").eval()
    written = ["(S (S (N the) (N cat)) (V a))", "(S (N the) (S (N cat) (V a)))"]
    left, right = (encoder(encoder.preprocess([text]))["trees"] for text in written)
    assert left.trees.left.tolist() != right.trees.left.tolist()
    assert not torch.equal(left.up[-1], right.up[-1])


@EVERY_NETWORK
def test_the_tree_over_whole_words_has_a_merge_less_than_words(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network, structure="induced")
    (left, right), (alone, _) = encoder.word_trees([["two", "dogs", "run"], ["cat"]])
    assert (len(left), len(right), len(alone)) == (2, 2, 0)


@EVERY_NETWORK
def test_dropout_acts_in_training_only_and_spares_the_memory(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = encoder_of(tiny_tokenizer, network, leaf_dropout=0.0, composition_dropout=0.5)
    features = encoder.preprocess(["two dogs run along the beach"])
    quiet = encoder.eval()(dict(features))["trees"]
    loud = encoder.train()(dict(features))["trees"]
    inner = quiet.trees.merge_nodes
    assert (loud.up[quiet.trees.leaf_nodes] == quiet.up[quiet.trees.leaf_nodes]).all()
    dropped = loud.up[inner] == 0
    assert dropped.any()
    assert not dropped.all()
    assert (quiet.up[inner] != 0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dimension": 0}, "dimension=0"),
        ({"leaf_dropout": 1.0}, "leaf_dropout=1.0"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: Any, words: str, tiny_tokenizer: PreTrainedTokenizerFast):
    with pytest.raises(UserError, match=words):
        RecursiveEncoder(**{"tokenizer": tiny_tokenizer, "network": "iornn", **settings})


def test_a_network_that_is_not_known_is_refused():
    (network,) = (one for one in describe(RecursiveEncoderOptions) if one.name == "network")
    assert network.problem("lstm") == "network='lstm' must be one of tree-lstm, iornn"


def test_a_keyword_that_is_no_option_is_refused_with_the_nearest(tiny_tokenizer: PreTrainedTokenizerFast):
    with pytest.raises(UserError, match=r"RecursiveEncoder has no option 'dimensions' \(did you mean 'dimension'\?\)"):
        RecursiveEncoder(tokenizer=tiny_tokenizer, network="iornn", dimensions=4)


@EVERY_NETWORK
def test_a_dropout_that_drops_all_is_refused(network: str, tiny_tokenizer: PreTrainedTokenizerFast):
    with pytest.raises(UserError, match="decomposition_dropout=1"):
        encoder_of(tiny_tokenizer, network).new_decoder(dropout=1.0)


@EVERY_NETWORK
def test_entangled_trees_of_one_sentence_have_the_embeddings_of_its_tree(
    network: str, tiny_tokenizer: PreTrainedTokenizerFast
):
    encoder = encoder_of(tiny_tokenizer, network).eval()
    features = encoder.preprocess(["two dogs run"])
    assert len(features["input_ids"].unique()) == features["input_ids"].numel()
    up = encoder(dict(features))["trees"].up
    entangled = encoder({**features, "entangled": True})["trees"].up
    torch.testing.assert_close(entangled.sort(dim=0).values, up.sort(dim=0).values)


@EVERY_NETWORK
def test_an_objective_goes_down_by_the_decoder_of_the_network(
    network: str, tiny_tokenizer: PreTrainedTokenizerFast, sentences: list[str]
):
    model = SentenceTransformer(modules=[encoder_of(tiny_tokenizer, network)], device="cpu")
    tree_pass = TreePass(model, decomposition_dropout=0.0)
    assert isinstance(tree_pass.decoder, {"tree-lstm": TreeLSTMDecoder, "iornn": OutsideDecoder}[network])
    nodes = tree_pass(model, [model.preprocess(sentences)])
    assert nodes.down.shape == nodes.up.shape
