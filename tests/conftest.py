"""What every test may use: executed shape annotations, a tiny tokenizer and model, the shared data where it is set.

The process that hands tests to the workers reads this file too, so what takes seconds to import is imported where it is
used.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # As many workers as cores: a second thread in each would only wait for the first.
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")

from jaxtyping import install_import_hook

# Not all of the views: beartype draws from Python's random numbers, as they do. Not the compiled loops of trees/ and
# kernels/: numba cannot compile a call of a checked function.
_COMPILED_TREES = {"__init__", "depth_merges", "heights", "pair_numbers"}
_TREES = Path(__file__).parents[1] / "src" / "selfsent" / "trees"
install_import_hook(
    [
        "selfsent.drawing",
        "selfsent.losses",
        "selfsent.modules",
        *(f"selfsent.parsing.{name}" for name in ("brackets", "dependencies", "given_trees", "parsed_text")),
        *(f"selfsent.trees.{path.stem}" for path in _TREES.glob("*.py") if path.stem not in _COMPILED_TREES),
        "selfsent.views.masked_lm",
    ],
    "beartype.beartype",
)

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerFast

# A test that is slow on a busy machine has not failed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SENTENCES = [
    "A man is playing a guitar on the stage.",
    "Someone plays the guitar in front of people.",
    "The cat sleeps on the warm roof.",
    "A cat is sleeping on a roof in the sun.",
    "Rain fell over the northern hills all night.",
    "It rained in the hills until the morning.",
    "The committee approved the new budget today.",
    "Members of the committee voted for the budget.",
    "Two dogs run along the beach.",
    "Dogs are running by the sea.",
    "The engine failed shortly after take-off.",
    "Shortly after it left the ground, the motor stopped.",
]


@pytest.fixture
def sentences() -> list[str]:
    """A dozen sentences: neighbours at even and odd positions paraphrase each other."""
    return list(SENTENCES)


@pytest.fixture
def notes(tmp_path: Path, sentences: list[str]) -> Path:
    """A file of texts: each of `sentences` three times, numbered."""
    path = tmp_path / "notes.txt"
    path.write_text("\n".join(f"{text} {number}" for number in range(3) for text in sentences), encoding="utf8")
    return path


@pytest.fixture(scope="session")
def tiny_tokenizer() -> "PreTrainedTokenizerFast":
    """A real BPE tokenizer of about 200 pieces, trained on the sentences above."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=200, special_tokens=["[PAD]", "[UNK]"], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture
def tiny_static_model(tiny_tokenizer: "PreTrainedTokenizerFast") -> "SentenceTransformer":
    """A real SentenceTransformer of 16 dimensions that encodes in microseconds: random static embeddings, averaged."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(0)
    return SentenceTransformer(
        modules=[StaticEmbedding(tiny_tokenizer.backend_tokenizer, embedding_dim=16)], device="cpu"
    )


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: where tensors are tiny, waiting for a second one takes most of the time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _shared(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The shared evaluation data; the test is skipped where SELFSENT_DATA is not set."""
    return _shared("SELFSENT_DATA")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The shared pretrained models; the test is skipped where SELFSENT_MODELS is not set."""
    return _shared("SELFSENT_MODELS")


_MOST_COLLECTED = 50_000
"""Objects that a collection of garbage may have to look at; a training ends in one, longer than its few steps."""


def pytest_collection_finish() -> None:
    """Exempt all that was imported from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Exempt what the tests of a file have imported as well, where it is much."""
    yield
    if len(gc.get_objects()) > _MOST_COLLECTED:
        pytest_collection_finish()
