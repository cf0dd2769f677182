"""A transformer embeds rows without padding as it embeds them with padding, and is left as it was."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES
from tests.losses.test_sentence_pass import columns_of, mixed, opened
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor, nn

from selfsent.losses import packed_pass, sentence_pass
from selfsent.losses.packed_pass import packed, packing_transformer
from selfsent.losses.sentence_pass import embed_columns
from selfsent.methods.starting_model import PoolingName
from selfsent.modules import TextCNN

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 16}
KINDS: dict[str, dict[str, Any]] = {
    "Bert": SIZES,
    "Camembert": SIZES,
    "DistilBert": {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2},
    "Electra": SIZES | {"embedding_size": 8},
    "Roberta": SIZES,
    "XLMRoberta": SIZES,
}
NOT_PACKED: dict[str, dict[str, Any]] = {
    "MPNet": SIZES,
    "Albert": SIZES | {"embedding_size": 8},
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture(scope="module")
def write(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a transformer of a kind, with BERT's tokenizer."""

    def written(kind: str, **settings: Any) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        tokenizer = open_bert(bert).tokenizer
        torch.manual_seed(0)
        ids = {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3}  # 1: not where positions begin anyway
        sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "initializer_range": 0.5}
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)
        config = getattr(transformers, f"{kind}Config")(**sizes, **ids, **(KINDS | NOT_PACKED)[kind], **settings)
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return written


def is_packed(model: SentenceTransformer, columns: list[dict[str, Any]]) -> bool:
    return packing_transformer(model, columns[0]) is not None


