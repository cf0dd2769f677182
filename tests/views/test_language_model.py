"""Folders that are not the model a view needs: one line each."""

import json
from pathlib import Path

import pytest
import torch
from tests.conftest import SENTENCES
from tests.views.tiny_language_models import save_masked_lm, save_translator
from transformers import AutoModelForMaskedLM, AutoModelForSeq2SeqLM, BertModel

from selfsent.errors import UserError
from selfsent.views.language_model import open_language_model


def opened(path: Path | str, architecture: type = AutoModelForSeq2SeqLM, device: str = "cpu") -> None:
    open_language_model(path, architecture=architecture, task="a translator", device=device)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path):
    for save, architecture in ((save_translator, AutoModelForSeq2SeqLM), (save_masked_lm, AutoModelForMaskedLM)):
        folder = save(tmp_path / save.__name__, SENTENCES)
        for file in folder.glob("tokenizer*"):
            file.unlink()
        with pytest.raises(
            UserError, match=r"tokenizer.*; save the tokenizer of a translator beside its weights"
        ) as error:
            opened(folder, architecture)
        assert "\n" not in str(error.value)


def test_a_model_of_another_kind_is_refused(tmp_path: Path):
    folder = save_masked_lm(tmp_path / "bert", SENTENCES)
    with pytest.raises(UserError, match=r"cannot open .*bert as a translator: Unrecognized configuration") as error:
        opened(folder)
    assert "\n" not in str(error.value)


def test_a_model_whose_head_would_start_at_random_is_refused(tmp_path: Path):
    folder = save_masked_lm(tmp_path / "bert", SENTENCES)
    BertModel.from_pretrained(folder).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(UserError, match=r"is not a translator: it holds no weights for cls\..* start at random"):
        opened(folder, AutoModelForMaskedLM)


def test_weights_that_are_not_safetensors_are_not_read(tmp_path: Path):
    folder = save_translator(tmp_path / "marian", SENTENCES)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        opened(folder)


def test_damaged_weights_are_refused(tmp_path: Path):
    folder = save_translator(tmp_path / "marian", SENTENCES)
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cannot open .*marian as a translator"):
        opened(folder)


def test_a_folder_that_is_not_there_and_an_unknown_name_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="the folder does not exist"):
        opened(tmp_path / "nothing")
    with pytest.raises(UserError, match="cannot open no-such-model as a translator"):
        opened("no-such-model")


def test_an_unknown_device_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="device 'abacus'"):
        opened(save_translator(tmp_path / "marian", SENTENCES), device="abacus")
