"""Document contrast: a table of token vectors learned from nothing but which sentences stand in the same document.

No paper: the objective is the Inverse Cloze Task (Lee et al. 2019) without a network, from a start by latent semantic
analysis (Deerwester et al. 1990), with tokens weighed by their idf, or as Arora, Liang and Ma (2017) do.

====================================================  ==========================  ===================================
what                                                  object                      file
====================================================  ==========================  ===================================
parts of a document against the rest, both ways       ``part_contrast``           ``losses/part_contrast.py``
batches of token ids                                  ``PartBatches``             ``losses/part_contrast.py``
words of one stem share a row                         ``stem_rows``               ``data/stem_rows.py``
start: topics of whole documents                      ``semantics_of_counts``     ``counts/latent_semantics.py``
Adam on the rows a batch touches                      ``SparseAdam``              ``kernels/bags_of_rows.py``
training, epoch by epoch                              ``TableLearner``            ``training/table_learner.py``
====================================================  ==========================  ===================================

The same objective runs in the host's trainer on any base as ``simcse`` with ``view=document``; over a table alone that
takes many times as long, since it makes a dense gradient and a dense optimizer step of the whole table.

``--base static`` (default) gives one of the host's ``StaticEmbedding``; ``--base tree`` a tree encoder over the same
table, whose cell starts at the sum of the children: equal vectors, and a structure to look at.
"""

import copy
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from datasets import Dataset
from jaxtyping import Float
from safetensors.numpy import save_file
from scipy.sparse import csr_array
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import PreTrainedTokenizerBase

from selfsent.counts.latent_semantics import semantics_of_counts
from selfsent.counts.streamed_svd import sum_over
from selfsent.data.arrow_file import materialise
from selfsent.data.stem_rows import stem_rows
from selfsent.data.tokenizer import TokenizerOptions, open_or_train
from selfsent.documents.document import Document
from selfsent.documents.stretches import Stretch, stretches, windows
from selfsent.documents.token_corpus import TokenCorpus, write_token_corpus
from selfsent.documents.training_rows import is_mostly_single
from selfsent.errors import UserError
from selfsent.losses.part_contrast import PartBatches
from selfsent.methods.method import Method
from selfsent.modules import TreeEncoder
from selfsent.options import option
from selfsent.training.fitting import Fitting
from selfsent.training.library_fit import LibraryFit
from selfsent.training.run import Ingredients, Run, RunData
from selfsent.training.table_learner import LearnerSettings, TableLearner
from selfsent.views.document_views import SENTENCE_END
from selfsent.words import Analyser

TokenWeights = Literal["idf", "frequency"]

_BASES = ("static", "tree")
START_FILE = "tokens.safetensors"
"""In the checkpoint of step 0: the table by tokens before anything was learned."""

_STRETCH_COLUMNS = ("title", "sentences", "document")
_STRETCHES_AT_ONCE = 1000
_PATIENCE = 3  # epochs without a better measure, after which training stops
_TOLERANCE = 0.005  # half a point of nDCG less is chance, and learning longer does no harm then
_MOST_COUNTED = 200_000  # stretches that the start is counted over; more of a corpus say no more about topics


@dataclass(frozen=True, kw_only=True)
class DocumentContrastConfig(TokenizerOptions):
    """Options of ``document-contrast``; all were chosen without labels (docs/experiments.md).

    Args:
        width: Values of an embedding.
        parts: What stands against the rest of a document, one drawn for each batch: ``first`` sentence, a ``random``
            part, the ``lead`` (title or first sentence), ``crops``; several with commas between them. ``none`` learns
            nothing beyond the start.
        temperature: Divides cosines.
        token_dropout: Share of tokens left out of a text, drawn anew for each batch.
        token_weights: What a token weighs in a text: ``idf``, the logarithm of how few passages hold it; or by
            ``frequency``, ``a / (a + p)`` for a token of share p of the corpus.
        frequency_weight: a.
        stems: Whether words of one stem share a vector.
        language: Two-letter code of the corpus' language, for stems; ``none`` finds it out.
        topics: Whether the table starts at topics of the documents; else at random.
    """

    width: int = option(256, at_least=1)
    parts: str = "first,random"
    temperature: float = option(0.1, above=0)
    token_dropout: float = option(0.2, at_least=0, below=1)
    token_weights: TokenWeights = "idf"  # noqa: S105 no secret
    frequency_weight: float = option(1e-3, above=0)
    stems: bool = True
    language: str | None = None
    topics: bool = True


def training(config: DocumentContrastConfig) -> dict[str, Any]:  # noqa: ARG001 every method takes its configuration
    """The training arguments it follows."""
    return {"num_train_epochs": 8, "per_device_train_batch_size": 256, "learning_rate": 3e-3}


