"""One pass for all columns embeds as the host embeds each column by itself."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor
from transformers import RobertaConfig, RobertaModel

from selfsent.losses import sentence_pass
from selfsent.losses.sentence_pass import ROWS_A_GROUP, embed_columns, repeat_rows
from selfsent.methods.starting_model import PoolingName, pooling_modules

Columns = list[dict[str, Any]]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture(scope="module")
def roberta(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RoBERTa, whose positions depend on the padding id, with BERT's tokenizer."""
    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = open_bert(bert).tokenizer
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": 2, "eos_token_id": 3}
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.5, **sizes, **ids)
    RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def opened(folder: Path, pooling: PoolingName = "mean", *, left: bool = False) -> SentenceTransformer:
    transformer = open_bert(folder, max_seq_length=60)
    transformer.tokenizer.padding_side = "left" if left else "right"
    return SentenceTransformer(modules=[transformer, *pooling_modules(transformer, pooling)], device="cpu").eval()


def mixed(num_rows: int, *, shift: int = 0) -> list[str]:
    """Texts of one word to several sentences, no two neighbours of like length."""
    words = " ".join(SENTENCES).split()
    return [" ".join(words[row % 7 : row % 7 + 1 + (11 * row + shift) % 40]) for row in range(num_rows)]


def columns_of(model: SentenceTransformer, *texts: list[str]) -> Columns:
    return [dict(model.preprocess(column)) for column in texts]


def by_column(model: SentenceTransformer, columns: Columns) -> list[Tensor]:
    with torch.no_grad():
        return [model(dict(column))["sentence_embedding"] for column in columns]


def assert_as_the_host(model: SentenceTransformer, columns: Columns) -> None:
    with torch.no_grad():
        found = embed_columns(model, columns)
    expected = by_column(model, columns)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)  # float32, rows summed in other groups


@pytest.mark.parametrize("num_rows", [2, ROWS_A_GROUP // 2, 45], ids=["few", "just one group", "several groups"])
@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_embeddings_are_those_of_each_column_alone(num_rows: int, architecture: str, request: pytest.FixtureRequest):
    model = opened(request.getfixturevalue(architecture))
    columns = columns_of(model, mixed(num_rows), mixed(num_rows, shift=5), ["the cat"] * num_rows)
    assert len({column["input_ids"].shape[1] for column in columns}) > 1, "the columns are of different widths"
    assert_as_the_host(model, columns)


@pytest.mark.parametrize("pooling", ["cls", "max", "mean-first-last", "mean-top2"])
def test_every_pooling_sees_the_same_tokens(pooling: PoolingName, bert: Path):
    model = opened(bert, pooling)
    assert_as_the_host(model, columns_of(model, mixed(40), mixed(40, shift=3)))


def test_texts_padded_at_the_left_are_not_cut(bert: Path):
    model = opened(bert, left=True)
    columns = columns_of(model, mixed(40), mixed(40, shift=20))
    assert bool((columns[0]["attention_mask"][:, 0] == 0).any())
    assert_as_the_host(model, columns)


def test_a_row_of_nothing_but_padding_is_embedded_and_disturbs_no_other(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(40), mixed(40, shift=3))
    for row in (0, 17):
        columns[0]["attention_mask"][row] = 0
    assert_as_the_host(model, columns)
    assert not by_column(model, columns)[0][17].any()


def test_a_whole_group_of_padding_is_embedded(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(40), mixed(40, shift=3))
    columns[0]["attention_mask"].zero_()
    assert_as_the_host(model, columns)


def test_groups_are_no_wider_than_their_longest_row_and_cover_every_row_once(
    bert: Path, monkeypatch: pytest.MonkeyPatch
):
    model = opened(bert)
    model[0].model.set_attn_implementation("eager")  # so that rows keep padding
    columns = columns_of(model, mixed(50), mixed(50, shift=3))
    widths: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(lambda _, inputs: widths.append(tuple(inputs[0]["input_ids"].shape)))
    embed_columns(model, columns)
    lengths = sorted((int(n) for column in columns for n in column["attention_mask"].sum(1)), reverse=True)
    groups = [lengths[start : start + ROWS_A_GROUP] for start in range(0, 100, ROWS_A_GROUP)]
    assert widths == [(len(group), group[0]) for group in groups]
    widths.clear()
    monkeypatch.setattr(sentence_pass, "ROWS_A_GROUP", 1000)
    embed_columns(model, columns)
    assert widths == [(100, lengths[0])]


def test_gradients_are_those_of_each_column_alone(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(40), mixed(40, shift=3))
    weights = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))

    def gradients(embeddings: list[Tensor]) -> list[Tensor]:
        first, second = embeddings
        wanted = [parameter for name, parameter in model.named_parameters() if "pooler" not in name]
        return list(torch.autograd.grad((weights * first).sum() + (weights * second).square().sum(), wanted))

    found = gradients(embed_columns(model, columns))
    expected = gradients([model(dict(column))["sentence_embedding"] for column in columns])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=2e-4)


def test_repeats_of_a_column_differ_in_training_by_dropout_and_not_at_all_in_evaluation(bert: Path):
    model = opened(bert)
    for num_rows in (6, 40):
        repeats = repeat_rows(columns_of(model, mixed(num_rows))[0])
        one, other = embed_columns(model.eval(), repeats)
        torch.testing.assert_close(one, other)
        one, other = embed_columns(model.train(), repeats)
        assert bool((one - other).abs().amax(dim=1).gt(1e-3).all()), "every row has a draw of its own"


def test_features_are_left_as_they_are(bert: Path):
    model = opened(bert)
    columns = columns_of(model, mixed(40), mixed(40, shift=3))
    before = [
        {name: value.clone() for name, value in column.items() if isinstance(value, Tensor)} for column in columns
    ]
    embed_columns(model, columns)
    for column, earlier in zip(columns, before, strict=True):
        assert "sentence_embedding" not in column
        assert all(torch.equal(column[name], value) for name, value in earlier.items())


def test_columns_that_are_no_rows_of_tokens_are_embedded_one_by_one(tiny_static_model: SentenceTransformer):
    columns = [dict(tiny_static_model.preprocess(texts)) for texts in (SENTENCES[:6], SENTENCES[6:])]
    assert columns[0]["input_ids"].ndim == 1
    assert_as_the_host(tiny_static_model, columns)
