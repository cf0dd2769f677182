"""What every exported loss must keep, in one table: a loss that is not listed here fails the suite."""

import ast
import copy
import inspect
import json
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, StaticEmbedding
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent import losses
from selfsent.errors import UserError
from selfsent.losses.masked_language_modelling import MaskedLanguageModel
from selfsent.methods.bi_lstm import BiLstmConfig, new_model
from selfsent.modules import RecursiveEncoder, TextCNN, TreeEncoder

Settings = Mapping[str, Any]
Columns = list[dict[str, Any]]
TEACHER = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)
SMALL_QUEUE = {"queue_size": 32, "temperature": 0.2, "reference_temperature": 0.1}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A setting that is made for the model: a head, a masked language model."""

    of: Callable[[SentenceTransformer], Any]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A mistake and the error that answers it.

    Args:
        settings: What the loss is made with.
        match: What the error says.
        model: The model it is made for.
        columns: Columns of texts that are put in; ``None`` where the loss cannot even be made.
        labels: Labels that are put in.
    """

    match: str
    settings: Settings = field(default_factory=dict[str, Any])
    model: str | None = None
    columns: int | None = None
    num_rows: int = 6
    labels: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the contract must know of one loss.

    Args:
        model: The model it trains, by its name in ``prototypes``.
        variants: Settings that change what ``forward`` computes.
        refusals: Every error of the loss.
        settings: Settings of all variants.
        columns: Columns of texts.
        labels: Labels of six rows, where it takes some.
        moves: Beginnings of the names of state that a training step changes.
    """

    model: str
    variants: tuple[Settings, ...] = ({},)
    refusals: tuple[Refusal, ...]
    settings: Settings = field(default_factory=dict[str, Any])
    columns: int = 1
    labels: Tensor | None = None
    moves: tuple[str, ...] = ()


NO_TREE = Refusal(match=r"needs a tree model.*StaticEmbedding", model="static")
NO_DIVISOR = Refusal(settings={"temperature": 0.0}, match=r"temperature=0\.0")
NO_DECAY = Refusal(settings={"distance_decay": 1.0}, match=r"distance_decay.*1\.0")
NO_REPEATS = Refusal(settings={"repeats": "x"}, match=r"repeats.*'x'")
MASKING: Settings = {"masked_language_model": Made(of=MaskedLanguageModel)}
HEAD: Settings = {"head": Made(of=lambda _: nn.Linear(16, 16))}
TREE_CONTRASTS: tuple[Settings, ...] = (
    {},
    {"temperature": 0.05},
    {"repeats": "masked"},
    {"repeats": "positive", "distance_decay": 0.5},
)
NETWORK_OBJECTIVES: tuple[Settings, ...] = (
    {"objective": "contrastive"},
    {"objective": "cross-entropy", "tied": False},
    {"objective": "contrastive-cross-entropy"},
)

CASES: dict[str, Case] = {
    "ContrastiveReconstructionLoss": Case(
        model="tree",
        variants=({}, {"tied": False}, {"repeats": "positive", "distance_decay": 0.5}),
        refusals=(NO_TREE, NO_DIVISOR, NO_DECAY, NO_REPEATS),
    ),
    "CrossViewDistillationLoss": Case(
        model="bert",
        settings={"teacher_vectors": TEACHER, **SMALL_QUEUE},
        variants=({}, {"objective": "alone"}, {"share_queues": True}, {"reference": "ema"}),
        columns=2,
        labels=torch.arange(12).view(6, 2),
        moves=("distillation.queues", "cross_view.queues", "average"),
        refusals=(
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(settings={"teacher_vectors": TEACHER[:, :8]}, match="16 values and the teacher's 8.*bridge=auto"),
            Refusal(
                settings={"share_queues": True, "comparison": "contrastive"}, match="share_queues.*comparison=contrast"
            ),
            Refusal(columns=2, match="needs labels.*got none"),
            Refusal(columns=2, labels=torch.arange(6), match=r"needs labels.*shape \(6,\)"),
            Refusal(columns=2, labels=torch.arange(12).view(6, 2) + 1, match="not all rows of the 12 vectors"),
        ),
    ),
    "CrossViewLoss": Case(
        model="bert",
        settings=SMALL_QUEUE,
        variants=(
            {},
            {"head": "none"},
            {"reference": "ema"},
            {"reference": "online"},
            {"comparison": "contrastive"},
            {"queues": "none", "queue_size": 1},
        ),
        columns=2,
        moves=("comparison.queues", "average"),
        refusals=(
            Refusal(settings={"head": "x"}, match=r"head.*'x'"),
            Refusal(settings={"reference": "x"}, match=r"reference.*'x'"),
            Refusal(settings={"temperature": 0.0, "queues": "x"}, match=r"(?s)(?=.*queues.*'x').*temperature=0\.0"),
            Refusal(columns=3, num_rows=4, match="3 columns of texts"),
            Refusal(settings={"queue_size": 4}, columns=2, match="queue of 4 rows is smaller than the 6"),
        ),
    ),
    "EntangledReconstructionLoss": Case(
        model="diagonal tree",
        variants=({}, {"tied": True}),
        refusals=(NO_TREE, Refusal(settings={"decomposition_dropout": 1.0}, match=r"decomposition_dropout=1\.0")),
    ),
    "InfoNCELoss": Case(
        model="bert",
        variants=({}, {"symmetric": True, "margin": 0.3}, HEAD, MASKING),
        columns=2,
        moves=("num_false_negatives",),
        refusals=(
            NO_DIVISOR,
            Refusal(settings={"margin": 2.0}, match=r"margin=2\.0"),
            Refusal(settings={"hard_negative_weight": 0.0}, match=r"hard_negative_weight=0\.0"),
            Refusal(settings={"masked_weight": -1.0}, match=r"masked_weight=-1\.0"),
            Refusal(columns=2, num_rows=1, match="batch of one sentence.*--batch-size"),
        ),
    ),
    "MaskedLanguageModelingLoss": Case(
        model="bert",
        refusals=(
            Refusal(settings={"masked_share": 0.0}, match=r"0\.0.*above 0 and below 1"),
            Refusal(model="static", match="needs a transformer.*StaticEmbedding.*--base"),
            Refusal(model="bert without mask", match="no mask token"),
            Refusal(settings={"base": "no/such-model"}, match="no masked LM for no/such-model"),
        ),
    ),
    "NodeContrastiveLoss": Case(
        model="tree", variants=TREE_CONTRASTS, refusals=(NO_TREE, NO_DIVISOR, NO_DECAY, NO_REPEATS)
    ),
    "ReconstructionLoss": Case(model="tree", variants=({}, {"tied": False}), refusals=(NO_TREE,)),
    "RecursiveNetworkLoss": Case(
        model="tree-lstm",
        variants=NETWORK_OBJECTIVES,
        refusals=(
            NO_DIVISOR,
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(model="static", match="recursive network.*StaticEmbedding"),
        ),
    ),
    "SequenceReconstructionLoss": Case(
        model="bi-lstm",
        variants=({}, {"tied": False}),
        refusals=(
            Refusal(model="static", match="token embeddings.*StaticEmbedding"),
            Refusal(model="bi-lstm of another width", match="must be equal"),
        ),
    ),
    "TeacherMatchingLoss": Case(
        model="bert",
        settings={"teacher_vectors": TEACHER},
        variants=({}, {"objective": "cosine"}, {"projection": TEACHER.T @ TEACHER}),
        columns=2,
        labels=torch.tensor([3, 1, 4, 1, 5, 9]),
        refusals=(
            Refusal(settings={"objective": "x"}, match=r"objective.*'x'"),
            Refusal(settings={"teacher_vectors": TEACHER[:, :8]}, match="16 values and the teacher's 8.*bridge=auto"),
            Refusal(columns=2, match="needs labels.*got none"),
            Refusal(columns=2, labels=torch.tensor([0, 1, 2, 3, 4, 12]), match="labels from 0 to 12.*12 vectors"),
        ),
    ),
    "TokenReconstructionLoss": Case(
        model="bert and cnn",
        variants=({}, {"detach_target": True, "reduction": "mean"}, {"components": False, "beta": 0.0}),
        moves=("contrast.num_false_negatives",),
        refusals=(
            Refusal(settings={"beta": -1.0, "reduction": "x"}, match=r"beta=-1\.0 .*reduction.*x"),
            Refusal(model="bert that cuts no text", match="max_seq_length is .*; set it"),
            Refusal(model="bert of another width", match="width 16 cannot be rebuilt from embeddings of width 8"),
            Refusal(model="static", match="first module here is StaticEmbedding"),
        ),
    ),
    "TranslationRankingLoss": Case(
        model="bert",
        variants=({}, {"mini_batch_size": 4}, {"mlm_weight": 1.0, "tlm_weight": 1.0}),
        columns=2,
        moves=("ranking.num_false_negatives", "ranking.contrast.num_false_negatives"),
        refusals=(
            Refusal(settings={"mini_batch_size": 0}, match="mini_batch_size=0"),
            Refusal(settings={"ranking_weight": 0.0}, match="leave nothing to learn from"),
            Refusal(model="static", settings={"mini_batch_size": 4}, columns=2, match="StaticEmbedding has none"),
        ),
    ),
}
NOT_RAISED_HERE = {
    "masked_language_modelling.py": 1,  # a head of several modules: none of the installed transformers has one
    "part_contrast.py": 3,  # a table learner, not a loss of the host; tests/losses/test_part_contrast.py
}
"""How many ``raise UserError`` of a file no refusal of the table reaches, and why."""


def _shown(settings: Settings) -> str:
    return ", ".join(f"{k}={v if isinstance(v, str | int | float) else '...'}" for k, v in settings.items())


VARIANTS = [
    pytest.param(name, one, id=f"{name}({_shown(one)})") for name, case in CASES.items() for one in case.variants
]
EVERY_VARIANT = pytest.mark.parametrize(("name", "variant"), VARIANTS)
WITHOUT_MASKS = pytest.mark.parametrize(
    ("name", "variant"),
    [one for one in VARIANTS if not any(word in str(one.id) for word in ("MaskedLanguage", "masked_language", "mlm"))],
)
"""Another shape or order of a batch is another draw of its masks, so those losses give another value."""

EVERY_REFUSAL = pytest.mark.parametrize(
    ("name", "refusal"),
    [pytest.param(name, one, id=f"{name}-{one.match}") for name, case in CASES.items() for one in case.refusals],
)


def _width_8(body: nn.Module) -> SentenceTransformer:
    return SentenceTransformer(modules=[body, Pooling(16), Dense(16, 8)], device="cpu")


@pytest.fixture(scope="module")
def prototypes(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast
) -> dict[str, Callable[[], SentenceTransformer]]:
    """A maker of each model of the table; each call gives weights of its own, always the same."""
    folder = write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)
    bert = open_bert(folder)

    def of(*modules: nn.Module) -> SentenceTransformer:
        return SentenceTransformer(modules=list(modules), device="cpu")

    torch.manual_seed(0)
    tree: dict[str, Any] = {"tokenizer": tiny_tokenizer, "channels": 4}
    lstm = new_model(BiLstmConfig(dimension=8, init_range=1.0), tiny_tokenizer, device="cpu")
    endless = copy.deepcopy(bert)
    endless.max_seq_length = int(1e30)
    maskless = copy.deepcopy(bert)
    maskless.tokenizer.mask_token = None
    models = {
        "bert": of(bert, Pooling(16)),
        "bert and cnn": of(copy.deepcopy(bert), TextCNN(embedding_dimension=16, channels=6, kernel_sizes=[2, 3])),
        "bert that cuts no text": of(endless, Pooling(16)),
        "bert of another width": _width_8(copy.deepcopy(bert)),
        "bert without mask": of(maskless, Pooling(16)),
        "bi-lstm": lstm,
        "bi-lstm of another width": of(lstm[0], type(lstm[1])(8, 8), type(lstm[2])(16)),
        "diagonal tree": of(TreeEncoder(**tree, channel_size=2, cell="diagonal")),
        "static": of(StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=16)),
        "tree": of(TreeEncoder(**tree, channel_size=4)),
        "tree-lstm": of(RecursiveEncoder(tokenizer=tiny_tokenizer, network="tree-lstm", dimension=6, init_range=1.0)),
    }
    return {name: lambda model=model: copy.deepcopy(model) for name, model in models.items()}


Prototypes = dict[str, Callable[[], SentenceTransformer]]


def make(name: str, variant: Settings, model: SentenceTransformer, *, seed: int = 3) -> nn.Module:
    """Make a loss as the table says."""
    settings = {**CASES[name].settings, **variant}
    torch.manual_seed(seed)
    made = {key: value.of(model) if isinstance(value, Made) else value for key, value in settings.items()}
    return getattr(losses, name)(model, **made)


def make_unchecked(name: str, settings: Settings, model: SentenceTransformer) -> nn.Module:
    """Make a loss as a user does, whose types nobody checks as these tests do."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        return make(name, settings, model)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def texts_in_columns(num_columns: int, num_rows: int | None = None) -> list[list[str]]:
    """Twelve texts of different lengths, cut into columns; a single column has one of a word and one of nothing."""
    texts = [*SENTENCES[:10], "a", ""] if num_columns == 1 else SENTENCES
    size = num_rows or len(texts) // num_columns
    return [texts[start * size : start * size + size] for start in range(num_columns)]


