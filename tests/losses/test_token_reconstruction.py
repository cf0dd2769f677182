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
from transformers import PreTrainedTokenizerFast

from selfsent.counts.token_frequencies import TokenFrequencies, count_tokens, token_weights
from selfsent.errors import UserError
from selfsent.losses.functional import info_nce
from selfsent.losses.token_reconstruction import TokenReconstructionLoss, token_errors
from selfsent.modules import TextCNN, TextCNNDecoder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


@pytest.fixture
def model(bert: Path) -> SentenceTransformer:
    torch.manual_seed(1)
    cnn = TextCNN(embedding_dimension=16, channels=6, kernel_sizes=[2, 3])
    return SentenceTransformer(modules=[open_bert(bert, max_seq_length=24), cnn], device="cpu").eval()


@pytest.fixture
def frequencies(model: SentenceTransformer) -> TokenFrequencies:
    return count_tokens(SENTENCES, model.tokenizer)


def features_of(model: SentenceTransformer, texts: list[str]) -> dict[str, Any]:
    return dict(model.preprocess(texts))


def rebuilt_by_hand(loss: TokenReconstructionLoss, texts: list[str], weights: Any) -> float:
    """One view's reconstruction, text by text and token by token."""
    total, num_tokens = 0.0, 0
    for text in texts:
        features = loss.model(features_of(loss.model, [text]))
        ids = features["input_ids"][0]
        inner = [place for place, token in enumerate(ids.tolist()) if token not in {2, 3}]
        if not inner:
            continue
        mask = torch.ones(1, len(inner), dtype=torch.bool)
        rebuilt = loss.decoder(features["sentence_embedding"], mask)
        for row, place in enumerate(inner):
            squared = (rebuilt[row] - features["token_embeddings"][0, place]).square()
            total += float(weights[ids[place]]) * float(
                squared.sum() if loss.options.reduction == "sum" else squared.mean()
            )
            num_tokens += 1
    return total / num_tokens


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighting", ["linear", "log", "inverse", "uniform"])
def test_both_terms_are_those_of_the_definition(
    model: SentenceTransformer, frequencies: TokenFrequencies, reduction: Any, weighting: Any
):
    loss = TokenReconstructionLoss(
        model, frequencies=frequencies, weighting=weighting, theta=0.3, beta=0.5, gamma=2.0, reduction=reduction
    )
    first, second = SENTENCES[::2], [*SENTENCES[1:-2:2], ""]
    weights = token_weights(frequencies.counts, weighting=weighting, floor=0.3)
    with torch.no_grad():
        terms = loss([features_of(model, first), features_of(model, second)])
        embeddings = [model(features_of(model, texts))["sentence_embedding"] for texts in (first, second)]
        expected = 0.5 * rebuilt_by_hand(loss, first, weights) + 2.0 * rebuilt_by_hand(loss, second, weights)
    assert list(terms) == ["info_nce", "reconstruction"]
    assert terms["reconstruction"].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(terms["info_nce"], info_nce(*embeddings, temperature=0.05))


def test_a_batch_taken_in_groups_by_length_gives_the_same(model: SentenceTransformer, frequencies: TokenFrequencies):
    loss = TokenReconstructionLoss(model, frequencies=frequencies, beta=1.0, gamma=0.25)
    first, second = [*SENTENCES, "a", "the cat"] * 2, [*SENTENCES[::-1], "", "rain"] * 2
    weights = token_weights(frequencies.counts)
    with torch.no_grad():
        terms = loss([features_of(model, first), features_of(model, second)])
        expected = rebuilt_by_hand(loss, first, weights) + 0.25 * rebuilt_by_hand(loss, second, weights)
    assert terms["reconstruction"].item() == pytest.approx(expected, rel=1e-4)