def build(run: Run[DocumentContrastConfig], data: RunData) -> Ingredients:
    """Train or open the tokenizer, write token ids to disk, and start the table at the topics of the documents.

    Raises:
        UserError: An option is out of range, the base is neither ``static`` nor ``tree``, or no document has two parts.
    """
    config = run.config
    base = run.base or "static"
    if base not in _BASES:
        raise UserError(f"--base must be {' or '.join(_BASES)} for document-contrast, got {base}")
    assert data.documents is not None, "the method reads documents"  # noqa: S101 our own invariant
    found = _Stretches(data.documents, run.corpus_folder / "stretches.arrow")
    tokenizer = open_or_train(config, found.texts())
    backend: Any = tokenizer.backend_tokenizer  # pyright: ignore[reportAttributeAccessIssue] checked by load_tokenizer
    corpus = write_token_corpus(found, backend, run.corpus_folder / "tokens")
    analyser = Analyser(config.language)
    if config.stems and config.language is None:
        analyser = Analyser.of_corpus(found.texts())
    rows_of = stem_rows(backend, analyser if config.stems else Analyser())
    fit = _Fit(config, corpus, rows_of, seed=run.seed)
    model = _model(base, tokenizer, fit.token_table(), run.device)
    fit.attach(model)
    notes = [
        f"{len(corpus):,} passages of documents, {len(corpus.tokens):,} tokens"
        + (", single sentences cut into windows" if found.are_windows else ""),
        f"vocabulary of {len(rows_of):,} pieces, {int(rows_of.max()) + 1:,} rows"
        + (f" (words of one stem share a row; language {analyser.language})" if analyser.language else ""),
    ]
    dataset = Dataset.from_dict({"stretch": np.arange(len(corpus))})
    return Ingredients(model=model, loss=fit, dataset=dataset, notes=notes)


class _Stretches:
    """The stretches of documents, cut once and kept on disk; single sentences in windows where most are such.

    Args:
        documents: Read once.
        path: The file to keep them in.
    """

    def __init__(self, documents: Iterable[Document], path: Path) -> None:
        self._num_single = self._num_stretches = 0
        self._rows = materialise(self._counted(documents), path)
        self.are_windows = is_mostly_single(self._num_single, self._num_stretches)

    def _counted(self, documents: Iterable[Document]) -> Iterator[dict[str, str | int]]:
        for stretch in stretches(documents):
            self._num_stretches += 1
            self._num_single += len(stretch.parts) == 1
            sentences = SENTENCE_END.join(stretch.sentences)
            yield {"title": stretch.title, "sentences": sentences, "document": stretch.document}

    def __iter__(self) -> Iterator[Stretch]:
        for batch in self._rows.iter(batch_size=_STRETCHES_AT_ONCE):
            columns = cast("dict[str, list[Any]]", batch)
            for title, text, document in zip(*(columns[name] for name in _STRETCH_COLUMNS), strict=True):
                sentences = tuple(text.split(SENTENCE_END)) if text else ()
                stretch = Stretch(document=document, title=title, sentences=sentences)
                yield windows(stretch) if self.are_windows else stretch

    def texts(self) -> Iterator[str]:
        """Yield title and sentences of each stretch as one text."""
        return (" ".join(stretch.parts) for stretch in self)


def _model(
    base: str, tokenizer: PreTrainedTokenizerBase, table: Float[np.ndarray, "V D"], device: str | None
) -> SentenceTransformer:
    if base == "static":
        backend: Any = tokenizer.backend_tokenizer  # pyright: ignore[reportAttributeAccessIssue] a compiled one
        module: Any = StaticEmbedding(backend, embedding_weights=table.copy())
    else:
        module = TreeEncoder(tokenizer=tokenizer, channels=table.shape[1], channel_size=1, composition_init="sum")
    return SentenceTransformer(modules=[module], device=device)


