"""StrAE's baselines by the command line: a few steps, a folder that opens, bad settings in one line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import Outcome, refused, typed
from tests.conftest import SENTENCES

import selfsent
from selfsent.methods import METHODS
from selfsent.methods.strae import StraeConfig
from selfsent.methods.strae import training as training_of_strae

BY_THE_HOST = ("tree-lstm", "iornn", "bi-lstm")
SMALL = ("--device", "cpu", "--set", "dimension=8")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("baselines") / "texts.txt"
    path.write_text("\n".join(SENTENCES * 4) + "\n", encoding="utf8")
    return path


def train(method: str, texts: Path, output: Path, *settings: str) -> Outcome:
    options = [word for assignment in settings for word in ("--set", assignment)]
    budget = () if method == "fasttext" else ("--max-steps", 3, "--batch-size", 8)
    if method == "fasttext":
        pytest.importorskip("gensim")
    return typed("train", method, "--data", texts, "--output", output, *SMALL, *budget, *options)


@pytest.mark.parametrize("method", ["tree-lstm", "iornn"])
@pytest.mark.parametrize("structure", ["induced", "random"])
def test_recursive_networks_train_on_other_structures_and_objectives(
    method: str, structure: str, texts: Path, tmp_path: Path
):
    objective = {"induced": "cross-entropy", "random": "contrastive-cross-entropy"}[structure]
    outcome = train(method, texts, tmp_path / "model", f"structure={structure}", f"objective={objective}")
    assert outcome.code == 0, outcome
    encoder: Any = selfsent.load(tmp_path / "model", device="cpu")[0]
    assert (encoder.options.network, encoder.structure) == (method, structure)


@pytest.mark.parametrize("method", BY_THE_HOST)
def test_defaults_are_those_of_strae_where_both_have_the_option(method: str):
    strae, config = StraeConfig(), METHODS[method].config()
    shared = set(vars(config)) & set(vars(strae)) - {"structure"}
    assert {name: getattr(config, name) for name in shared} == {name: getattr(strae, name) for name in shared}
    assert config.dimension == strae.channels * strae.channel_size
    objective = getattr(config, "objective", "cross-entropy")
    assert METHODS[method].training(config) == training_of_strae(StraeConfig(objective=objective))


@pytest.mark.parametrize(
    ("method", "setting", "words"),
    [
        ("tree-lstm", "dimension=0", "dimension=0"),
        ("tree-lstm", "objective=margin", "objective"),
        ("iornn", "decomposition_dropout=1", "decomposition_dropout=1"),
        ("iornn", "temperature=0", "temperature=0"),
        ("iornn", "cell=diagonal", "no option cell"),
        ("bi-lstm", "dimension=7", "dimension=7"),
        ("bi-lstm", "num_layers=0", "num_layers=0"),
        ("bi-lstm", "pooling=cls", "pooling"),
        ("fasttext", "min_n=9", "min_n=9"),
        ("fasttext", "min_count=1000", "min_count=1000"),
        ("fasttext", "window=0", "window=0"),
        ("fasttext", "training.num_train_epochs=0.5", "whole epochs"),
    ],
)
def test_a_bad_setting_is_one_line(method: str, setting: str, words: str, texts: Path, tmp_path: Path):
    outcome = typed("train", method, "--data", texts, "--output", tmp_path / "m", "--device", "cpu", "--set", setting)
    if method != "fasttext" or "gensim" not in outcome.err:
        refused(outcome, words)


def test_without_gensim_one_line_says_how_to_install_it(texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    outcome = typed("train", "fasttext", "--data", texts, "--output", tmp_path / "m", "--device", "cpu")
    refused(outcome, "pip install 'selfsent[fasttext]'")


def test_fasttext_has_gensims_vectors_whole_and_by_ngrams(texts: Path, tmp_path: Path):
    gensim = pytest.importorskip("gensim.models")
    model = selfsent.train(
        "fasttext", texts, tmp_path / "model", device="cpu", dimension=8, min_count=2, buckets=60, seed=3,
        training={"num_train_epochs": 2},
    )  # fmt: skip
    encoder: Any = model[0]
    rows = [encoder.words(text) for text in texts.read_text("utf8").splitlines()]
    library = gensim.FastText(
        rows, sg=1, vector_size=8, window=5, negative=5, min_count=2, bucket=60, sample=1e-4, alpha=0.05, epochs=2,
        seed=3, workers=1,
    )  # fmt: skip
    for word in ("cat", "committees", "guitar"):
        assert model.encode(word) == pytest.approx(library.wv[word], abs=1e-6)
    assert "committees" not in library.wv.key_to_index


def test_a_finished_fasttext_run_is_left_as_it_is_by_resume(texts: Path, tmp_path: Path):
    settings = ("min_count=1", "buckets=50", "training.num_train_epochs=1")
    assert train("fasttext", texts, tmp_path / "model", *settings).code == 0
    before = (tmp_path / "model" / "run.json").read_text("utf8")
    options = [word for assignment in settings for word in ("--set", assignment)]
    again = typed("train", "fasttext", "--data", texts, "--output", tmp_path / "model", *SMALL, *options, "--resume")
    assert again.code == 0, again
    assert (tmp_path / "model" / "run.json").read_text("utf8") == before
