import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor

from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.modules import TextCNN, TextCNNDecoder
from selfsent.modules.text_cnn import added_token_ids, text_token_mask

UNEVEN = ["the cat", "", "a", "Members of the committee voted for the budget, shortly after they had left.", "rain"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture
def make(bert: Path):
    def make(**settings: Any) -> SentenceTransformer:
        settings = {"embedding_dimension": 16, "channels": 6, "init": "uniform", **settings}
        torch.manual_seed(1)
        return SentenceTransformer(modules=[open_bert(bert), TextCNN(**settings)], device="cpu").eval()

    return make


def by_hand(cnn: TextCNN, states: Tensor) -> Tensor:
    """The definition, token by token: windows around every token, zeros beyond both ends."""

    def window(rows: Tensor, position: int, width: int) -> Tensor:
        places = range(position - width // 2, position - width // 2 + width)
        return torch.stack([rows[i] if 0 <= i < len(rows) else torch.zeros(rows.shape[1]) for i in places])

    def convolved(convolution: Any, rows: Tensor) -> Tensor:
        width = convolution.kernel_size[0]
        outputs = [
            torch.einsum("ocw,wc->o", convolution.weight, window(rows, i, width)) + convolution.bias
            for i in range(len(rows))
        ]
        return torch.stack(outputs)

    scales = torch.cat([convolved(scale, states).clamp(min=0) for scale in cnn.scales], dim=1)
    merged = convolved(cnn.integration, scales)
    return merged.mean(dim=0) if cnn.options.pooling == "mean" else merged.max(dim=0).values


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("kernel_sizes", [[3, 4, 5], [4], [1, 2], [9]], ids=str)
@pytest.mark.parametrize("num_tokens", [1, 2, 7])
def test_every_token_sees_its_window_and_zeros_beyond_the_ends(kernel_sizes: list[int], pooling: Any, num_tokens: int):
    torch.manual_seed(0)
    cnn = TextCNN(embedding_dimension=5, channels=4, kernel_sizes=kernel_sizes, pooling=pooling, init="uniform")
    states = torch.randn(num_tokens, 5)
    mask = torch.ones(1, num_tokens, dtype=torch.bool)
    torch.testing.assert_close(cnn.embed(states[None], mask)[0], by_hand(cnn, states))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_what_stands_at_left_out_places_changes_nothing(pooling: Any):
    torch.manual_seed(0)
    cnn = TextCNN(embedding_dimension=5, channels=4, pooling=pooling, init="uniform")
    states = torch.randn(3, 9, 5)
    mask = torch.tensor([[0, 1, 1, 1, 0, 0, 0, 0, 0], [0] * 9, [0, 0, 0, 0, 1, 1, 1, 1, 1]], dtype=torch.bool)
    embeddings = cnn.embed(states, mask)
    torch.testing.assert_close(cnn.embed(states.masked_fill(~mask[:, :, None], torch.nan), mask), embeddings)
    torch.testing.assert_close(embeddings[0], by_hand(cnn, states[0, 1:4]))
    torch.testing.assert_close(embeddings[2], by_hand(cnn, states[2, 4:]))
    assert not embeddings[1].any()


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_row_without_tokens_gives_the_zero_vector_and_harmless_gradients(pooling: Any):
    cnn = TextCNN(embedding_dimension=4, channels=4, pooling=pooling)
    states = torch.full((2, 3, 4), torch.inf).index_fill(0, torch.tensor([1]), 1.0).requires_grad_()
    embeddings = cnn.embed(states, torch.tensor([[False] * 3, [True] * 3]))
    torch.nn.functional.normalize(embeddings, dim=1).sum().backward()
    assert not embeddings[0].any()
    assert states.grad is not None
    assert not states.grad[0].any()
    assert states.grad.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in cnn.parameters())


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_batch_mates_order_and_padding_never_change_an_embedding(make, sentences: list[str], pooling: str):
    model = make(pooling=pooling)
    texts = [*sentences, *UNEVEN]
    alone = np.stack([model.encode(text) for text in texts])
    assert np.isfinite(alone).all()
    assert not alone[texts.index("")].any()
    for batch_size in (1, 3, 100):
        np.testing.assert_allclose(model.encode(texts, batch_size=batch_size), alone, atol=1e-6)
    np.testing.assert_allclose(model.encode(texts[::-1], batch_size=4)[::-1], alone, atol=1e-6)


def test_tokens_the_tokenizer_adds_are_left_out_and_unknown_words_are_not(make):
    model = make()
    features = model.preprocess(["the ☃ cat", "a"])
    mask = text_token_mask(features, model[1].options.special_token_ids)
    tokens = [
        model.tokenizer.convert_ids_to_tokens(row[keep].tolist())
        for row, keep in zip(features["input_ids"], mask, strict=True)
    ]
    assert added_token_ids(model.tokenizer) == [2, 3] == model[1].options.special_token_ids
    assert tokens == [["the", "[UNK]", "cat"], ["a"]]


@pytest.mark.parametrize(("channels", "kernel_sizes"), [(12, [3, 4, 5]), (16, [4]), (40, [3, 5])])
def test_an_encoder_that_starts_at_the_mean_averages_the_tokens_states(make, channels: int, kernel_sizes: list[int]):
    model = make(init="mean", channels=channels, kernel_sizes=kernel_sizes)
    width = channels // 2 * len(kernel_sizes)
    features = model[0](model.preprocess(SENTENCES))
    mask = text_token_mask(features, model[1].options.special_token_ids)
    states = [row[keep].mean(dim=0) for row, keep in zip(features["token_embeddings"], mask, strict=True)]
    embeddings = model[1](features)["sentence_embedding"]
    if width >= 16:
        torch.testing.assert_close(embeddings, torch.stack(states), atol=1e-5, rtol=1e-5)
    embeddings.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model[1].parameters())


