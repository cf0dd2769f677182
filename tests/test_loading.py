import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from selfsent import loading
from selfsent.errors import UserError
from selfsent.loading import load, no_waiting_for_the_hub, open_to_encode, require_safetensors, require_tokenizer
from selfsent.methods.starting_model import open_transformer
from selfsent.modules import TreeEncoder
from selfsent.runtime import RuntimeModel


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


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a transformer, a pooling and a dense layer, saved by the host."""
    folder = tmp_path_factory.mktemp("bert")
    transformer = open_bert(write_bert(folder / "base", SENTENCES))
    modules = [transformer, Pooling(16), Dense(16, 8)]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"


def pickled(folder: Path, stem: str = "pytorch_model") -> None:
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / f"{stem}.bin")
    weights.unlink()


@pytest.mark.parametrize("module", ["", "2_Dense"])
def test_weights_in_a_pickle_are_refused_in_one_line_and_beside_safetensors_they_are_not_read(
    module: str, bert: Path, tmp_path: Path
):
    shutil.copytree(bert, tmp_path / "model")
    (tmp_path / "model" / module / "pytorch_model.bin").write_bytes(b"not even a pickle")
    np.testing.assert_array_equal(
        load(tmp_path / "model", device="cpu").encode(SENTENCES), load(bert, device="cpu").encode(SENTENCES)
    )
    pickled(tmp_path / "model" / module)
    with pytest.raises(UserError, match=r"weights in (2_Dense/)?pytorch_model\.bin, a pickle, and only safe") as caught:
        load(tmp_path / "model", device="cpu")
    assert "\n" not in str(caught.value)
    if not module:
        with pytest.raises(UserError, match=r"pytorch_model\.bin, a pickle"):
            open_transformer(str(tmp_path / "model"), pooling="mean", max_seq_length=16, device="cpu")


@pytest.mark.parametrize("name", ["pytorch_model-00001-of-00002.bin", "adapter_model.bin"])
def test_a_shard_or_an_adapter_in_a_pickle_is_refused_too(name: str, bert: Path, tmp_path: Path):
    shutil.copytree(bert, tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"")
    if name.startswith("pytorch"):
        (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(UserError, match=rf"weights in {name}, a pickle"):
        load(tmp_path / "model", device="cpu")


def test_files_of_other_names_and_old_checkpoints_are_no_weights(bert: Path, tmp_path: Path):
    shutil.copytree(bert, tmp_path / "model")
    (tmp_path / "model" / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    for name in ("training_args.bin", "checkpoints/checkpoint-1/pytorch_model.bin"):
        (tmp_path / "model" / name).write_bytes(b"")
    assert load(tmp_path / "model", device="cpu").encode("a cat").shape == (8,)


def test_a_model_without_its_tokenizer_is_refused_where_it_is_opened(bert: Path, tmp_path: Path):
    shutil.copytree(bert, tmp_path / "model")
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / "model" / name).unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"model has no tokenizer; save its tokenizer") as caught:
        load(tmp_path / "model", device="cpu")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"--base .*model has no tokenizer"):
        open_transformer(str(tmp_path / "model"), pooling="mean", max_seq_length=16, device="cpu")


@pytest.mark.parametrize("kind", ["xlm-roberta", "gpt2", "t5"])
def test_the_empty_tokenizers_of_other_architectures_are_known_as_well(kind: str, tmp_path: Path):
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="has no tokenizer"):
        require_tokenizer(AutoTokenizer.from_pretrained(tmp_path), str(tmp_path))


def test_of_a_model_on_the_hub_the_weights_of_modules_and_adapters_are_looked_at(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(bert, tmp_path / "model")

    def on_hub(name: str, file: str, subfolder: str = "") -> str | None:
        path = tmp_path / "model" / subfolder / file
        return str(path) if path.is_file() else None

    monkeypatch.setattr(loading, "_file_path", on_hub)
    require_safetensors("somebody/model")
    pickled(tmp_path / "model" / "2_Dense")
    with pytest.raises(UserError, match=r"somebody/model has weights in 2_Dense/pytorch_model\.bin"):
        require_safetensors("somebody/model")
    (tmp_path / "model" / "2_Dense" / "pytorch_model.bin").unlink()
    (tmp_path / "model" / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"somebody/model has weights in adapter_model\.bin"):
        require_safetensors("somebody/model")


def test_a_relative_path_that_does_not_exist_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for path in ("runs/model", Path("runs/model"), Path("model"), "./model", "a/b/c"):
        with pytest.raises(UserError, match=r"no model at|cannot open a model at") as caught:
            load(path, device="cpu")
        assert "\n" not in str(caught.value)


def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_told_as_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match="cannot open a model at modle: there is no folder of that name, and from the hub"
    ):
        load("modle", device="cpu")


def test_a_model_to_encode_with_is_opened_without_torch_where_that_is_possible(
    tiny_static_model: SentenceTransformer, bert: Path, tmp_path: Path
):
    tiny_static_model.save_pretrained(str(tmp_path / "static"))
    for device in (None, "cpu"):
        assert isinstance(open_to_encode(tmp_path / "static", device=device), RuntimeModel)
    assert isinstance(open_to_encode(bert, device="cpu"), SentenceTransformer)
    with pytest.raises(UserError, match="no model at"):
        open_to_encode(tmp_path / "nowhere")


def test_a_name_that_no_network_knows_is_refused_without_waiting_for_the_hub(monkeypatch: pytest.MonkeyPatch):
    looked_up: list[str] = []

    def unknown(host: str, *_: object) -> list[object]:
        looked_up.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(loading, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with no_waiting_for_the_hub("mistyped"):
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    assert looked_up == ["huggingface.co"]
    with pytest.raises(UserError, match="there is no folder of that name, and from the hub: "):
        load("mistyped")
    assert set(looked_up) == {"huggingface.co"}


def test_a_hub_with_an_address_and_a_folder_are_opened_as_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: ["an address"])
    monkeypatch.setattr(loading, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with no_waiting_for_the_hub("name"):
        assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    with no_waiting_for_the_hub(str(tmp_path)):
        assert not constants.HF_HUB_OFFLINE