def test_errors_are_those_worked_out_by_hand_and_have_the_right_gradient():
    rebuilt, states = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, -1.0]])
    weights = torch.tensor([1.0, 0.1])
    torch.testing.assert_close(token_errors(rebuilt, states, weights), torch.tensor([5.0, 1.0]))
    torch.testing.assert_close(token_errors(rebuilt, states, weights, reduction="mean"), torch.tensor([2.5, 0.5]))
    rows = [torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    thirds = torch.full((3,), 0.3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, b: token_errors(a, b, thirds), rows)


def test_one_column_is_both_views(model: SentenceTransformer):
    loss = TokenReconstructionLoss(model)
    one = loss([features_of(model, SENTENCES)])
    two = loss([features_of(model, SENTENCES), features_of(model, SENTENCES)])
    torch.testing.assert_close(one, two)


def test_in_training_the_two_views_of_one_column_differ(model: SentenceTransformer):
    torch.manual_seed(0)
    first = TokenReconstructionLoss(model.train(), beta=1.0, gamma=0.0, components=True)
    second = TokenReconstructionLoss(model, beta=0.0, gamma=1.0, decoder=first.decoder)
    outcomes = []
    for loss in (first, second):
        torch.manual_seed(3)
        outcomes.append(loss([features_of(model, SENTENCES)])["reconstruction"].item())
    assert outcomes[0] != outcomes[1]


def test_a_coefficient_of_0_leaves_its_view_out_and_negatives_are_never_rebuilt(model: SentenceTransformer):
    loss = TokenReconstructionLoss(model, beta=0.0, gamma=1.0)
    views = [features_of(model, texts) for texts in (SENTENCES[:4], SENTENCES[4:8], SENTENCES[8:])]
    with torch.no_grad():
        of_three = loss(views)["reconstruction"].item()
        expected = rebuilt_by_hand(loss, SENTENCES[4:8], torch.ones(200))
    assert of_three == pytest.approx(expected, rel=1e-5)


def test_without_reconstruction_only_the_contrast_is_left(model: SentenceTransformer):
    loss = TokenReconstructionLoss(model, beta=0.0, gamma=0.0)
    assert loss.decoder is None
    assert list(loss([features_of(model, SENTENCES)])) == ["info_nce"]


def test_the_terms_add_up_to_the_scalar(model: SentenceTransformer):
    torch.manual_seed(0)
    named = TokenReconstructionLoss(model, beta=1.0)
    whole = TokenReconstructionLoss(model, beta=1.0, components=False, decoder=named.decoder)
    features = [features_of(model, SENTENCES)]
    torch.testing.assert_close(whole(features), torch.stack(list(named(features).values())).sum())


class Nothing(TextCNNDecoder):
    """Rebuilds every state as zero, from nothing."""

    def forward(self, embeddings: Tensor, token_mask: Tensor) -> Tensor:
        return embeddings.new_zeros(int(token_mask.sum()), self.options.embedding_dimension)


@pytest.mark.parametrize("detach_target", [True, False])
def test_a_detached_target_gets_no_gradient_and_another_does(model: SentenceTransformer, detach_target: bool):
    nothing = Nothing(embedding_dimension=16, max_tokens=24)
    loss = TokenReconstructionLoss(model, detach_target=detach_target, decoder=nothing)
    term = loss([features_of(model, SENTENCES)])["reconstruction"]
    assert term.requires_grad is not detach_target
    if not detach_target:
        term.backward()
        assert model[0].model.embeddings.word_embeddings.weight.grad.any()


def test_gradients_reach_encoder_and_decoder_and_are_finite(model: SentenceTransformer):
    loss = TokenReconstructionLoss(model.train(), components=False)
    loss([features_of(model, [*SENTENCES, "", "a"])]).backward()
    unused = {"model.0.model.pooler.dense.weight", "model.0.model.pooler.dense.bias"}
    without = {name for name, weight in loss.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert without - unused == set()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in loss.parameters())


def test_a_batch_of_texts_without_tokens_is_finite(model: SentenceTransformer):
    loss = TokenReconstructionLoss(model, components=False)
    value = loss([features_of(model, ["", "", "the cat"]), features_of(model, ["", "", ""])])
    value.backward()
    assert value.isfinite()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in loss.parameters())


def test_rebuilding_is_learned_from_the_sentence_embedding(model: SentenceTransformer):
    torch.manual_seed(0)
    loss = TokenReconstructionLoss(model, beta=1.0, gamma=1.0, detach_target=True)
    optimizer = torch.optim.Adam(loss.decoder.parameters(), lr=1e-2)
    values = []
    for _ in range(40):
        value = loss([features_of(model, SENTENCES)])["reconstruction"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.5 * values[0]


def test_weights_and_decoder_are_the_losss_state_and_come_back(
    model: SentenceTransformer, frequencies: TokenFrequencies
):
    loss, other = (TokenReconstructionLoss(model, frequencies=table) for table in (frequencies, None))
    other.load_state_dict(loss.state_dict())
    features = [features_of(model, SENTENCES)]
    torch.testing.assert_close(other(features), loss(features))
    assert {"token_weights", "decoder.spreading.weight"} <= loss.state_dict().keys()


def test_a_base_without_a_text_cnn_can_be_rebuilt_too(bert: Path):
    model = SentenceTransformer(modules=[open_bert(bert), Pooling(16)], device="cpu")
    terms = TokenReconstructionLoss(model, beta=1.0)([features_of(model, SENTENCES)])
    assert terms["reconstruction"] > 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"beta": -1.0, "gamma": float("nan")}, "beta=-1.0 must be 0 or more; gamma=nan"),
        ({"theta": 1.5}, "theta=1.5"),
        ({"temperature": 0.0}, "temperature=0.0"),
    ],
)
def test_numbers_out_of_range_are_named(model: SentenceTransformer, settings: dict[str, float], text: str):
    with pytest.raises(UserError, match=text):
        TokenReconstructionLoss(model, **settings)


def test_frequencies_of_another_tokenizer_are_refused(
    model: SentenceTransformer, tiny_tokenizer: PreTrainedTokenizerFast
):
    with pytest.raises(UserError, match="counted with another tokenizer"):
        TokenReconstructionLoss(model, frequencies=count_tokens(SENTENCES, tiny_tokenizer))


def test_the_card_names_settings_and_source(model: SentenceTransformer, frequencies: TokenFrequencies):
    loss = TokenReconstructionLoss(model, frequencies=frequencies, theta=0.2)
    assert loss.get_config_dict()["theta"] == 0.2
    assert loss.get_config_dict()["weighting"] == "linear"
    assert "2402.15153" in loss.citation
    assert loss.counts() == {"num_false_negatives": 0}
    np.testing.assert_allclose(loss.token_weights, token_weights(frequencies.counts, floor=0.2), rtol=1e-6)
