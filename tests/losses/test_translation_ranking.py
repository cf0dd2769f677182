"""Translation ranking: LaBSE's formula in a plain loop, gradient caching, and what is added to it."""

import math

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.modules.transformer_models import open_bert, write_bert

from selfsent.errors import UserError
from selfsent.losses.info_nce import InfoNCELoss
from selfsent.losses.translation_ranking import TranslationRankingLoss


@pytest.fixture
def model(tmp_path, sentences) -> SentenceTransformer:
    body = open_bert(write_bert(tmp_path / "bert", sentences))
    return SentenceTransformer(modules=[body, Pooling(16)], device="cpu")


def columns(model: SentenceTransformer, sentences: list[str]) -> list[dict]:
    return [dict(model.preprocess(sentences[::2])), dict(model.preprocess(sentences[1::2]))]


def by_hand(sources: torch.Tensor, targets: torch.Tensor, *, margin: float, temperature: float) -> float:
    """Equation 2 of LaBSE in a loop, the mean of both directions."""
    total = 0.0
    for one, other in ((sources, targets), (targets, sources)):
        cosine = torch.nn.functional.normalize(one) @ torch.nn.functional.normalize(other).T
        for row in range(len(cosine)):
            own = math.exp((float(cosine[row, row]) - margin) / temperature)
            others = sum(math.exp(float(cosine[row, n]) / temperature) for n in range(len(cosine)) if n != row)
            total -= math.log(own / (own + others)) / len(cosine)
    return total / 2


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_the_margin_is_taken_from_the_cosine_of_each_pair_alone(tiny_static_model, sentences, margin):
    loss = TranslationRankingLoss(tiny_static_model, margin=margin, temperature=0.1)
    terms = loss(columns(tiny_static_model, sentences))
    sources, targets = (
        torch.from_numpy(tiny_static_model.encode(texts)) for texts in (sentences[::2], sentences[1::2])
    )
    assert terms["ranking"].item() == pytest.approx(by_hand(sources, targets, margin=margin, temperature=0.1), rel=1e-4)


def test_cached_gradients_are_those_of_one_pass(model, sentences):
    model.eval()
    found = []
    for size in (None, 4):
        model.zero_grad()
        loss = TranslationRankingLoss(model, mini_batch_size=size)
        value = sum(loss(columns(model, sentences)).values())
        value.backward()
        found.append((value.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(found[0][0], found[1][0])
    assert len(found[0][1]) == len(found[1][1]) > 0
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_terms_are_weighted_and_a_weight_of_nothing_leaves_its_term_out(model, sentences):
    model.eval()
    features = columns(model, sentences)
    terms = TranslationRankingLoss(model, ranking_weight=2.0, mlm_weight=1.0, tlm_weight=0.5)(features)
    assert set(terms) == {"ranking", "mlm", "tlm"}
    alone = TranslationRankingLoss(model)(features)
    assert set(alone) == {"ranking"}
    torch.testing.assert_close(terms["ranking"], 2 * alone["ranking"])
    assert set(TranslationRankingLoss(model, ranking_weight=0.0, tlm_weight=1.0)(features)) == {"tlm"}


def test_the_translation_helps_to_find_a_masked_word(model, sentences):
    """Trained on sentences that are their own translations, the joined row is easier than the sentence alone."""
    torch.manual_seed(0)
    loss = TranslationRankingLoss(model, ranking_weight=0.0, mlm_weight=1.0, tlm_weight=1.0, max_tokens=64)
    features = [dict(model.preprocess(sentences)) for _ in range(2)]
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-2)
    first = None
    for _ in range(20):
        terms = loss(features)
        first = first or {name: term.item() for name, term in terms.items()}
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    with torch.no_grad():
        last = loss(features)
    assert float(last["tlm"]) < first["tlm"]
    assert float(last["mlm"]) < first["mlm"]


def test_gradients_are_cached_for_rows_of_tokens_only(tiny_static_model, sentences):
    loss = TranslationRankingLoss(tiny_static_model, mini_batch_size=4)
    with pytest.raises(UserError, match="StaticEmbedding has none; leave it out"):
        loss(columns(tiny_static_model, sentences))


def test_numbers_out_of_range_are_one_line(tiny_static_model):
    for settings, message in (
        ({"ranking_weight": 0.0}, "leave nothing to learn from"),
        ({"mlm_weight": -1.0}, "mlm_weight=-1.0 must be 0 or more"),
        ({"margin": 2.0}, "margin=2.0"),
        ({"mini_batch_size": 0}, "mini_batch_size=0"),
        ({"mlm_weight": 1.0}, "needs a transformer"),
    ):
        with pytest.raises(UserError, match=message):
            TranslationRankingLoss(tiny_static_model, **settings)
    with pytest.raises(UserError, match=r"margin=-0\.1"):
        InfoNCELoss(tiny_static_model, margin=-0.1)
