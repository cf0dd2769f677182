"""A masked LM from scratch by the command line, opened both ways, and SimCSE on its result."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tests.command_line import Outcome, refused, typed
from tests.conftest import SENTENCES
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

from selfsent.views import make_view

TEXTS = [f"{sentence} {ending}".strip() for sentence in SENTENCES for ending in ("", "So it was.", "It rained on.")]
SMALL = ("hidden_size=16", "vocab_size=300", "max_seq_length=24")
SHORT = ("--device", "cpu", "--batch-size", "6", "--learning-rate", "0.01", "--set", "training.logging_steps=1")
ARCHITECTURES = ("bert", "roberta")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Two masked LMs from scratch: ``bert/`` of packed rows, ``roberta/`` of one text a row."""

    folder: Path
    said: Mapping[str, Outcome]

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def settings(*assignments: str) -> list[str]:
    return [word for assignment in assignments for word in ("--set", assignment)]


def train(method: str, data: Path, output: Path, *more: object) -> Outcome:
    return typed("train", method, "--data", data, "--output", output, *SHORT, *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("mlm")
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf8")
    options = {"bert": settings(*SMALL), "roberta": settings(*SMALL, "architecture=roberta", "packed=false")}
    said = {
        name: train("mlm", folder / "texts.txt", folder / name, "--max-steps", 12 if name == "bert" else 2, *more)
        for name, more in options.items()
    }
    assert [outcome.code for outcome in said.values()] == [0, 0], said
    return Trained(folder=folder, said=said)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_folder_opens_with_its_head_and_as_a_sentence_transformer_with_one_body(name: str, trained: Trained):
    masked_lm, report = AutoModelForMaskedLM.from_pretrained(trained[name], output_loading_info=True)
    assert not report["missing_keys"]
    tokenizer = AutoTokenizer.from_pretrained(trained[name])
    features = tokenizer(SENTENCES, padding=True, truncation=True, max_length=24, return_tensors="pt")
    states = masked_lm.base_model(**features).last_hidden_state
    mask = features["attention_mask"][:, :, None]
    model = SentenceTransformer(str(trained[name]), device="cpu")
    found = model.encode(SENTENCES, convert_to_tensor=True)
    torch.testing.assert_close(found, (states * mask).sum(1) / mask.sum(1), atol=1e-5, rtol=1e-5)
    assert model.max_seq_length == 24
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]


@pytest.mark.parametrize(("name", "num_unused"), [("bert", 0), ("roberta", 2)])
def test_a_new_model_is_of_the_size_asked_for(name: str, num_unused: int, trained: Trained):
    config = AutoConfig.from_pretrained(trained[name])
    assert (config.model_type, config.hidden_size, config.num_hidden_layers) == (name, 16, 2)
    assert config.max_position_embeddings - num_unused == 24
    assert config.vocab_size == len(AutoTokenizer.from_pretrained(trained[name])) <= 300


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf8").splitlines()]


def test_the_loss_falls(trained: Trained):
    losses = [line["loss"] for line in metrics(trained["bert"]) if "loss" in line]
    assert fmean(losses[-3:]) < fmean(losses[:3])


def test_what_was_learned_from_is_told(trained: Trained):
    bert, roberta = ("\n".join(trained.said[name].notes) for name in ARCHITECTURES)
    assert "36 rows of text; 0 repeated rows left out" in bert
    assert "pieces a word" in bert
    num_weights = sum(p.numel() for p in SentenceTransformer(str(trained["bert"]), device="cpu").parameters())
    assert f"{num_weights:,} weights" in bert
    assert "tokens unknown" in roberta
    assert "36 texts packed into" in bert
    assert "packed" not in roberta
    assert "are longer than 24 tokens and are cut" in roberta


def test_it_learns_on_from_its_own_folder(trained: Trained, tmp_path: Path):
    options = settings("max_seq_length=24", "training.load_best_model_at_end=false")
    more = ("--base", trained["bert"], "--max-steps", "3", *options)
    done = train("mlm", trained["texts.txt"], tmp_path / "on", *more)
    assert done.code == 0, done
    before, after = (load_file(folder / "model.safetensors") for folder in (trained["bert"], tmp_path / "on"))
    assert before.keys() == after.keys()
    assert any("predictions" in name for name in after)
    assert not torch.equal(*(tensors["bert.embeddings.word_embeddings.weight"] for tensors in (before, after)))


