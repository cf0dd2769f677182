"""What ``--base`` names: opened, cut to its lower layers, pooled, or refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

from selfsent.errors import UserError
from selfsent.losses.sentence_pass import width_of
from selfsent.methods.starting_model import (
    DropoutOptions,
    from_scratch,
    keep_layers,
    layers_of,
    num_positions,
    open_transformer,
    tokenizer_of,
    training_limit,
)
from selfsent.modules import TreeEncoder

LONG = " ".join(SENTENCES)
WRONG_LAYERS = ("", "6", "0,6", "-1", "3,0", "1,1", "0,,5", "first", "0;3", "²")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture(scope="module")
def roberta(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows of positions; the padding id is 0, so the first is not used."""
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = open_bert(bert, max_seq_length=64).tokenizer
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=40, **sizes, **ids)).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return folder


def opened(base: Path | str, max_seq_length: int = 32, num_layers: int | None = None) -> SentenceTransformer:
    return open_transformer(
        str(base), pooling="mean", max_seq_length=max_seq_length, num_layers=num_layers, device="cpu"
    )


def test_a_base_becomes_a_transformer_and_a_pooling_of_the_host(bert: Path):
    model = opened(bert)
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]
    assert (width_of(model), model.max_seq_length) == (16, 64)
    assert tokenizer_of(model) is model[0].tokenizer
    assert len(model.preprocess([LONG])["input_ids"][0]) == 64


def test_the_limit_of_training_is_not_the_limit_of_the_model(bert: Path, roberta: Path, tmp_path: Path):
    assert opened(bert, max_seq_length=8).max_seq_length == 64  # all of its positions
    assert opened(roberta, max_seq_length=8).max_seq_length == 39  # the first of its 40 is not used
    saved = SentenceTransformer(modules=[open_bert(bert, max_seq_length=24), Pooling(16)], device="cpu")
    saved.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert opened(tmp_path / "saved", max_seq_length=8).max_seq_length == 24  # what a saved model says of itself
    assert training_limit(opened(bert, max_seq_length=8), 8) == 8
    assert training_limit(from_scratch("tree", SENTENCES, device="cpu"), 8) is None


def test_a_model_trained_on_more_than_its_base_reads_reads_it_and_that_is_said(
    bert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    saved = SentenceTransformer(modules=[open_bert(bert, max_seq_length=24), Pooling(16)], device="cpu")
    saved.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert opened(tmp_path / "saved", max_seq_length=48).max_seq_length == 48
    assert "max_seq_length=48 is more than the 24 tokens that" in caplog.text


def test_of_a_sentence_transformers_folder_only_the_transformer_is_taken(bert: Path, tmp_path: Path):
    whole = SentenceTransformer(modules=[open_bert(bert), Pooling(16), Normalize()], device="cpu")
    whole.save_pretrained(str(tmp_path / "whole"), create_model_card=False)
    found = opened(tmp_path / "whole").encode(SENTENCES, convert_to_tensor=True)
    torch.testing.assert_close(
        nn.functional.normalize(found, dim=1), whole.encode(SENTENCES, convert_to_tensor=True), atol=1e-5, rtol=1e-5
    )
    assert not torch.allclose(found.norm(dim=1), torch.ones(len(SENTENCES)), atol=1e-2)


def test_half_precision_weights_are_trained_in_full(bert: Path, tmp_path: Path):
    BertModel.from_pretrained(bert).bfloat16().save_pretrained(tmp_path / "half")
    open_bert(bert).tokenizer.save_pretrained(tmp_path / "half")
    assert {parameter.dtype for parameter in opened(tmp_path / "half").parameters()} == {torch.float32}


def test_the_lowest_layers_are_those_that_stay(bert: Path, tmp_path: Path):
    model = opened(bert, num_layers=1)
    states = opened(bert)[0].model(**model.preprocess(SENTENCES[:2]), output_hidden_states=True).hidden_states
    found = model.eval()(model.preprocess(SENTENCES[:2]))["token_embeddings"]
    torch.testing.assert_close(found, states[1], atol=1e-5, rtol=1e-5)
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert opened(tmp_path / "saved")[0].model.config.num_hidden_layers == 1


def six_layers() -> BertModel:
    sizes = {"hidden_size": 16, "num_hidden_layers": 6, "num_attention_heads": 2, "intermediate_size": 16}
    return BertModel(BertConfig(vocab_size=50, **sizes))


@pytest.mark.parametrize(
    ("num_layers", "kept_layers", "expected"),
    [
        (3, "lowest", [0, 1, 2]),
        (1, "spread", [5]),
        (2, "spread", [0, 5]),
        (3, "spread", [0, 3, 5]),
        (4, "spread", [0, 2, 3, 5]),
        (5, "spread", [0, 1, 3, 4, 5]),
        (6, "spread", [0, 1, 2, 3, 4, 5]),
        (None, "1, 3,5", [1, 3, 5]),
        (1, "4", [4]),
    ],
)
def test_the_layers_that_stay(num_layers: int | None, kept_layers: str, expected: list[int]):
    body = six_layers()
    whole = list(body.encoder.layer)
    keep_layers(body, "mine", num_layers, kept_layers)
    assert [whole.index(layer) for layer in body.encoder.layer] == expected
    assert body.config.num_hidden_layers == len(expected)


@pytest.mark.parametrize(
    ("num_layers", "kept_layers", "told"),
    [
        (None, "spread", "kept_layers=spread needs num_layers, got none"),
        (2, "0,3,5", "kept_layers=0,3,5 names 3 layers, num_layers=2; leave one out"),
        *((None, wrong, f"from 0 to 5 with commas between them, got '{wrong}'") for wrong in WRONG_LAYERS),
    ],
)
def test_layers_that_cannot_stay_are_refused(num_layers: int | None, kept_layers: str, told: str):
    body = six_layers()
    with pytest.raises(UserError) as error:
        keep_layers(body, "mine", num_layers, kept_layers)
    assert told in str(error.value)
    assert len(body.encoder.layer) == 6


def test_a_base_opens_with_the_layers_that_are_named(bert: Path):
    whole, last = (
        opened(bert),
        open_transformer(str(bert), pooling="mean", max_seq_length=32, kept_layers="1", device="cpu"),
    )
    torch.testing.assert_close(
        last[0].model.encoder.layer[0].state_dict(), whole[0].model.encoder.layer[1].state_dict(), atol=0, rtol=0
    )


def test_layers_of_two_kinds_keep_their_kinds(tmp_path: Path):
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    sizes = {"hidden_size": 16, "num_hidden_layers": 6, "num_attention_heads": 2, "intermediate_size": 16}
    body = ModernBertModel(ModernBertConfig(vocab_size=50, local_attention=4, **sizes, **ids)).eval()
    kinds = body.config.layer_types
    assert kinds[1] != kinds[3]
    keep_layers(body, "mine", 3, "spread")
    assert body.config.layer_types == [kinds[0], kinds[3], kinds[5]]
    body.save_pretrained(tmp_path / "cut")
    texts = torch.arange(3, 43)[None]
    found = ModernBertModel.from_pretrained(tmp_path / "cut").eval()(input_ids=texts).last_hidden_state
    torch.testing.assert_close(found, body(input_ids=texts).last_hidden_state)


def test_a_layer_that_others_need_must_stay():
    body = T5EncoderModel(T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=6, num_heads=2, vocab_size=50))
    with pytest.raises(UserError, match=r"layer 3 of mine cannot take the place of layer 0, .*; keep layer 0"):
        keep_layers(body, "mine", None, "3,5")
    keep_layers(body, "mine", 3, "spread")
    assert body.config.num_hidden_layers == 3


