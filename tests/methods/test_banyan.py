"""Banyan by name: its defaults, its weights, and a model of a few steps."""

import json
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerBase

import selfsent
from selfsent.losses import EntangledReconstructionLoss
from selfsent.methods.banyan import BANYAN, BanyanConfig
from selfsent.methods.strae import StraeConfig, training
from selfsent.modules import TreeEncoder


def test_the_defaults_are_the_papers():
    config = BanyanConfig()
    assert (config.channels, config.channel_size, config.cell, config.tied) == (128, 2, "diagonal", False)
    assert (config.leaf_dropout, config.composition_dropout, config.decomposition_dropout) == (0.1, 0.1, 0.1)
    arguments = BANYAN.training(config)
    assert (arguments["learning_rate"], arguments["per_device_train_batch_size"]) == (1e-3, 512)
    assert arguments["num_train_epochs"] == training(StraeConfig())["num_train_epochs"] == 15


@pytest.mark.parametrize("structure", ["induced", "balanced", "random"])
def test_one_command_leaves_a_model_that_opens_alone(structure: str, sentences: list[str], tmp_path: Path):
    (tmp_path / "texts.txt").write_text("\n".join(sentences * 4) + "\n")
    model = selfsent.train(
        "banyan",
        tmp_path / "texts.txt",
        tmp_path / "model",
        channels=4,
        structure=structure,
        training={"max_steps": 3, "per_device_train_batch_size": 8},
    )
    again = selfsent.load(tmp_path / "model")
    assert (again.encode(sentences) == model.encode(sentences)).all()
    assert sum(weight.numel() for weight in again[0].composition.parameters()) == 6
    assert not any("decomposition" in name or "output" in name for name, _ in again.named_parameters())
    lines = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    assert any("loss" in line for line in lines)
    assert "Banyan" in (tmp_path / "model" / "README.md").read_text()


def test_composition_and_decomposition_have_fourteen_weights(tiny_tokenizer: PreTrainedTokenizerBase):
    config = BanyanConfig()
    encoder = TreeEncoder(
        tokenizer=tiny_tokenizer, channels=config.channels, channel_size=config.channel_size, cell=config.cell
    )
    loss = EntangledReconstructionLoss(SentenceTransformer(modules=[encoder], device="cpu"))
    cells = [encoder.composition, loss.decomposition]
    assert sum(weight.numel() for cell in cells for weight in cell.parameters()) == 14