def test_simcse_with_the_auxiliary_objective_starts_from_it_and_leaves_its_head_behind(
    trained: Trained, tmp_path: Path
):
    options = settings("masked_weight=0.1", "max_seq_length=24", "pooling=mean")
    more = ("--base", trained["bert"], "--max-steps", "3", *options)
    done = train("simcse", trained["texts.txt"], tmp_path / "simcse", *more)
    assert done.code == 0, done
    logged = [line for line in metrics(tmp_path / "simcse") if "masked_language_model" in line]
    assert len(logged) == 3
    for line in logged:
        assert line["loss"] == pytest.approx(line["info_nce"] + line["masked_language_model"], rel=1e-3)
    assert AutoConfig.from_pretrained(tmp_path / "simcse").architectures == ["BertModel"]
    assert not [name for name in load_file(tmp_path / "simcse" / "model.safetensors") if "predictions" in name]
    assert [type(module).__name__ for module in SentenceTransformer(str(tmp_path / "simcse"))] == [
        "Transformer",
        "Pooling",
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_its_head_fills_in_the_view_of_masked_words(name: str, trained: Trained):
    torch.manual_seed(0)
    changed = make_view("masked-lm", masked_lm=trained[name])(list(SENTENCES))
    assert len(changed) == len(SENTENCES)
    assert sum(one != other for one, other in zip(changed, SENTENCES, strict=True)) > len(SENTENCES) // 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            settings("hidden_size=0", "num_layers=0"),
            ["hidden_size=0 must be 1 or more", "num_layers=0 must be 1 or more"],
        ),
        (settings("hidden_size=10", "num_heads=3"), ["num_heads=3 does not divide hidden_size=10"]),
        (settings("vocab_size=10"), ["vocab_size"]),
        (settings("architecture=roberta", "vocab_size=200"), ["vocab_size must be at least 261", "got 200"]),
        (settings("architecture=albert"), ["architecture='albert'", "bert, roberta"]),
        (settings("masked_share=1"), ["masked_share=1"]),
        (settings("tokenizer=./nowhere"), ["nowhere"]),
        (["--base", "tree"], ["--base tree"]),
        (["--base", "./nowhere"], ["nowhere", "does not exist"]),
        (["--base", "BERT", *settings("hidden_size=32", "max_seq_length=24")], ["hidden_size is the base's own"]),
        (["--base", "BERT", *settings("max_seq_length=25")], ["max_seq_length=25", "24 positions"]),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_leaves_no_model(more: list[str], words: list[str], trained: Trained, tmp_path: Path):
    typed_words = [str(trained["bert"]) if word == "BERT" else word for word in more]
    refused(train("mlm", trained["texts.txt"], tmp_path / "model", *typed_words), *words)
    assert not (tmp_path / "model" / "modules.json").exists()


def test_a_bert_with_both_of_its_tasks_opens_as_one_without(trained: Trained, tmp_path: Path):
    done = train(
        *("mlm", trained.folder / "texts.txt", tmp_path / "both", "--max-steps", 3),
        *settings(*SMALL, "next_sentence=true"),
    )
    assert done.code == 0, done
    assert any("pairs of texts, of which" in note for note in done.notes)
    lines = [json.loads(line) for line in (tmp_path / "both" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert any({"masked_language_model", "next_sentence"} <= line.keys() for line in lines)
    assert SentenceTransformer(str(tmp_path / "both"), device="cpu").encode(TEXTS[:2]).shape == (2, 16)
    AutoModelForMaskedLM.from_pretrained(tmp_path / "both")
    roberta = settings(*SMALL, "architecture=roberta", "next_sentence=true")
    refused(train("mlm", trained.folder / "texts.txt", tmp_path / "no", *roberta), "two segments", "roberta")