def test_fewer_channels_than_the_states_are_wide_start_at_a_projection_of_the_mean():
    torch.manual_seed(0)
    cnn = TextCNN(embedding_dimension=8, channels=2)
    states, mask = torch.randn(4, 6, 8), torch.ones(4, 6, dtype=torch.bool)
    once = cnn.embed(states, mask)
    torch.testing.assert_close(cnn.embed(once[:, None].expand(4, 6, 8), mask), once)
    assert torch.linalg.matrix_rank(once) == 3


@pytest.mark.slow
def test_a_saved_model_gives_the_same_embeddings_in_a_new_process_both_ways(make, tmp_path: Path):
    model = make(init="mean", channels=12)
    path = tmp_path / "model"
    model.save_pretrained(str(path))
    np.save(tmp_path / "here.npy", model.encode(UNEVEN))
    assert json.loads((path / "modules.json").read_text())[1]["type"] == "selfsent.modules.TextCNN"
    code = """
import sys, numpy as np, selfsent
from sentence_transformers import SentenceTransformer
folder, texts = sys.argv[1], sys.argv[2:]
here = np.load(folder + '/here.npy')
for model in (selfsent.load(folder + '/model', device='cpu'),
              SentenceTransformer(folder + '/model', device='cpu', trust_remote_code=True)):
    assert model[1].get_config_dict()['kernel_sizes'] == [3, 4, 5]
    np.testing.assert_array_equal(model.encode(texts), here)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *UNEVEN], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_settings_and_the_special_tokens_survive_a_round_trip(make, tmp_path: Path):
    make(channels=8, kernel_sizes=[2, 7], pooling="max").save_pretrained(str(tmp_path))
    config = load(tmp_path, device="cpu")[1].get_config_dict()
    assert config == {
        "embedding_dimension": 16,
        "channels": 8,
        "kernel_sizes": [2, 7],
        "pooling": "max",
        "init": "uniform",
        "special_token_ids": [2, 3],
    }


def test_a_transformer_that_could_drop_padding_is_told_to_keep_it(make):
    assert make()[0].unpad_inputs is False


def test_a_base_of_another_width_is_refused_before_any_text_is_read(bert: Path):
    with pytest.raises(UserError, match=r"width 24 .* gives 16; build it with embedding_dimension=16"):
        SentenceTransformer(modules=[open_bert(bert), TextCNN(embedding_dimension=24)], device="cpu")
    cnn = TextCNN(embedding_dimension=24, special_token_ids=[2, 3])
    features = {"token_embeddings": torch.zeros(1, 2, 16), "input_ids": torch.ones(1, 2, dtype=torch.int64)}
    with pytest.raises(UserError, match="width 24"):
        cnn(features)


def test_a_module_outside_a_model_asks_for_the_special_tokens(bert: Path):
    model = SentenceTransformer(modules=[open_bert(bert), Pooling(16)], device="cpu")
    model[1] = TextCNN(embedding_dimension=16)
    with pytest.raises(UserError, match="give special_token_ids"):
        model.encode("the cat")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"channels": 0}, "channels=0"),
        ({"channels": 7, "init": "mean"}, "channels=7 must be even"),
        ({"kernel_sizes": []}, r"kernel_sizes=\[\]"),
        ({"kernel_sizes": [3, 3]}, "must be different whole numbers"),
        ({"kernel_sizes": [0]}, r"kernel_sizes=\[0\]"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], text: str):
    with pytest.raises(UserError, match=text):
        TextCNN(**{"embedding_dimension": 4, "channels": 4, **settings})


@pytest.mark.slow
def test_all_settings_out_of_range_are_named_together():
    code = """