def features(name: str, model: SentenceTransformer) -> Columns:
    return [dict(model.preprocess(column)) for column in texts_in_columns(CASES[name].columns)]


def value(loss: nn.Module, columns: Columns, labels: Tensor | None) -> Tensor:
    """The sum of the terms; masks are drawn alike in every call."""
    torch.manual_seed(7)
    found = loss([dict(column) for column in columns], labels)
    return torch.stack(list(found.values())).sum() if isinstance(found, dict) else found


def state_of(loss: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in loss.state_dict().items()}


def changed(loss: nn.Module, before: dict[str, Tensor]) -> list[str]:
    return [name for name, tensor in loss.state_dict().items() if not torch.equal(tensor, before[name])]


def test_every_exported_loss_is_in_the_table() -> None:
    assert sorted(CASES) == sorted(name for name in losses.__all__ if inspect.isclass(getattr(losses, name)))


@EVERY_VARIANT
def test_gradients_reach_all_that_learns_and_nothing_else(name: str, variant: Settings, prototypes: Prototypes) -> None:
    teacher, case = TEACHER.copy(), CASES[name]
    loss = make(name, variant, prototypes[case.model]()).train()
    value(loss, features(name, loss.model), case.labels).backward()
    for weight, parameter in loss.named_parameters():
        if parameter.requires_grad and ".pooler." not in weight:  # of BERT, no part of the embedding
            assert parameter.grad is not None, weight
            assert parameter.grad.isfinite().all(), weight
            assert parameter.grad.abs().sum() > 0, weight
        else:
            assert parameter.grad is None, weight
    assert all(tensor.grad is None and not tensor.requires_grad for _, tensor in loss.named_buffers())
    assert np.array_equal(TEACHER, teacher)


