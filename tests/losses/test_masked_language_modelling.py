"""Masked language modelling: which tokens are masked and how, the value of the loss, its head, and its saved form."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor
from transformers import AutoConfig, AutoModelForMaskedLM, BertForMaskedLM

from selfsent.errors import UserError
from selfsent.losses import MaskedLanguageModelingLoss
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.methods.starting_model import open_transformer
from selfsent.training.loss_state import own_tensors


@pytest.fixture
def base(sentences: list[str], tmp_path: Path) -> Path:
    """A random BERT with a masked-LM head."""
    folder = write_bert(tmp_path / "bert", sentences)
    torch.manual_seed(5)
    BertForMaskedLM(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


def opened(folder: Path) -> SentenceTransformer:
    return open_transformer(str(folder), pooling="mean", max_seq_length=32, device="cpu").eval()


class Masks:
    """Records what a masked language model puts into the model, and the logits its head gives."""

    def __init__(self, model: SentenceTransformer, masked: MaskedLanguageModel) -> None:
        self.inputs: Tensor | None = None
        self.found: Tensor | None = None
        model.register_forward_pre_hook(self._before)
        masked.head.register_forward_hook(self._after)

    def _before(self, module: Any, arguments: tuple[Any, ...]) -> None:
        self.inputs = arguments[0]["input_ids"].clone()

    def _after(self, module: Any, arguments: Any, output: Tensor) -> None:
        self.found = output.detach()


def test_of_all_tokens_fifteen_per_cent_are_found_and_of_these_a_tenth_each_is_another_or_stays(
    base: Path, sentences: list[str]
):
    model = opened(base)
    masked = MaskedLanguageModel(model, base=base)
    masks = Masks(model, masked)
    torch.manual_seed(0)
    features = model.preprocess(sentences * 200)
    masked(model, features)
    given, put = features["input_ids"], masks.inputs
    assert put is not None
    assert masks.found is not None
    mask_id = model.tokenizer.mask_token_id
    is_plain = ~torch.isin(given, torch.tensor(model.tokenizer.all_special_ids))
    num_plain, num_found = int(is_plain.sum()), len(masks.found)
    num_masked = int((put == mask_id).sum())
    num_other = int(((put != given) & (put != mask_id)).sum())
    # Within five standard deviations of a binomial count; another token may by chance be the same or the mask.
    vocabulary = len(model.tokenizer)

    def near(count: int, share: float, total: int) -> bool:
        return abs(count - share * total) < 5 * (share * (1 - share) * total) ** 0.5

    assert num_plain > 20_000
    assert near(num_found, 0.15, num_plain)
    assert near(num_masked, 0.8 + 0.1 / vocabulary, num_found)
    assert near(num_other, 0.1 * (1 - 2 / vocabulary), num_found)


def test_special_tokens_and_padding_are_never_masked(base: Path, sentences: list[str]):
    model = opened(base)
    masked = MaskedLanguageModel(model, base=base, masked_share=0.99)
    masks = Masks(model, masked)
    features = model.preprocess([sentences[0], "the", "cat"])
    for seed in range(5):
        torch.manual_seed(seed)
        masked(model, features)
        assert masks.inputs is not None
        is_special = torch.isin(features["input_ids"], torch.tensor(model.tokenizer.all_special_ids))
        assert is_special.sum() > 6, "the case has padding"
        assert torch.equal(masks.inputs[is_special], features["input_ids"][is_special])


def test_the_loss_is_that_of_transformers_on_the_same_masks(base: Path, sentences: list[str]):
    model = opened(base)
    masked = MaskedLanguageModel(model, base=base)
    masks = Masks(model, masked)
    features = model.preprocess(sentences)
    torch.manual_seed(1)
    loss = masked(model, features)
    torch.manual_seed(1)
    is_special = torch.isin(features["input_ids"], torch.tensor(model.tokenizer.all_special_ids))
    _, labels = masked._collator.torch_mask_tokens(features["input_ids"].clone(), is_special)
    assert masks.inputs is not None
    reference = AutoModelForMaskedLM.from_pretrained(base).eval()
    expected = reference(input_ids=masks.inputs, attention_mask=features["attention_mask"], labels=labels).loss
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)


def test_masks_are_new_in_training_and_the_same_at_every_evaluation(base: Path, sentences: list[str]):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    features = [model.preprocess(sentences)]
    assert loss(features) != loss(features)
    with torch.no_grad():
        before = torch.random.get_rng_state()
        assert loss(features) == loss(features)
        assert torch.equal(before, torch.random.get_rng_state())
    assert loss(features) != loss(features)


def test_features_are_left_as_they_are(base: Path, sentences: list[str]):
    model = opened(base)
    features = model.preprocess(sentences)
    before = {name: value.clone() for name, value in features.items() if isinstance(value, Tensor)}
    MaskedLanguageModelingLoss(model, base=base)([features])
    assert "input_ids" in before
    assert all(torch.equal(features[name], before[name]) for name in before)


def test_a_batch_in_which_nothing_is_masked_costs_nothing(base: Path):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)([model.preprocess(["", ""])])
    assert loss.item() == 0.0
    loss.backward()


def test_gradients_reach_body_and_head_and_are_finite(base: Path, sentences: list[str]):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    loss([model.preprocess(sentences)]).backward()
    unused = {name for name, parameter in loss.named_parameters() if parameter.grad is None}
    assert all("pooler" in name for name in unused)
    assert all(p.grad.isfinite().all() for p in loss.parameters() if p.grad is not None)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.masked_language_model.head.parameters())


def test_output_weights_are_the_table_and_only_the_rest_of_the_head_is_the_losss_own(base: Path):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    decoder = loss.masked_language_model.head.predictions.decoder
    assert decoder.weight is model[0].model.get_input_embeddings().weight
    assert sum("decoder.weight" in name for name in own_tensors(loss, model)) == 0
    assert any("transform.dense.weight" in name for name in own_tensors(loss, model))


def test_the_head_is_the_bases_or_fresh(base: Path):
    saved = AutoModelForMaskedLM.from_pretrained(base).cls.predictions.transform.dense.weight
    model = opened(base)
    taken = MaskedLanguageModel(model, base=base).head.predictions.transform.dense.weight
    fresh = MaskedLanguageModel(model).head.predictions.transform.dense.weight
    assert torch.equal(taken, saved)
    assert not torch.equal(fresh, saved)


def test_a_base_of_half_precision_gets_a_head_that_fits_its_body(base: Path, sentences: list[str]):
    AutoModelForMaskedLM.from_pretrained(base).bfloat16().save_pretrained(base)
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    assert {parameter.dtype for parameter in loss.parameters()} == {torch.float32}
    assert loss([model.preprocess(sentences)]).isfinite()


def test_a_saved_model_opens_with_and_without_the_head(base: Path, sentences: list[str], tmp_path: Path):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        expected = loss([model.preprocess(sentences)])
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    again = opened(tmp_path / "saved")
    assert torch.equal(torch.from_numpy(again.encode(sentences)), torch.from_numpy(model.encode(sentences)))
    with torch.no_grad():
        found = MaskedLanguageModelingLoss(again, base=tmp_path / "saved")([again.preprocess(sentences)])
    torch.testing.assert_close(found, expected)


def test_as_an_auxiliary_it_leaves_the_saved_model_without_a_head(base: Path, tmp_path: Path):
    model = SentenceTransformer(modules=list(opened(base)), device="cpu")
    MaskedLanguageModel(model, base=base)
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert AutoConfig.from_pretrained(tmp_path / "saved").architectures == ["BertModel"]


def test_a_base_cut_to_fewer_layers_is_saved_with_as_many_as_it_has(base: Path, tmp_path: Path):
    model = open_transformer(str(base), pooling="mean", max_seq_length=32, num_layers=1, device="cpu")
    MaskedLanguageModelingLoss(model, base=base)
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "saved").config.num_hidden_layers == 1


def test_the_loss_falls(base: Path, sentences: list[str]):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, base=base)
    features = [model.preprocess(sentences * 4)]
    with torch.no_grad():
        before = loss(features)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        loss(features).backward()
        optimizer.step()
    with torch.no_grad():
        assert loss(features) < before


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_share_that_masks_nothing_or_everything_is_refused(base: Path, share: float):
    with pytest.raises(UserError, match="masked_share"):
        MaskedLanguageModelingLoss(opened(base), base=base, masked_share=share)


def test_a_model_without_a_transformer_or_a_mask_token_is_refused(
    base: Path, tiny_static_model: SentenceTransformer, sentences: list[str]
):
    with pytest.raises(UserError, match=r"begins with StaticEmbedding.*--base"):
        MaskedLanguageModelingLoss(tiny_static_model)
    transformer = open_bert(base)
    transformer.tokenizer.mask_token = None
    model = SentenceTransformer(modules=[transformer], device="cpu")
    with pytest.raises(UserError, match="no mask token"):
        MaskedLanguageModelingLoss(model)


def test_it_says_for_the_model_card_what_it_is(base: Path):
    assert MaskedLanguageModelingLoss(opened(base)).get_config_dict() == {"masked_share": 0.15, "next_sentence": False}


def test_the_next_sentence_is_told_from_the_first_token_of_two_segments_worked_out_by_hand(
    base: Path, sentences: list[str]
):
    model = opened(base)
    loss = MaskedLanguageModelingLoss(model, next_sentence=True).eval()
    assert loss.next_sentence is not None
    columns = [dict(model.preprocess(texts)) for texts in (sentences[:3], sentences[3:6])]
    with torch.no_grad():
        for weight in loss.next_sentence.parameters():
            weight.zero_()
        loss.next_sentence.classifier.bias.copy_(torch.tensor([0.0, 3.0]).log().clamp(min=0))
        terms: Any = loss([dict(column) for column in columns], torch.tensor([1, 1, 0]))
    # The classes have odds of 1 to 3: -log 3/4 twice and -log 1/4 once.
    assert terms["next_sentence"].item() == pytest.approx((2 * 0.287682 + 1.386294) / 3, abs=1e-6)
    seen: list[dict[str, Tensor]] = []
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(dict(inputs[0])))
    with torch.no_grad():
        alone: Any = loss([dict(column) for column in columns], None)
    torch.testing.assert_close(alone, terms["masked_language_model"])
    (features,) = seen
    ids, segments = features["input_ids"][0], features["token_type_ids"][0]
    first, second = (int(column["attention_mask"][0].sum()) for column in columns)
    assert segments[: first + second].tolist() == [0] * first + [1] * (second - 1) + [0] * (
        len(ids) > first + second - 1
    )
    assert ids[first - 1] == ids[first + second - 2] == model.tokenizer.sep_token_id


def test_the_next_sentence_needs_two_columns_and_two_segments(base: Path, sentences: list[str]):
    model = opened(base)
    with pytest.raises(UserError, match="two columns of texts, got 1"):
        MaskedLanguageModelingLoss(model, next_sentence=True)([model.preprocess(sentences)])
    model[0].model.config.type_vocab_size = 1
    with pytest.raises(UserError, match="needs a model of two segments"):
        MaskedLanguageModelingLoss(model, next_sentence=True)
