import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.modules import TreeEncoder


@pytest.fixture
def folder(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2)
    SentenceTransformer(modules=[encoder], device="cpu").save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


def test_a_model_of_this_package_opens_without_trusting_remote_code(folder: Path):
    for path in (folder, str(folder)):
        model = load(path, device="cpu")
        assert isinstance(model[0], TreeEncoder)
        assert model.encode("the cat").shape == (4,)


def test_a_model_of_the_hosts_own_modules_opens_too(
    tiny_static_model: SentenceTransformer, sentences: list[str], tmp_path: Path
):
    tiny_static_model.save_pretrained(str(tmp_path))
    opened = load(tmp_path, device="cpu")
    np.testing.assert_array_equal(opened.encode(sentences), tiny_static_model.encode(sentences))


def truncate_weights(folder: Path):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])


def swap_weights(folder: Path):
    config = json.loads((folder / "config.json").read_text("utf8")) | {"channels": 3}
    (folder / "config.json").write_text(json.dumps(config))


def name_unknown_class(folder: Path):
    modules = [{"idx": 0, "name": "0", "path": "", "type": "selfsent.modules.NoSuchEncoder"}]
    (folder / "modules.json").write_text(json.dumps(modules))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no modules.json and no config.json": lambda f: [(f / name).unlink() for name in ("modules.json", "config.json")],
    "modules.json is no JSON": lambda f: (f / "modules.json").write_text("{"),
    "modules.json is a table": lambda f: (f / "modules.json").write_text('{"type": "x"}'),
    "modules.json lacks the type": lambda f: (f / "modules.json").write_text('[{"idx": 0}]'),
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "truncated weights": truncate_weights,
    "weights of another shape": swap_weights,
    "no tokenizer": lambda f: (f / "tokenizer.json").unlink(),
    "unknown class": name_unknown_class,
    "config.json is no JSON": lambda f: (f / "config.json").write_text("["),
    "no folder": shutil.rmtree,
    "a file instead": lambda f: (shutil.rmtree(f), f.write_text("text")),
}


@pytest.mark.parametrize(
    "damage",
    [pytest.param(damage, id=name) for name, damage in DAMAGES.items()],
)
def test_a_folder_that_holds_no_whole_model_is_refused_in_one_line(folder: Path, damage: Callable[[Path], object]):
    damage(folder)
    with pytest.raises(UserError) as caught:
        load(folder, device="cpu")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_relative_path_that_does_not_exist_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for path in ("runs/model", Path("runs/model"), Path("model"), "./model", "a/b/c"):
        with pytest.raises(UserError, match=r"no model at|cannot open a model at") as caught:
            load(path, device="cpu")
        assert "\n" not in str(caught.value)