@EVERY_VARIANT
def test_a_step_changes_only_the_state_it_names_and_an_evaluation_none(
    name: str, variant: Settings, prototypes: Prototypes
) -> None:
    case = CASES[name]
    loss = make(name, variant, prototypes[case.model]()).train()
    columns, before = features(name, loss.model), state_of(loss)
    given = copy.deepcopy(columns)
    with torch.no_grad():
        loss(columns, case.labels)
    assert changed(loss, before) == []
    for one, earlier in zip(columns, given, strict=True):
        assert set(one) == set(earlier)
        assert all(torch.equal(one[key], entry) for key, entry in earlier.items() if isinstance(entry, Tensor))
    value(loss, columns, case.labels).backward()
    assert [key for key in changed(loss, before) if not key.startswith(case.moves or "-")] == []


@WITHOUT_MASKS
def test_extra_padding_changes_nothing(name: str, variant: Settings, prototypes: Prototypes) -> None:
    if CASES[name].model == "bi-lstm":
        pytest.skip("the host's Pooling misreads a mask wider than its LSTM's states; TokenEmbeddings never gives one")

    def wider(column: dict[str, Any]) -> dict[str, Any]:
        return {key: functional.pad(entry, (0, 5)) if _is_rows(entry) else entry for key, entry in column.items()}

    assert_same_value(name, variant, prototypes, wider, CASES[name].labels)


