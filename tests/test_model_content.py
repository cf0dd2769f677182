"""The hash of a model: every file it is loaded from counts, wherever it is, and no other file does."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Module, Router
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import selfsent.modules as own_modules
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.model_content import MODULE_FILES, former_content_hashes, has_content_hash, model_content_hash
from selfsent.modules import TreeEncoder

OLD = Path(__file__).parent / "search" / "store_of_6c19337"


@pytest.fixture
def folder(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    encoder = TreeEncoder(tokenizer=tiny_tokenizer, channels=2, channel_size=2)
    SentenceTransformer(modules=[encoder], device="cpu").save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def bert(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> BertModel:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertModel(BertConfig(vocab_size=len(tiny_tokenizer), max_position_embeddings=16, **sizes))
    model.save_pretrained(tmp_path / "bert")
    tiny_tokenizer.save_pretrained(tmp_path / "bert")
    return model


@pytest.fixture
def transformer_folder(bert: BertModel, tmp_path: Path) -> Path:
    modules = [Transformer(str(tmp_path / "bert")), Pooling(8)]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(tmp_path / "transformer"))
    return tmp_path / "transformer"


@pytest.fixture
def router_folder(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    query, document = (StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=4) for _ in range(2))
    router = Router.for_query_document(query_modules=[query, Dense(4, 4)], document_modules=[document])
    SentenceTransformer(modules=[router], device="cpu").save_pretrained(str(tmp_path / "router"))
    return tmp_path / "router"


def files_that_count(folder: Path) -> set[str]:
    """The files whose change changes the hash."""
    before = model_content_hash(folder)
    counted: set[str] = set()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        content = file.read_bytes()
        file.write_bytes(content + b" ")
        if model_content_hash(folder) != before:
            counted.add(file.relative_to(folder).as_posix())
        file.write_bytes(content)
    return counted


def test_the_hash_is_of_the_content_and_not_of_the_place(folder: Path, tmp_path: Path):
    expected = model_content_hash(folder)
    assert len(expected) == 64
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert model_content_hash(tmp_path / "elsewhere") == expected == model_content_hash(str(folder))


def test_the_hash_changes_with_any_weight_setting_or_piece(folder: Path):
    seen = {model_content_hash(folder)}
    model = load(folder, device="cpu")
    with torch.no_grad():
        model[0].composition.linear.bias[0] += 1e-6
    model.save_pretrained(str(folder))
    seen.add(model_content_hash(folder))
    for name in ("config.json", "tokenizer.json", "modules.json"):
        (folder / name).write_text((folder / name).read_text("utf8") + "\n")
        seen.add(model_content_hash(folder))
    assert len(seen) == 5


def test_the_hash_does_not_see_cards_logs_and_checkpoints(folder: Path):
    expected = model_content_hash(folder)
    for name in ("README.md", "run.json", "metrics.jsonl"):
        (folder / name).write_text("something")
    (folder / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (folder / "checkpoints" / "checkpoint-1" / "model.safetensors").write_text("something")
    assert model_content_hash(folder) == expected


@pytest.mark.parametrize("name", ["nowhere", "model/modules.json"])
def test_only_a_folder_has_a_hash(folder: Path, name: str):
    with pytest.raises(UserError, match="not a local folder"):
        model_content_hash(folder.parent / name)


def test_what_lies_beside_a_model_does_not_count(transformer_folder: Path):
    expected = model_content_hash(transformer_folder)
    for name in (
        "report.json",
        "notes.txt",
        "data_config.json",
        "texts.jsonl",
        "spare.safetensors",
        "code.py",
        "onnx/model.onnx",
        "evaluations/sts.json",
        "1_Pooling/report.json",
        "2_Old/model.safetensors",
    ):
        (transformer_folder / name).parent.mkdir(exist_ok=True)
        (transformer_folder / name).write_text("{}")
    assert model_content_hash(transformer_folder) == expected


def test_every_file_of_a_transformer_and_its_modules_counts(transformer_folder: Path):
    (transformer_folder / "special_tokens_map.json").write_text("{}")
    (transformer_folder / "added_tokens.json").write_text("{}")
    assert files_that_count(transformer_folder) == {
        "1_Pooling/config.json",
        "added_tokens.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_modules_inside_a_module_count(router_folder: Path):
    counted = files_that_count(router_folder)
    assert {name for name in counted if "/" in name} == {
        "document_0_StaticEmbedding/model.safetensors",
        "document_0_StaticEmbedding/tokenizer.json",
        "query_0_StaticEmbedding/model.safetensors",
        "query_0_StaticEmbedding/tokenizer.json",
        "query_1_Dense/config.json",
        "query_1_Dense/model.safetensors",
    }
    assert "router_config.json" in counted


def test_a_router_of_the_old_kind_and_a_router_in_a_router_count(router_folder: Path):
    inner = router_folder / "query_1_Dense"
    (router_folder / "router_config.json").rename(router_folder / "config.json")
    types = {"deep": "sentence_transformers.base.modules.Dense", ".": "sentence_transformers.base.modules.Dense"}
    (inner / "router_config.json").write_text(json.dumps({"types": types, "structure": {"query": ["deep"]}}))
    (inner / "deep").mkdir()
    (inner / "deep" / "model.safetensors").write_bytes(b"weights")
    assert {"query_1_Dense/deep/model.safetensors", "config.json"} <= files_that_count(router_folder)


def test_pickled_weights_count_where_they_are_what_is_loaded(transformer_folder: Path, bert: BertModel):
    torch.save(bert.state_dict(), transformer_folder / "pytorch_model.bin")
    assert "pytorch_model.bin" not in files_that_count(transformer_folder)
    (transformer_folder / "model.safetensors").unlink()
    assert "pytorch_model.bin" in files_that_count(transformer_folder)


def test_every_part_of_divided_weights_counts(transformer_folder: Path, bert: BertModel):
    (transformer_folder / "model.safetensors").unlink()
    bert.save_pretrained(transformer_folder, max_shard_size="2KB")
    parts = {path.name for path in transformer_folder.glob("model-*-of-*.safetensors")}
    assert len(parts) > 1
    assert parts | {"model.safetensors.index.json"} <= files_that_count(transformer_folder)


def test_all_that_a_module_of_a_third_party_may_read_counts(transformer_folder: Path):
    modules = json.loads((transformer_folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Own", "type": "custom_layer.Layer"})
    (transformer_folder / "modules.json").write_text(json.dumps(modules))
    (transformer_folder / "2_Own" / "deep").mkdir(parents=True)
    names = {"2_Own/layer.bin", "2_Own/deep/table.txt"}
    for name in names:
        (transformer_folder / name).write_text("something")
    assert names <= files_that_count(transformer_folder)


def test_a_plain_transformer_without_modules_has_a_hash_of_its_files(bert: BertModel, tmp_path: Path):
    (tmp_path / "bert" / "report.json").write_text("{}")
    assert files_that_count(tmp_path / "bert") == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def subclasses(of: type) -> Iterator[type]:
    for one in of.__subclasses__():
        yield one
        yield from subclasses(one)


def test_the_configuration_of_every_module_of_the_host_and_of_ours_is_known():
    found = {one.__name__: one.config_file_name for one in subclasses(Module)}
    assert {"Router", "WordEmbeddings", "LSTM", own_modules.TreeEncoder.__name__} <= found.keys()
    assert set(found.values()) - MODULE_FILES == set()


def test_the_former_hash_is_recognised_also_with_a_report_that_was_put_beside_the_model_since(tmp_path: Path):
    recorded = "4f8fc4a8a942323eea35c00d489167d553883331de3b2091db2700328c1a287b"  # by the code of 6c19337
    shutil.copytree(OLD / "model", tmp_path / "model")
    assert recorded in former_content_hashes(tmp_path / "model")
    (tmp_path / "model" / "report.json").write_text("{}")
    assert has_content_hash(tmp_path / "model", recorded)
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    assert not has_content_hash(tmp_path / "model", recorded)
    assert not has_content_hash(tmp_path / "model", None)


def test_the_former_hash_counted_a_report_and_is_recognised_as_long_as_it_is_there(tmp_path: Path):
    recorded = "20d101ae42b9e5ac132e8354f257aeacc3ebc3a66b035dd487969f5ee0a8fb9e"  # by the code of 6c19337
    shutil.copytree(OLD / "model", tmp_path / "model")
    (tmp_path / "model" / "report.json").write_text("{}")
    assert has_content_hash(tmp_path / "model", recorded)


@pytest.mark.parametrize("modules", ["{", '{"type": "x"}', '[{"idx": 0}]', '[{"path": 1, "type": "x"}]'])
def test_a_list_of_modules_that_cannot_be_read_is_refused_in_one_line(folder: Path, modules: str):
    (folder / "modules.json").write_text(modules)
    with pytest.raises(UserError, match=r"cannot read .*modules.json") as caught:
        model_content_hash(folder)
    assert "\n" not in str(caught.value)