class _Fit(LibraryFit):
    """Learns the table, and writes it into the model."""

    arguments = frozenset({"num_train_epochs", "learning_rate", "per_device_train_batch_size", "best"})

    def __init__(self, config: DocumentContrastConfig, corpus: TokenCorpus, rows_of: Any, *, seed: int) -> None:
        super().__init__()
        self.config, self.corpus, self.rows_of, self.seed = config, corpus, rows_of, seed
        num_rows = int(rows_of.max()) + 1
        self.row_weights = _row_weights(corpus.counts(rows_of), num_rows, config)
        self.table = self._start(num_rows)
        self.batches = None if config.parts == "none" else self._batches()

    def _batches(self) -> PartBatches:
        return PartBatches(
            self.corpus,
            rows_of=self.rows_of,
            row_weights=self.row_weights,
            parts=[part.strip() for part in self.config.parts.split(",")],
            token_dropout=self.config.token_dropout,
            seed=self.seed,
        )

    def _start(self, num_rows: int) -> Float[np.ndarray, "R D"]:
        if self.config.topics and len(self.corpus) > 1:  # a single stretch has no topics
            step = -(-len(self.corpus) // _MOST_COUNTED)
            counted = partial(sum_over, partial(self.corpus.counts, self.rows_of, step=step))
            return semantics_of_counts(counted, num_rows, dimension=self.config.width, seed=self.seed)
        random = np.random.default_rng(self.seed)
        table = random.normal(size=(num_rows, self.config.width)).astype(np.float32)
        return table / np.linalg.norm(table, axis=1, keepdims=True)

    def token_table(self) -> Float[np.ndarray, "V D"]:
        """Write the table out by tokens, their weights in it."""
        return (self.table * self.row_weights[:, None])[self.rows_of]

    def attach(self, model: SentenceTransformer) -> None:
        """Name the model that the table is written into."""
        self.model = model
        self._write(model)

    def _write(self, model: SentenceTransformer) -> None:
        embedding: Any = model[0].embedding
        with torch.no_grad():
            embedding.weight.copy_(torch.from_numpy(self.token_table()))

    def _measured(self) -> SentenceTransformer:
        """The table alone as a model, whatever the base: it has the vectors of the tree over it, and is faster."""
        encoder = self.model[0]
        if not isinstance(encoder, TreeEncoder):
            return self.model
        own_tokenizer = copy.deepcopy(encoder.tokenizer)  # the host's module changes the one it is given
        return _model("static", own_tokenizer, self.token_table(), str(self.model.device))

    def fit(self, dataset: Dataset, fitting: Fitting) -> int:  # noqa: ARG002 its rows are in the token corpus
        """Learn epoch by epoch; keep the best by the evaluator, the start among them, and stop three behind it."""
        fitting.tolerance = _TOLERANCE
        if self.batches is None:
            return 0
        measured = self._measured()
        learner = TableLearner(self.table, self.batches, self._settings(fitting.arguments))
        if not fitting.resume(learner.load):
            fitting.measure(0, {}, model=measured)
            fitting.save(0, lambda folder: self._save_start(learner, folder))
        seconds = 0.0
        while (
            learner.epoch < learner.settings.num_epochs
            and not fitting.has_stalled(learner.epoch, patience=_PATIENCE)
            and (learner.epoch == 0 or fitting.limit.allows(seconds))
        ):
            began = time.monotonic()
            loss = learner.learn_epoch()
            self._write(measured)
            fitting.measure(learner.epoch, {"loss": loss}, model=measured)
            fitting.save(learner.epoch, learner.save)
            seconds = time.monotonic() - began
        num_epochs = learner.epoch
        fitting.restore_best(learner.load)
        self._write(self.model)
        return len(self.corpus.tokens) * num_epochs

    def _save_start(self, learner: TableLearner, folder: Path) -> None:
        """Keep the start by tokens too, so that what topics alone find can be measured beside the model."""
        learner.save(folder)
        save_file({"table": self.token_table()}, folder / START_FILE)

    def _settings(self, arguments: Mapping[str, Any]) -> LearnerSettings:
        epochs = float(arguments["num_train_epochs"])
        if not epochs.is_integer():
            raise UserError(f"training.num_train_epochs must be a whole number for document-contrast, got {epochs:g}")
        return LearnerSettings(
            temperature=self.config.temperature,
            batch_size=int(arguments["per_device_train_batch_size"]),
            learning_rate=float(arguments["learning_rate"]),
            num_epochs=int(epochs),
        )


def _row_weights(
    counted: Iterable[csr_array], num_rows: int, config: DocumentContrastConfig
) -> Float[np.ndarray, " R"]:
    """What the tokens of each row weigh, 1 at most."""
    of_row, num_holding, num_stretches = np.zeros(num_rows), np.zeros(num_rows), 0
    for block in counted:
        of_row += np.asarray(block.sum(axis=0)).ravel()
        num_holding += np.bincount(block.indices, minlength=num_rows)
        num_stretches += len(block.indptr) - 1
    if config.token_weights == "frequency":  # noqa: S105 no secret
        shares = of_row / max(float(of_row.sum()), 1.0)
        return (config.frequency_weight / (config.frequency_weight + shares)).astype(np.float32)
    idf = np.log((1 + num_stretches) / (1 + num_holding)) + 1
    return (idf / idf.max()).astype(np.float32)


DOCUMENT_CONTRAST = Method(
    name="document-contrast",
    summary="token vectors from which sentences stand in the same document, on raw documents (ours)",
    config=DocumentContrastConfig,
    build=build,
    training=training,
    reads_documents=lambda _: True,
)
"""A table learned from documents."""