def gradients_of(model: SentenceTransformer, embeddings: list[Tensor]) -> dict[str, Tensor]:
    weights = torch.randn(embeddings[0].shape, generator=torch.Generator().manual_seed(0)).to(embeddings[0].dtype)
    model.zero_grad()
    sum(((weights * rows).sum() + (weights * rows).square().sum() for rows in embeddings), torch.zeros(())).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def padded(model: SentenceTransformer, columns: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Embeddings and gradients of the host's pass."""
    return everything(model, [model(dict(column))["sentence_embedding"] for column in columns])


def everything(model: SentenceTransformer, embeddings: list[Tensor]) -> dict[str, Tensor]:
    return {f"column {number}": rows for number, rows in enumerate(embeddings)} | gradients_of(model, embeddings)


def assert_as_with_padding(model: SentenceTransformer, columns: list[dict[str, Any]]) -> None:
    assert_as_exact(everything(model, embed_columns(model, columns)), model, columns)


def assert_as_exact(found: dict[str, Tensor], model: SentenceTransformer, columns: list[dict[str, Any]]) -> None:
    """The distance from double precision is that of single precision with padding, or about."""
    expected = padded(model, columns)
    exact = padded(copy.deepcopy(model).double(), columns)
    assert {name for name, value in expected.items() if value.any()} <= found.keys()
    for name, value in found.items():
        rounding = (expected[name] - exact[name]).abs().max()
        allowed = 10 * rounding + 1e-5 * exact[name].abs().max() + 1e-6
        assert (value - exact[name]).abs().max() <= allowed, name


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_and_gradients_are_those_of_rows_with_padding(kind: str, write: Callable[[str], Path]):
    model = opened(write(kind))
    columns = columns_of(model, mixed(20), mixed(20, shift=5))
    assert is_packed(model, columns)
    assert_as_with_padding(model, columns)


@pytest.mark.parametrize("pooling", ["cls", "max", "mean-first-last", "mean-top2"])
def test_every_pooling_of_the_host_sees_the_same_tokens(pooling: PoolingName, bert: Path):
    model = opened(bert, pooling)
    columns = columns_of(model, mixed(20), mixed(20, shift=3))
    assert is_packed(model, columns)
    assert_as_with_padding(model, columns)


@pytest.mark.parametrize("kind", ["Bert", "Roberta"])
def test_padding_at_the_left_moves_positions_as_the_transformer_moves_them(kind: str, write: Callable[[str], Path]):
    model = opened(write(kind), left=True)
    columns = columns_of(model, mixed(20), mixed(20, shift=20))
    assert bool((columns[0]["attention_mask"][:, 0] == 0).any())
    assert is_packed(model, columns)
    assert_as_with_padding(model, columns)


def test_tokens_left_out_amid_a_row_and_segments_are_followed(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(20), mixed(20, shift=3))
    for column in columns:
        column["attention_mask"][:, 3:5] = 0
        column["token_type_ids"] = (
            torch.arange(column["input_ids"].shape[1]).gt(6).long().expand_as(column["input_ids"])
        )
    assert is_packed(model, columns)
    assert_as_with_padding(model, columns)


def test_no_padding_reaches_the_layers(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(20), mixed(20, shift=3))
    shapes: list[tuple[int, ...]] = []
    model[0].model.encoder.layer[0].intermediate.register_forward_hook(lambda *given: shapes.append(given[2].shape[:2]))
    embed_columns(model, columns)
    assert shapes == [(1, sum(int(column["attention_mask"].sum()) for column in columns))]


def test_dropout_in_attention_is_on_in_training_only(bert: Path):
    model = opened(bert).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model[0].model.encoder.layer[0].attention.self.dropout.p = 0.5
    columns = columns_of(model, mixed(20))
    one, other = (embed_columns(model, columns)[0] for _ in range(2))
    assert bool((one - other).abs().amax(dim=1)[1:].gt(1e-4).all())
    model.eval()
    torch.testing.assert_close(*(embed_columns(model, columns)[0] for _ in range(2)))


def test_the_transformer_is_left_as_it_was(bert: Path, monkeypatch: pytest.MonkeyPatch):
    model = opened(bert)
    columns = columns_of(model, mixed(20))
    before = dict(vars(model[0].model)), model[0].config.to_dict(), model[0].config._attn_implementation
    embed_columns(model, columns)
    monkeypatch.setattr(packed_pass, "packed_attention", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed_columns(model, columns)
    assert (dict(vars(model[0].model)), model[0].config.to_dict(), model[0].config._attn_implementation) == before
    assert "forward" not in vars(model[0].model)


@pytest.mark.parametrize("kind", NOT_PACKED)
def test_transformers_of_other_kinds_keep_their_padding(kind: str, write: Callable[[str], Path]):
    model = opened(write(kind))
    columns = columns_of(model, mixed(40), mixed(40, shift=3))
    assert not is_packed(model, columns)
    assert_as_with_padding(model, columns)


def eager(model: SentenceTransformer) -> None:
    model[0].model.set_attn_implementation("eager")


def recomputed(model: SentenceTransformer) -> None:
    model[0].model.activation_checkpointing_enable()
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def followed_by_a_convolution(model: SentenceTransformer) -> None:
    model[1] = TextCNN(embedding_dimension=16, special_token_ids=(2, 3))


def chunked(model: SentenceTransformer) -> None:
    for layer in model[0].model.encoder.layer:
        layer.chunk_size_feed_forward = 1
    model[0].config.chunk_size_feed_forward = 1


def a_subclass(model: SentenceTransformer) -> None:
    bare = model[0].model
    bare.__class__ = type("OwnModel", (type(bare),), {})


def told_to_keep_padding(model: SentenceTransformer) -> None:
    model[0].unpad_inputs = False


def in_double_precision(model: SentenceTransformer) -> None:
    model.double()


@pytest.mark.parametrize(
    "change",
    [eager, recomputed, followed_by_a_convolution, chunked, a_subclass, told_to_keep_padding, in_double_precision],
)
def test_a_model_that_needs_its_padding_keeps_it(change: Callable[[SentenceTransformer], None], bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(20))
    assert is_packed(model, columns)
    change(model)
    assert not is_packed(model, columns)
    assert embed_columns(model, columns)[0].isfinite().all()


def test_a_compiled_model_and_lower_precision_keep_padding(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(20))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not is_packed(model, columns)
    assert packing_transformer(torch.compile(model), columns[0]) is None
    model[0].compile()
    assert not is_packed(model, columns)


def test_empty_rows_long_rows_and_other_features_keep_padding(bert: Path, monkeypatch: pytest.MonkeyPatch):
    model = opened(bert)
    columns = columns_of(model, mixed(20))
    assert not is_packed(model, [columns[0] | {"inputs_embeds": torch.zeros(20, 40, 16)}])
    monkeypatch.setattr(packed_pass, "MOST_TOKENS", 8)
    assert not is_packed(model, columns)
    monkeypatch.undo()
    columns[0]["attention_mask"][3] = 0
    assert not is_packed(model, columns)


def test_what_holds_no_sentence_transformer_or_two_keeps_padding(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(20))
    assert packing_transformer(nn.ModuleList([model]), columns[0]) is model[0]
    assert packing_transformer(nn.ModuleList([model, opened(bert)]), columns[0]) is None
    assert packing_transformer(model[0], columns[0]) is None


def test_a_model_saved_within_the_block_is_saved_as_it_was(bert: Path, tmp_path: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(8))
    expected = model(dict(columns[0]))["sentence_embedding"]
    with packed(model[0]):
        model.save_pretrained(str(tmp_path))
    found = SentenceTransformer(str(tmp_path), device="cpu")
    assert found[0].config._attn_implementation == "sdpa"
    torch.testing.assert_close(found.eval()(dict(columns[0]))["sentence_embedding"], expected)


def test_groups_and_packed_rows_agree_under_the_loss(bert: Path, monkeypatch: pytest.MonkeyPatch):
    model = opened(bert)
    columns = columns_of(model, mixed(50), mixed(50, shift=3))
    found = embed_columns(model, columns)
    monkeypatch.setattr(sentence_pass, "packing_transformer", lambda *_: None)
    for one, other in zip(found, embed_columns(model, columns), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
