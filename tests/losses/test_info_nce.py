"""InfoNCE against the host's loss, plain sums and one process with everybody's rows."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from tests.processes import on_two_ranks
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from selfsent.errors import UserError
from selfsent.losses.info_nce import InfoNCELoss, TanhHead
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.training.loss_state import own_parameters, own_tensors

Columns = list[dict[str, Any]]
BOTH_WAYS: dict[str, Any] = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}


def test_the_tanh_head_is_an_affine_map_and_a_tanh():
    head = TanhHead(3)
    rows = torch.randn(5, 3)
    torch.testing.assert_close(head(rows), torch.tanh(rows @ head.linear.weight.T + head.linear.bias))


class GivenVectors(nn.Module):
    """Embeds row i of a column as it was told to."""

    def forward(self, features: dict[str, Any]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["vectors"]}


def given(*columns: list[list[float]], texts: list[list[int]] | None = None) -> Columns:
    """Columns of vectors; with ``texts`` of one token each, by which equal ones are known."""
    features: Columns = [{"vectors": torch.tensor(column)} for column in columns]
    for column, tokens in zip(features, texts or [], strict=bool(texts)):
        column["input_ids"] = torch.tensor(tokens)[:, None]
        column["attention_mask"] = torch.ones(len(tokens), 1, dtype=torch.long)
    return features


def of_given(**settings: Any) -> InfoNCELoss:
    return InfoNCELoss(SentenceTransformer(modules=[GivenVectors()], device="cpu"), **settings)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


def opened(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(modules=[open_bert(folder), Pooling(16, pooling_mode="mean")], device="cpu")


@pytest.fixture
def model(bert: Path) -> SentenceTransformer:
    return opened(bert).eval()


def columns_of(model: SentenceTransformer, *texts: list[str]) -> Columns:
    return [dict(model.preprocess(column)) for column in texts]


def copies(columns: Columns) -> Columns:
    return [dict(column) for column in columns]


def gradients(loss: nn.Module, columns: Columns) -> dict[str, Tensor]:
    loss.zero_grad()
    loss(copies(columns), None).backward()
    return {name: p.grad.clone() for name, p in loss.named_parameters() if p.grad is not None}


TUPLES = {
    "pairs": (SENTENCES[:6], SENTENCES[6:]),
    "triplets": (SENTENCES[:4], SENTENCES[4:8], SENTENCES[8:]),
    "two hard negatives": (SENTENCES[:3], SENTENCES[3:6], SENTENCES[6:9], SENTENCES[9:]),
}


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("columns", TUPLES)
def test_it_is_the_hosts_ranking_loss_with_its_gradients(model: SentenceTransformer, columns: str, symmetric: bool):
    features = columns_of(model, *TUPLES[columns])
    ours = InfoNCELoss(model, temperature=0.07, symmetric=symmetric)
    hosts = MultipleNegativesRankingLoss(model, scale=1 / 0.07, **(BOTH_WAYS if symmetric else {}))
    torch.testing.assert_close(ours(copies(features)), hosts(copies(features), None))
    found, expected = gradients(ours, features), gradients(hosts, features)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-4, rtol=1e-4)


def test_the_worked_example_of_a_pair_and_a_hard_negative():
    columns = given([[0.8109, -0.9391, 0.2519]], [[-1.2887, 1.5057, 0.4449]], [[2.1968, 0.4785, 1.5207]])
    assert of_given(temperature=0.5)(columns).item() == pytest.approx(2.881116, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.25, 1.0, 2.0])
def test_alpha_weighs_an_anchors_own_hard_negatives_and_no_others(alpha: float):
    # Unit vectors on the axes, so that every cosine is 1 or 0, and the sum can be written down (temperature 1).
    x, y, z = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
    columns = given([x, y], [x, z], [y, x])
    e = math.e
    # Anchor x: its positive x, the other positive z, its own negative y, the other's negative x.
    first = -math.log(e / (e + 1 + alpha * 1 + e))
    # Anchor y: its positive z, the other positive x, the other's negative y, its own negative x.
    second = -math.log(1 / (1 + 1 + e + alpha * 1))
    found = of_given(temperature=1.0, hard_negative_weight=alpha)(columns)
    assert found.item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_alpha_weighs_every_column_of_hard_negatives_and_the_way_back_has_none():
    x, y = [1.0, 0.0], [0.0, 1.0]
    columns = given([x, y], [x, x], [y, y], [x, y])
    e, alpha = math.e, 3.0
    first = -math.log(e / (e + e + alpha * 1 + 1 + alpha * e + 1))
    second = -math.log(1 / (1 + 1 + e + alpha * e + 1 + alpha * e))
    back = -math.log(e / (e + 1)) - math.log(1 / (e + 1))
    loss = of_given(temperature=1.0, hard_negative_weight=alpha, symmetric=True)
    assert loss(columns).item() == pytest.approx(((first + second) / 2 + back / 2) / 2, abs=1e-6)


def test_equal_texts_are_left_out_of_the_negatives_and_counted():
    # Texts 1, 1 and 2; the third's positive is worded as the first's anchor.
    vectors = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], [[0.8, 0.6], [1.0, 0.0], [0.6, -0.8]]
    columns = given(*vectors, texts=[[1, 1, 2], [7, 8, 1]])
    cosines = torch.tensor(vectors[0]) @ torch.tensor(vectors[1]).T
    # Anchors 0 and 1 are equal: each leaves out the other's positive, and both leave out the text 1 itself.
    # Anchor 2 has nothing but its own positive, which stays although it has the text of the other anchors.
    kept = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)
    expected = -(cosines.diag() - torch.where(kept, cosines, -math.inf).logsumexp(1)).mean()
    loss = of_given(temperature=1.0)
    torch.testing.assert_close(loss(columns), expected)
    assert loss.counts() == {"num_false_negatives": 4}
    loss(columns)
    assert loss.counts() == {"num_false_negatives": 8}
    with torch.no_grad():
        loss(columns)
    assert loss.counts() == {"num_false_negatives": 8}, "an evaluation does not count"


def test_an_own_hard_negative_that_says_the_same_as_anchor_or_positive_is_left_out_too():
    vectors = [[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [0.8, 0.6]], [[0.0, 1.0], [1.0, 0.0]]
    columns = given(*vectors, texts=[[1, 2], [3, 4], [1, 4]])
    loss = of_given(temperature=1.0, hard_negative_weight=0.5)
    candidates = torch.cat([torch.tensor(vectors[1]), torch.tensor(vectors[2])])
    logits = torch.tensor(vectors[0]) @ candidates.T
    logits[0, 2] = logits[1, 3] = -math.inf  # their own hard negatives say what anchor 1 and positive 4 say
    torch.testing.assert_close(loss(columns), functional.cross_entropy(logits, torch.tensor([0, 1])))
    assert loss.counts() == {"num_false_negatives": 2}


def test_keeping_equal_texts_is_the_hosts_loss_and_counts_nothing(model: SentenceTransformer):
    texts = [SENTENCES[0], SENTENCES[0], *SENTENCES[2:5]], [*SENTENCES[5:9], SENTENCES[5]]
    features = columns_of(model, *texts)
    ours = InfoNCELoss(model, skip_false_negatives=False)
    hosts = MultipleNegativesRankingLoss(model, scale=20.0)
    torch.testing.assert_close(ours(copies(features)), hosts(copies(features), None))
    assert ours.counts() == {"num_false_negatives": 0}
    skipping = InfoNCELoss(model)
    assert skipping(copies(features)) < ours(copies(features)), "fewer candidates can only lower the loss"
    assert skipping.counts()["num_false_negatives"] > 0


def test_symmetric_leaves_equal_texts_out_on_the_way_back_as_well():
    vectors = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], [[0.8, 0.6], [1.0, 0.0], [0.6, -0.8]]
    columns = given(*vectors, texts=[[1, 1, 2], [7, 8, 9]])
    cosines = torch.tensor(vectors[0]) @ torch.tensor(vectors[1]).T
    kept = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=torch.bool)
    forth, back = (
        -(one.diag() - torch.where(kept, one, -math.inf).logsumexp(1)).mean() for one in (cosines, cosines.T)
    )
    torch.testing.assert_close(of_given(temperature=1.0, symmetric=True)(columns), (forth + back) / 2)


def test_one_column_is_embedded_twice_and_in_training_only_dropout_differs(model: SentenceTransformer):
    column = columns_of(model, SENTENCES)
    loss = InfoNCELoss(model, temperature=0.5)
    embeddings = functional.normalize(model(dict(column[0]))["sentence_embedding"], dim=1)
    logits = embeddings @ embeddings.T / 0.5
    torch.testing.assert_close(loss(copies(column)), functional.cross_entropy(logits, torch.arange(12)))
    loss.train()
    torch.manual_seed(3)
    first = loss(copies(column))
    assert not torch.isclose(first, loss(copies(column)))
    torch.manual_seed(3)
    torch.testing.assert_close(loss(copies(column)), first)


def test_the_head_is_applied_to_every_embedding_and_belongs_to_the_loss(model: SentenceTransformer):
    features = columns_of(model, *TUPLES["triplets"])
    torch.manual_seed(0)
    head = TanhHead(16)
    loss = InfoNCELoss(model, head=head, temperature=0.3)
    headed = [functional.normalize(head(model(dict(one))["sentence_embedding"]), dim=1) for one in features]
    logits = headed[0] @ torch.cat(headed[1:]).T / 0.3
    torch.testing.assert_close(loss(copies(features)), functional.cross_entropy(logits, torch.arange(4)))
    assert own_tensors(loss, model).keys() == {"head.linear.weight", "head.linear.bias", "num_false_negatives"}
    assert {id(parameter) for parameter in own_parameters(loss, model)} == {id(p) for p in head.parameters()}
    assert all(gradient.abs().sum() > 0 for name, gradient in gradients(loss, features).items() if "head" in name)


def test_masked_language_modelling_is_a_term_of_its_own_weighted(bert: Path, model: SentenceTransformer):
    column = columns_of(model, SENTENCES)
    masked = MaskedLanguageModel(model)
    loss = InfoNCELoss(model, masked_language_model=masked, masked_weight=0.25)
    with torch.no_grad():
        terms = loss(copies(column))
        assert isinstance(terms, dict)
        torch.testing.assert_close(terms["info_nce"], InfoNCELoss(model)(copies(column)))
        torch.testing.assert_close(terms["masked_language_model"], 0.25 * masked(model, column[0]))
        every = InfoNCELoss(model, masked_language_model=masked, masked_weight=0.25, masked_columns="all")
        twice = {name: torch.cat([value, value]) for name, value in column[0].items() if isinstance(value, Tensor)}
        terms = every(column)
        torch.testing.assert_close(terms["masked_language_model"], 0.25 * masked(model, twice))
    without = InfoNCELoss(model, masked_language_model=masked, masked_weight=0.0)
    assert isinstance(without(copies(column)), Tensor)


def test_a_batch_of_one_is_refused_unless_it_has_a_hard_negative(model: SentenceTransformer):
    for columns in (SENTENCES[:1],), (SENTENCES[:1], SENTENCES[1:2]):
        with pytest.raises(UserError, match=r"a batch of one sentence has no negatives.*--batch-size") as caught:
            InfoNCELoss(model)(columns_of(model, *columns))
        assert "\n" not in str(caught.value)
    triplet = columns_of(model, SENTENCES[:1], SENTENCES[1:2], SENTENCES[2:3])
    assert InfoNCELoss(model)(triplet).item() > 0


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"temperature": 0.0}, "temperature=0"),
        ({"temperature": math.nan}, "temperature=nan"),
        ({"hard_negative_weight": 0.0}, "hard_negative_weight=0.0"),
        ({"hard_negative_weight": math.inf}, "hard_negative_weight=inf"),
        ({"hard_negative_weight": math.nan}, "hard_negative_weight=nan"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], problem: str):
    with pytest.raises(UserError, match=problem):
        of_given(**settings)


def test_bfloat16_is_finite_and_near_float32(model: SentenceTransformer):
    features = columns_of(model, [*SENTENCES[:5], SENTENCES[0]], SENTENCES[6:])
    loss = InfoNCELoss(model, temperature=0.5, head=TanhHead(16), hard_negative_weight=2.0)
    exact = loss(copies(features))
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(copies(features))
    found.backward()
    assert all(p.grad.isfinite().all() for p in loss.parameters() if p.grad is not None)
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)  # eight bits of mantissa


def test_its_state_counts_on_after_a_restart(model: SentenceTransformer):
    loss, again = (InfoNCELoss(model, head=TanhHead(16)) for _ in range(2))
    loss.num_false_negatives += 5
    again.load_state_dict(loss.state_dict())
    assert again.counts() == {"num_false_negatives": 5}


def test_the_objective_falls_and_paraphrases_draw_nearer_than_strangers(model: SentenceTransformer):
    features = columns_of(model, SENTENCES[::2], SENTENCES[1::2])
    loss = InfoNCELoss(model, temperature=0.2)

    def margin() -> float:
        first, second = (model(dict(one))["sentence_embedding"].detach() for one in features)
        cosines = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T
        return float(cosines.diag().mean() - cosines.mean())

    before, start = loss(copies(features)).item(), margin()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(15):
        optimizer.zero_grad()
        loss(copies(features)).backward()
        optimizer.step()
    assert loss(copies(features)).item() < before
    assert margin() > start


def test_it_says_for_the_model_card_what_it_is(model: SentenceTransformer):
    settings = InfoNCELoss(model, head=TanhHead(16)).get_config_dict()
    assert settings["head"] == "TanhHead"
    assert settings["masked_weight"] == 0.0
    assert "gao-etal-2021-simcse" in InfoNCELoss(model).citation


# Several ranks -------------------------------------------------------------------------------------------------------

# Eight rows; anchors and positives are repeated within a rank and across both, in both directions.
RANKED = (
    [*SENTENCES[:3], SENTENCES[0], SENTENCES[4], SENTENCES[0], *SENTENCES[6:8]],
    [*SENTENCES[8:11], SENTENCES[6], *SENTENCES[3:4], SENTENCES[5], SENTENCES[8], SENTENCES[11]],
    [*SENTENCES[5:12], SENTENCES[0]],
)
SETTINGS: dict[str, Any] = {"temperature": 0.2, "symmetric": True, "hard_negative_weight": 0.5}


def value_gradients_and_count(folder: Path, rank: int, num_ranks: int) -> dict[str, Tensor]:
    """The loss of a rank's share of the rows, and its gradients as the ranks' optimizers see them."""
    torch.manual_seed(0)
    model, rows = opened(folder).eval(), slice(rank * 8 // num_ranks, (rank + 1) * 8 // num_ranks)
    head = TanhHead(16)
    loss = InfoNCELoss(model, head=head, **SETTINGS)
    if num_ranks > 1:
        model.requires_grad_(requires_grad=True)
        loss.model = DistributedDataParallel(model, find_unused_parameters=True)
    value = loss(columns_of(model, *(column[rows] for column in RANKED)))
    value.backward()
    parameters = {**dict(model.named_parameters()), **{f"head.{name}": one for name, one in head.named_parameters()}}
    found = {
        name: one.grad.clone() for name, one in parameters.items() if one.grad is not None and "pooler" not in name
    }
    if num_ranks > 1:
        for name in [name for name in found if name.startswith("head.")]:
            dist.all_reduce(found[name])  # the trainer averages what the loss owns; here it is done by hand
            found[name] /= num_ranks
    return {**found, "value": value.detach(), "count": loss.num_false_negatives.clone()}


def test_two_ranks_of_batch_four_are_one_process_of_batch_eight(bert: Path):
    first, second = on_two_ranks(partial(value_gradients_and_count, bert, num_ranks=2))
    expected = value_gradients_and_count(bert, 0, 1)
    torch.testing.assert_close((first.pop("value") + second.pop("value")) / 2, expected.pop("value"))
    assert first.pop("count") + second.pop("count") == expected.pop("count") > 0
    assert first.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(first[name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
        torch.testing.assert_close(first[name], second[name])


def test_parts_of_the_same_document_are_no_negatives_where_labels_number_the_documents():
    anchors, positives = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    loss = of_given(temperature=1.0, documents_as_labels=True)
    found = float(loss(given(anchors, positives), torch.tensor([5, 5, 6])))
    diagonal = math.sqrt(0.5)
    # Rows 0 and 1 are one document: each sees its own positive and that of row 2 only.
    expected = [
        -1.0 + math.log(math.exp(1) + math.exp(0)),
        0.0 + math.log(math.exp(0) + math.exp(1)),
        -diagonal + math.log(3 * math.exp(diagonal)),
    ]
    assert found == pytest.approx(sum(expected) / 3, abs=1e-6)
    assert loss.counts() == {"num_false_negatives": 2}


def test_labels_change_nothing_unless_they_are_said_to_number_documents():
    columns = given([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.5], [0.3, 1.0]])
    loss = of_given()
    assert float(loss(copies(columns), torch.tensor([1, 1]))) == float(loss(copies(columns), None))