def test_a_body_whose_layers_are_not_found_is_refused(bert: Path):
    body = open_bert(bert).model
    stack = layers_of(body, 2)
    assert stack is body.encoder.layer
    body.encoder.layer = nn.Sequential(*stack)
    with pytest.raises(UserError, match="num_layers=1 is not possible for mine, which has 2"):
        keep_layers(body, "mine", 1)
    with pytest.raises(UserError, match="kept_layers=1 is not possible for mine, which has 2"):
        keep_layers(body, "mine", None, "1")


def test_robertas_first_positions_belong_to_padding(bert: Path, roberta: Path):
    assert num_positions(open_bert(bert).model) == 64
    assert num_positions(open_bert(roberta).model) == 39
    model = opened(roberta, 39)
    assert model.preprocess([LONG])["input_ids"].shape == (1, 39)
    assert torch.from_numpy(model.encode([LONG])).isfinite().all()
    with pytest.raises(UserError, match=r"max_seq_length=40 does not fit .* 39 positions"):
        opened(roberta, 40)


def test_a_body_without_a_table_of_positions_has_no_limit():
    class Body(nn.Module):
        config = object()

    assert num_positions(Body()) is None


def test_a_name_that_is_neither_here_nor_on_the_hub_is_one_line():
    with pytest.raises(UserError, match=r"no-such-model: there is no folder of that name.*--base") as caught:
        opened("no-such-model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base", ["./nowhere", "~/nowhere", "/no/where", "some/where/deep"])
def test_a_path_that_is_not_there_is_told_as_one(base: str):
    with pytest.raises(UserError, match="the folder does not exist; check the path"):
        opened(base)


@pytest.mark.parametrize(("kind", "module"), [("tree", TreeEncoder), ("static", StaticEmbedding)])
def test_a_model_from_scratch_has_a_tokenizer_of_the_texts(kind: str, module: type[nn.Module]):
    model = from_scratch(kind, SENTENCES * 3, DropoutOptions(), device="cpu")
    assert [type(one) for one in model] == [module]
    assert torch.from_numpy(model.encode(SENTENCES)).isfinite().all()
    assert width_of(model) == {"tree": 100, "static": 256}[kind]
    assert tokenizer_of(model) is not None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_layers": 2}, r"num_layers=2 must not be set for --base static, .*; leave it out, or name a transformer"),
        ({"kept_layers": "spread", "num_layers": 2}, "num_layers=2 and kept_layers=spread must not .*; leave them out"),
        ({"dropout": 0.0}, r"dropout=0\.0 must not be set for --base static, which has neither layers nor dropout"),
    ],
)
def test_what_a_model_from_scratch_has_no_use_for_is_refused(options: dict[str, Any], told: str):
    with pytest.raises(UserError, match=told):
        from_scratch("static", SENTENCES, DropoutOptions(max_seq_length=8, **options), device="cpu")
