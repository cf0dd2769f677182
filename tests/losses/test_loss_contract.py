"""What every exported loss must keep, in one table: a loss that is not listed here fails the suite."""

import ast
import copy
import functools
import inspect
import json
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, StaticEmbedding
from tests.conftest import SENTENCES
from tests.losses.loss_cases import CASES, TEACHER, Made, Refusal, Settings
from tests.modules.transformer_models import open_bert, write_bert
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from selfsent import losses
from selfsent.errors import UserError
from selfsent.methods.bi_lstm import BiLstmConfig, new_model
from selfsent.modules import RecursiveEncoder, TextCNN, TreeEncoder

pytestmark = pytest.mark.usefixtures("one_thread")
Columns = list[dict[str, Any]]
NOT_RAISED_HERE = {
    "masked_language_modelling.py": 2,  # a head of several modules: no installed transformer; one segment: its own test
    "part_contrast.py": 3,  # a table learner, not a loss of the host; tests/losses/test_part_contrast.py
}
"""How many ``raise UserError`` of a file no refusal of the table reaches, and why."""


def _name_of(loss: str, settings: Settings) -> str:
    shown = (f"{k}={v if isinstance(v, str | int | float) else '...'}" for k, v in settings.items())
    return f"{loss}({', '.join(shown)})"


VARIANTS = [pytest.param(name, one, id=_name_of(name, one)) for name, case in CASES.items() for one in case.variants]
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
    folder = write_bert(tmp_path_factory.mktemp("bert"), SENTENCES, num_layers=1)
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
    return {name: lambda model=model: _copy(model) for name, model in models.items()}


def _copy(model: SentenceTransformer) -> SentenceTransformer:
    """Copy a model but its tokenizer, which nobody changes and which takes longer to copy than all the weights."""
    return copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})


Prototypes = dict[str, Callable[[], SentenceTransformer]]
PlainValue = Callable[[str, Settings], Tensor]
Refuse = Callable[[str, Refusal], traceback.FrameSummary]


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
def test_extra_padding_changes_nothing(
    name: str, variant: Settings, prototypes: Prototypes, plain_value: PlainValue
) -> None:
    if CASES[name].model == "bi-lstm":
        pytest.skip("the host's Pooling misreads a mask wider than its LSTM's states; TokenEmbeddings never gives one")

    def wider(column: dict[str, Any]) -> dict[str, Any]:
        return {key: functional.pad(entry, (0, 5)) if _is_rows(entry) else entry for key, entry in column.items()}

    labels, expected = CASES[name].labels, plain_value(name, variant)
    assert_same_value(name, variant, prototypes, change=wider, labels=labels, expected=expected)


@WITHOUT_MASKS
def test_the_order_of_a_batch_changes_nothing(
    name: str, variant: Settings, prototypes: Prototypes, plain_value: PlainValue
) -> None:
    labels, order = CASES[name].labels, torch.randperm(12 // CASES[name].columns, generator=torch.manual_seed(0))

    def shuffled(column: dict[str, Any]) -> dict[str, Any]:
        return {key: entry[order] if isinstance(entry, Tensor) else entry for key, entry in column.items()}

    labels, expected = None if labels is None else labels[order], plain_value(name, variant)
    assert_same_value(name, variant, prototypes, change=shuffled, labels=labels, expected=expected)


@pytest.fixture(scope="module")
def plain_value(prototypes: Prototypes) -> PlainValue:
    """The value of a new loss for its batch as it is, computed once for all that compare with it."""

    @functools.cache
    def computed(variant: str) -> Tensor:
        name, settings = next(one.values for one in VARIANTS if one.id == variant)
        loss = make(name, settings, prototypes[CASES[name].model]()).eval()
        return value(loss, features(name, loss.model), CASES[name].labels).detach()

    return lambda name, settings: computed(_name_of(name, settings))


def assert_same_value(
    name: str,
    variant: Settings,
    prototypes: Prototypes,
    *,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    labels: Tensor | None,
    expected: Tensor,
) -> None:
    """Compare the values of equal losses, one of a batch and one of the changed batch."""
    loss = make(name, variant, prototypes[CASES[name].model]()).eval()
    found = value(loss, [change(column) for column in features(name, loss.model)], labels)
    torch.testing.assert_close(found.detach(), expected, atol=1e-5, rtol=1e-5)


def _is_rows(entry: Any) -> bool:
    return isinstance(entry, Tensor) and entry.ndim == 2


@EVERY_VARIANT
def test_bfloat16_is_finite_and_near_float32(
    name: str, variant: Settings, prototypes: Prototypes, plain_value: PlainValue
) -> None:
    loss = make(name, variant, prototypes[CASES[name].model]()).eval()
    with torch.autocast("cpu", torch.bfloat16):
        found = value(loss, features(name, loss.model), CASES[name].labels)
    found.backward()
    assert all(weight.grad.isfinite().all() for weight in loss.parameters() if weight.grad is not None)
    # Eight bits of mantissa: half a per cent a rounding; near ties may build another tree.
    torch.testing.assert_close(found.detach().float(), plain_value(name, variant), atol=0.05, rtol=0.1)


@EVERY_VARIANT
def test_its_state_makes_the_same_loss(name: str, variant: Settings, prototypes: Prototypes) -> None:
    case = CASES[name]
    one, other = (make(name, variant, prototypes[case.model](), seed=seed).eval() for seed in (3, 4))
    columns = features(name, one.model)
    for parameter in other.parameters():
        nn.init.uniform_(parameter)
    with torch.no_grad():
        given = value(one, columns, case.labels)
        assert not torch.equal(given, value(other, columns, case.labels))
        other.load_state_dict(one.state_dict())
        assert torch.equal(given, value(other, columns, case.labels))


@pytest.mark.parametrize("name", CASES)
def test_it_says_for_the_model_card_what_it_is(name: str, prototypes: Prototypes) -> None:
    loss: Any = make(name, {}, prototypes[CASES[name].model]())
    assert json.loads(json.dumps(loss.get_config_dict())) == loss.get_config_dict()
    assert hasattr(loss, "citation") or name == "MaskedLanguageModelingLoss"  # no paper of its own
    assert getattr(loss, "citation", "@").strip().startswith("@")


@pytest.fixture(scope="module")
def refuse(prototypes: Prototypes) -> Refuse:
    """Makes a mistake, the first time it is asked to; gives the place of the error."""
    places: dict[tuple[str, int], traceback.FrameSummary] = {}

    def known(name: str, refusal: Refusal) -> traceback.FrameSummary:
        key = name, id(refusal)
        if key not in places:
            places[key] = mistaken(name, refusal, prototypes)
        return places[key]

    return known


def mistaken(name: str, refusal: Refusal, prototypes: Prototypes) -> traceback.FrameSummary:
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
def test_a_mistake_is_answered_in_one_line(name: str, refusal: Refusal, refuse: Refuse) -> None:
    refuse(name, refusal)


def test_every_error_of_the_losses_is_in_the_table(refuse: Refuse) -> None:
    folder = Path(losses.__file__).parent
    written = {
        (path.name, node.lineno)
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf8")))
        if isinstance(node, ast.Raise) and "UserError" in ast.unparse(node)
    }
    places = [refuse(name, one) for name, case in CASES.items() for one in case.refusals]
    raised = {(Path(place.filename).name, place.lineno or 0) for place in places}
    assert Counter(file for file, _ in written - raised) == NOT_RAISED_HERE