@WITHOUT_MASKS
def test_the_order_of_a_batch_changes_nothing(name: str, variant: Settings, prototypes: Prototypes) -> None:
    labels, order = CASES[name].labels, torch.randperm(12 // CASES[name].columns, generator=torch.manual_seed(0))

    def shuffled(column: dict[str, Any]) -> dict[str, Any]:
        return {key: entry[order] if isinstance(entry, Tensor) else entry for key, entry in column.items()}

    assert_same_value(name, variant, prototypes, shuffled, None if labels is None else labels[order])


def assert_same_value(
    name: str,
    variant: Settings,
    prototypes: Prototypes,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    labels: Tensor | None,
) -> None:
    """Compare the values of equal losses, one of a batch and one of the changed batch."""
    one, other = (make(name, variant, prototypes[CASES[name].model]()).eval() for _ in range(2))
    columns = features(name, one.model)
    found = value(other, [change(column) for column in columns], labels)
    torch.testing.assert_close(found, value(one, columns, CASES[name].labels), atol=1e-5, rtol=1e-5)


def _is_rows(entry: Any) -> bool:
    return isinstance(entry, Tensor) and entry.ndim == 2


@EVERY_VARIANT
def test_bfloat16_is_finite_and_near_float32(name: str, variant: Settings, prototypes: Prototypes) -> None:
    one, other = (make(name, variant, prototypes[CASES[name].model]()).eval() for _ in range(2))
    columns, labels = features(name, one.model), CASES[name].labels
    with torch.autocast("cpu", torch.bfloat16):
        found = value(other, columns, labels)
    found.backward()
    assert all(weight.grad.isfinite().all() for weight in other.parameters() if weight.grad is not None)
    # Eight bits of mantissa: half a per cent a rounding; near ties may build another tree.
    torch.testing.assert_close(found.float(), value(one, columns, labels), atol=0.05, rtol=0.1)


@EVERY_VARIANT
def test_its_state_makes_the_same_loss(name: str, variant: Settings, prototypes: Prototypes) -> None:
    case = CASES[name]
    one, other = (make(name, variant, prototypes[case.model](), seed=seed).eval() for seed in (3, 4))
    columns = features(name, one.model)
    for parameter in other.parameters():
        nn.init.uniform_(parameter)
    with torch.no_grad():
        assert not torch.equal(value(one, columns, case.labels), value(other, columns, case.labels))
        other.load_state_dict(one.state_dict())
        assert torch.equal(value(one, columns, case.labels), value(other, columns, case.labels))


@pytest.mark.parametrize("name", CASES)
def test_it_says_for_the_model_card_what_it_is(name: str, prototypes: Prototypes) -> None:
    loss: Any = make(name, {}, prototypes[CASES[name].model]())
    assert json.loads(json.dumps(loss.get_config_dict())) == loss.get_config_dict()
    assert hasattr(loss, "citation") or name == "MaskedLanguageModelingLoss"  # no paper of its own
    assert getattr(loss, "citation", "@").strip().startswith("@")


def refuse(name: str, refusal: Refusal, prototypes: Prototypes) -> traceback.FrameSummary:
    """Make the mistake; give the place of the error."""
    model = prototypes[refusal.model or CASES[name].model]()

    def make_and_run() -> None:
        loss = make_unchecked(name, refusal.settings, model)
        texts = texts_in_columns(refusal.columns or 0, refusal.num_rows)
        loss([dict(model.preprocess(column)) for column in texts], refusal.labels)

    with pytest.raises(UserError, match=refusal.match) as caught:
        make_and_run()
    assert "\n" not in str(caught.value)
    return traceback.extract_tb(caught.value.__traceback__)[-1]


@EVERY_REFUSAL
def test_a_mistake_is_answered_in_one_line(name: str, refusal: Refusal, prototypes: Prototypes) -> None:
    refuse(name, refusal, prototypes)


def test_every_error_of_the_losses_is_in_the_table(prototypes: Prototypes) -> None:
    folder = Path(losses.__file__).parent
    written = {
        (path.name, node.lineno)
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf8")))
        if isinstance(node, ast.Raise) and "UserError" in ast.unparse(node)
    }
    places = [refuse(name, one, prototypes) for name, case in CASES.items() for one in case.refusals]
    raised = {(Path(place.filename).name, place.lineno or 0) for place in places}
    assert Counter(file for file, _ in written - raised) == NOT_RAISED_HERE