from selfsent.modules import TextCNN
try: TextCNN(embedding_dimension=0, channels=3, pooling='cls', init='zero')
except ValueError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == (
        "embedding_dimension=0 must be 1 or more; pooling='cls' must be one of mean, max;"
        " init='zero' must be one of mean, uniform"
    )


# The decoder ---------------------------------------------------------------------------------------------------------


def decoded_by_hand(decoder: TextCNNDecoder, embedding: Tensor, num_tokens: int) -> Tensor:
    """The definition, place by place: every position gives its values to the window around it."""
    spread = torch.einsum("d,dop->po", embedding, decoder.spreading.weight)[:num_tokens] + decoder.spreading.bias
    parts = spread.clamp(min=0).split(decoder.options.channels, dim=1)
    total = torch.zeros(num_tokens, decoder.options.embedding_dimension)
    for width, scale, part in zip(decoder.options.kernel_sizes, decoder.scales, parts, strict=True):
        total += scale.bias
        for position in range(num_tokens):
            for tap in range(width):
                target = position + tap - width // 2
                if 0 <= target < num_tokens:
                    total[target] += part[position] @ scale.weight[:, :, tap]
    return total / len(decoder.scales)


@pytest.mark.parametrize("kernel_sizes", [[3, 4, 5], [4], [2, 1], [9]], ids=str)
def test_every_position_gives_to_its_window_whatever_the_batch(kernel_sizes: list[int]):
    torch.manual_seed(0)
    decoder = TextCNNDecoder(embedding_dimension=5, max_tokens=8, channels=4, kernel_sizes=kernel_sizes)
    lengths = [3, 0, 8, 1]
    embeddings = torch.randn(4, 5)
    mask = torch.arange(11) < torch.tensor(lengths)[:, None]
    expected = [decoded_by_hand(decoder, row, n) for row, n in zip(embeddings, lengths, strict=True)]
    torch.testing.assert_close(decoder(embeddings, mask), torch.cat(expected))
    torch.testing.assert_close(decoder(embeddings, mask.flip(1)), torch.cat(expected))


@pytest.mark.parametrize("width", [3, 4, 5, 2])
def test_the_decoders_windows_are_the_encoders_seen_from_the_other_side(width: int):
    torch.manual_seed(0)
    cnn = TextCNN(embedding_dimension=1, channels=1, kernel_sizes=[width], init="uniform")
    decoder = TextCNNDecoder(embedding_dimension=1, max_tokens=6, channels=1, kernel_sizes=[width])
    forward, back = cnn.scales[0], decoder.scales[0]
    with torch.no_grad():
        back.weight.copy_(forward.weight)
        forward.bias.zero_()
        back.bias.zero_()
    identity = torch.eye(6)[:, None]
    there = forward(identity)[..., :6][:, 0]
    returned = back(identity)[..., -6:][:, 0]
    torch.testing.assert_close(returned, there.T)


def test_a_batch_without_tokens_is_rebuilt_as_nothing():
    decoder = TextCNNDecoder(embedding_dimension=5, max_tokens=8, channels=4)
    assert decoder(torch.randn(2, 5), torch.zeros(2, 3, dtype=torch.bool)).shape == (0, 5)


def test_a_text_longer_than_the_decoder_was_made_for_is_refused():
    decoder = TextCNNDecoder(embedding_dimension=5, max_tokens=2, channels=4)
    with pytest.raises(UserError, match="3 tokens is longer than the 2"):
        decoder(torch.randn(1, 5), torch.ones(1, 3, dtype=torch.bool))


def test_a_decoder_that_cannot_be_built_says_why():
    with pytest.raises(UserError, match=r"max_tokens=0 .*; kernel_sizes=\[\]"):
        TextCNNDecoder(embedding_dimension=5, max_tokens=0, channels=4, kernel_sizes=[])
