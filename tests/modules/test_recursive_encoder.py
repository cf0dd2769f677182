"""Tree-LSTM and inside-outside encoder against plain recursion, and as modules of the host."""

from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.losses.tree_pass import TreePass
from selfsent.modules import RecursiveEncoder
from selfsent.modules.inside_outside import OutsideDecoder
from selfsent.modules.tree_lstm import TreeLSTMDecoder
from selfsent.modules.tree_options import RecursiveEncoderOptions
from selfsent.options import describe

NETWORKS = ("tree-lstm", "iornn")
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS)
DIMENSION = 6


def encoder_of(tokenizer: PreTrainedTokenizerFast, network: Any, **settings: Any) -> RecursiveEncoder:
    torch.manual_seed(0)
    return RecursiveEncoder(
        tokenizer=tokenizer, network=network, **{"dimension": DIMENSION, "init_range": 1.0, **settings}
    )


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
