"""The snippet in the docstring of every exported loss, run as it stands in the host's trainer.

The models that a snippet names are folders of the working directory here, small and random, with those names.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.losses.loss_cases import CASES
from tests.modules.transformer_models import open_bert, write_bert

from selfsent import losses

pytestmark = pytest.mark.usefixtures("one_thread")
FENCED = re.compile(r"^Example:\n    ```python\n(.*?)^    ```$", re.MULTILINE | re.DOTALL)
TRAINING = "trainer.train()\n"


def snippets_of(name: str) -> list[str]:
    """The fenced blocks below ``Example:`` in the docstring of a loss."""
    found = FENCED.findall(inspect.getdoc(getattr(losses, name)) or "")
    return [inspect.cleandoc(block) + "\n" for block in found]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every model that a snippet names."""
    folder = tmp_path_factory.mktemp("models")
    for base in ("bert-base-uncased", "xlm-roberta-base"):
        write_bert(folder / base, SENTENCES, num_layers=1)
    teacher = SentenceTransformer(modules=[open_bert(folder / "bert-base-uncased"), Pooling(16)], device="cpu")
    teacher.save_pretrained(str(folder / "sentence-transformers" / "all-mpnet-base-v2"))
    return folder


@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_shows_one_snippet_and_ends_it_by_training(name: str) -> None:
    (snippet,) = snippets_of(name)
    assert snippet.endswith(TRAINING)
    assert f"from selfsent.losses import {name}\n" in snippet


@pytest.mark.parametrize("name", losses.__all__)
def test_its_snippet_trains_the_model_and_the_loss(name: str, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models)
    (snippet,) = snippets_of(name)
    given: dict[str, Any] = {}
    exec(snippet.removesuffix(TRAINING), given)
    learned = {
        key: (weight, weight.detach().clone())
        for key, weight in given["loss"].named_parameters()
        if weight.requires_grad and ".pooler." not in key  # of BERT, no part of the embedding
    }
    exec(TRAINING, given)
    assert [key for key, (weight, before) in learned.items() if torch.equal(weight, before)] == []
    assert all(weight.isfinite().all() for weight, _ in learned.values())


@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_with_a_state_of_its_own_names_the_trainer_that_keeps_it(name: str) -> None:
    documentation = inspect.getdoc(getattr(losses, name)) or ""
    assert ("ExactTrainer" in documentation) == (name != "TeacherMatchingLoss")  # its vectors are a file


def test_the_snippets_are_those_of_the_losses_that_are_held_to_the_contract() -> None:
    assert sorted(losses.__all__) == sorted(CASES)
