import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES
from tests.methods.one_run import built
from tests.modules.transformer_models import write_bert
from transformers import PreTrainedTokenizerFast

from selfsent.counts.token_frequencies import TokenFrequencies, count_tokens, token_weights
from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.losses import TokenReconstructionLoss
from selfsent.methods import METHODS
from selfsent.methods.sarcse import FREQUENCIES_FILE, SARCSE, SarcseConfig
from selfsent.modules import TreeEncoder
from selfsent.modules.text_cnn_decoder import TextCNNDecoder
from selfsent.options import configure
from selfsent.runs.recipe import read_recipe, shipped_recipes
from selfsent.runs.train import train
from selfsent.runs.variants import variants_of
from selfsent.training.run import Ingredients

RECIPES = sorted(name for name in shipped_recipes() if name.startswith("sarcse-"))
TEXTS = [*SENTENCES, "a", "A man ☃ runs."]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


Build = Callable[..., Ingredients]


@pytest.fixture
def build(tmp_path: Path, bert: Path) -> Build:
    """Builds what a configuration says in the folder ``run``."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([*TEXTS, SENTENCES[0]]))
    return lambda config, base=bert: built(SARCSE.build, config, open_source(corpus), tmp_path / "run", base=str(base))


def test_a_tree_rebuilds_its_leaves_from_its_root_weighted_by_frequency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([*(f"{text} {word}" for text in SENTENCES for word in ("a", "b")), "long " * 40]))
    settings = {"per_device_train_batch_size": 4, "max_steps": 3, "logging_steps": 1}
    options: dict[str, Any] = {"channels": 4, "training": settings, "device": "cpu"}
    model = train("sarcse", corpus, tmp_path / "run", base="tree", **options)
    assert [type(module).__name__ for module in model] == ["TreeEncoder"]
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    assert any("1 texts of more than 32 tokens are left out" in note for note in record["sources"])
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert any(line.get("reconstruction", 0) > 0 for line in lines)
    np.testing.assert_array_equal(load(tmp_path / "run", device="cpu").encode(TEXTS), model.encode(TEXTS))
    with pytest.raises(UserError, match=r"--base tree is its own encoder.*encoder=mean"):
        train("sarcse", corpus, tmp_path / "no", base="tree", encoder="mean", **options)


def test_the_reconstruction_of_a_tree_is_worked_out_by_hand(tiny_tokenizer: PreTrainedTokenizerFast):
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=1, channel_size=2, leaf_dropout=0.0)
    model = SentenceTransformer(modules=[encoder], device="cpu")
    texts = ["the cat sleeps", "the dog"]
    frequencies = count_tokens(texts, tiny_tokenizer)
    decoder = TextCNNDecoder(embedding_dimension=2, channels=1, kernel_sizes=[1], max_tokens=8)
    for weight in decoder.parameters():
        torch.nn.init.zeros_(weight)
    loss = TokenReconstructionLoss(model, frequencies=frequencies, decoder=decoder, beta=2.0, gamma=1.0).eval()
    features = model.preprocess(texts)
    # Rebuilt states are all 0, so that an error is the squared length of a leaf; both views are one without dropout.
    ids = features["input_ids"][features["attention_mask"].bool()]
    lengths = encoder.embedding.weight[ids].square().sum(dim=1)
    weights = torch.tensor([max(0.1, 1 - frequencies.counts[token] / frequencies.counts.max()) for token in ids])
    terms: Any = loss([dict(features)])
    torch.testing.assert_close(terms["reconstruction"], (2.0 + 1.0) * (weights * lengths).sum().float() / len(ids))


def test_one_command_leaves_a_model_its_frequencies_and_both_terms(
    tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(METHODS, "sarcse", SARCSE)
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"{text} {word}" for text in SENTENCES for word in ("twice", "today", "again", "soon")))
    settings = {"per_device_train_batch_size": 4, "max_steps": 4, "logging_steps": 1}
    model = train("sarcse", corpus, tmp_path / "run", base=str(bert), device="cpu", channels=8, training=settings)
    assert [type(module).__name__ for module in model] == ["Transformer", "TextCNN"]
    opened = load(tmp_path / "run", device="cpu")
    np.testing.assert_array_equal(opened.encode(TEXTS), model.encode(TEXTS))
    opened = SentenceTransformer(str(tmp_path / "run"), device="cpu", trust_remote_code=True)
    np.testing.assert_array_equal(opened.encode(TEXTS), model.encode(TEXTS))
    with pytest.raises(ValueError, match="trust_remote_code"):
        SentenceTransformer(str(tmp_path / "run"), device="cpu")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    table = TokenFrequencies.load(tmp_path / "run" / FREQUENCIES_FILE)
    assert any(table.corpus_sha256[:12] in note and "commonest: the, ." in note for note in record["sources"])
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any({"info_nce", "reconstruction"} <= entry.keys() for entry in logged)


def test_frequencies_are_those_of_the_distinct_training_texts(build: Build, tmp_path: Path):
    ingredients = build(SarcseConfig(channels=8))
    table = TokenFrequencies.load(tmp_path / "run" / FREQUENCIES_FILE)
    np.testing.assert_array_equal(table.counts, count_tokens(TEXTS, ingredients.model.tokenizer).counts)
    assert table.num_texts == len(TEXTS) == len(ingredients.dataset)
    expected = token_weights(table.counts)
    np.testing.assert_allclose(ingredients.loss.token_weights, expected, rtol=1e-6)


def test_a_table_of_an_earlier_run_is_taken_and_one_of_another_tokenizer_refused(
    build: Build, tmp_path: Path, tiny_tokenizer: PreTrainedTokenizerFast
):
    tokenizer = build(SarcseConfig(channels=8)).model.tokenizer
    count_tokens(["the cat"], tokenizer).save(tmp_path / "table.json")
    config = SarcseConfig(channels=8, token_frequencies=str(tmp_path / "table.json"))
    loss = build(config).loss
    assert sorted(set(np.round(loss.token_weights.tolist(), 4))) == [0.1, 1.0]
    count_tokens(SENTENCES, tiny_tokenizer).save(tmp_path / "table.json")
    with pytest.raises(UserError, match="counted with another tokenizer"):
        build(config)


def test_the_decoder_is_as_long_as_texts_may_be_and_mirrors_the_encoder(build: Build):
    config = SarcseConfig(channels=6, kernel_sizes="2, 7", max_seq_length=20)
    ingredients = build(config)
    decoder = ingredients.loss.decoder
    assert (decoder.options.max_tokens, decoder.options.channels, decoder.options.kernel_sizes) == (20, 6, [2, 7])
    assert ingredients.model[1].options.kernel_sizes == [2, 7]


def test_weighted_pooling_is_the_weighted_mean_in_the_hosts_own_modules(build: Build, tmp_path: Path):
    ingredients = build(SarcseConfig(encoder="weighted-mean", beta=0.0, gamma=0.0, theta=0.2))
    model = ingredients.model.eval()
    weights = token_weights(TokenFrequencies.load(tmp_path / "run" / FREQUENCIES_FILE).counts, floor=0.2)
    assert ingredients.loss.decoder is None
    assert not any(weight.requires_grad for weight in model[1].parameters())
    features = model[0](model.preprocess(["the cat sleeps on the roof"]))
    inner = slice(1, int(features["attention_mask"].sum()) - 1)
    shares = weights[features["input_ids"][0, inner].numpy()]
    states = features["token_embeddings"][0, inner].detach().numpy()
    expected = (states * shares[:, None]).sum(axis=0) / shares.sum()
    np.testing.assert_allclose(model.encode("the cat sleeps on the roof"), expected, rtol=1e-4, atol=1e-5)
    assert not model.encode("").any()
    model.save_pretrained(str(tmp_path / "saved"))
    plain = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(plain.encode(TEXTS), model.encode(TEXTS), atol=1e-6)


def test_the_mean_can_be_trained_with_reconstruction_and_needs_only_the_host(build: Build):
    ingredients = build(SarcseConfig(encoder="mean"))
    assert [type(module).__name__ for module in ingredients.model] == ["Transformer", "Pooling"]
    assert ingredients.loss.decoder is not None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"encoder": "weighted-mean"}, r"encoder=weighted-mean .* set beta=0 and gamma=0"),
        ({"theta": 1.5}, "theta=1.5 must be 0 or more and 1 or less"),
        ({"kernel_sizes": "3;4"}, "kernel_sizes must be whole numbers.*got '3;4'"),
        ({"kernel_sizes": f"3,{10**30}"}, "kernel_sizes must be whole numbers"),
        ({"kernel_sizes": "0"}, r"kernel_sizes=\[0\]"),
        ({"channels": 7}, "channels=7"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"max_seq_length": 100}, "max_seq_length=100"),
        ({"token_frequencies": "missing.json"}, "cannot read token frequencies at missing.json"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(build: Build, options: dict[str, Any], text: str):
    with pytest.raises(UserError, match=text) as caught:
        build(configure(SarcseConfig, options, method="sarcse"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base", ["static"])
def test_a_base_without_token_states_is_refused(build: Build, base: str):
    with pytest.raises(UserError, match=f"cannot start from --base {base}; name a transformer"):
        build(SarcseConfig(), base)


@pytest.mark.parametrize("name", RECIPES)
def test_every_run_of_a_recipe_can_be_configured(name: str):
    recipe = read_recipe(shipped_recipes()[name])
    methods = METHODS | {"sarcse": SARCSE}
    for variant in variants_of(recipe):
        method = methods[variant.recipe.method]
        method.configure(variant.recipe.options)


def test_there_is_a_recipe_for_every_experiment():
    names = [
        "ablations",
        "batch-simcse",
        "choices",
        "domains",
        "kernels",
        "languages",
        "minilm",
        "nli",
        "sweep",
        "tree",
        "vs-simcse",
    ]
    assert [f"sarcse-{name}" for name in names] == RECIPES


def test_the_decoders_own_rate_is_that_of_the_decoder_and_of_nothing_else(build: Build):
    loss = build(SarcseConfig(channels=8)).loss
    assert not SARCSE.training(SarcseConfig(beta=0.0, gamma=0.0))["learning_rate_mapping"]  # no decoder to have a rate
    (pattern,) = SARCSE.training(SarcseConfig())["learning_rate_mapping"]
    of_decoder = {f"decoder.{name}" for name, _ in loss.decoder.named_parameters()}
    assert {name for name, _ in loss.named_parameters() if re.search(pattern, name)} == of_decoder
