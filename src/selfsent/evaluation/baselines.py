"""Baselines of a trained model: word vectors of the same corpus, its own table, the untrained model, and BM25.

All but BM25 are ordinary models of the host, so every suite takes them, and they can be saved and searched with.
"""

import copy
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel

from selfsent.counts.word_vectors import table_model, tfidf_svd, word_vectors
from selfsent.data.bad_rows import OnBadRow
from selfsent.data.sources import open_source
from selfsent.documents.documents import holds_whole_documents, open_documents
from selfsent.documents.text_rows import text_rows
from selfsent.documents.training_corpus import reading_notes
from selfsent.errors import UserError
from selfsent.evaluation.bm25 import BM25
from selfsent.evaluation.ranking import Ranker
from selfsent.evaluation.report import Report
from selfsent.evaluation.score import Score
from selfsent.evaluation.sentence_vectors import CollapsedEmbeddingsError, Encoder, TreeModel
from selfsent.evaluation.suite_options import SuiteOptions
from selfsent.evaluation.suites import SUITES, evaluate, report_of, suite_names
from selfsent.loading import load
from selfsent.modules.weighted_embedding import FrequencyWeightedEmbedding

_LOG = logging.getLogger(__name__)
_MAX_TEXTS = 100_000
_FOR_RANKERS = ("retrieval", "rerank")


def averaged_table(model: SentenceTransformer) -> SentenceTransformer | None:
    """Average a model's own input embeddings, without any of its layers.

    Args:
        model: A model whose first module has an embedding table and a fast tokenizer.

    Returns:
        The model of the averaged table; ``None`` where the model has no table, or is nothing but one.
    """
    first = model[0]
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if isinstance(first, StaticEmbedding) or not isinstance(backend, Tokenizer):
        return None
    inner = next((part for part in first.children() if isinstance(part, PreTrainedModel)), None)
    tables = [part for part in first.modules() if isinstance(part, nn.Embedding)]
    table = inner.get_input_embeddings() if inner is not None else next(iter(tables), None)
    if not isinstance(table, nn.Embedding):
        return None
    own_tokenizer = Tokenizer.from_str(backend.to_str())  # the host's module changes the padding of the one it is given
    rows = table.weighted() if isinstance(table, FrequencyWeightedEmbedding) else table.weight
    return table_model(own_tokenizer, rows.detach().float().cpu().clone())


def untrained(model: SentenceTransformer, *, seed: int = 0) -> SentenceTransformer:
    """Copy a model with fresh weights: same architecture and tokenizer, nothing learned.

    Args:
        model: The trained model; it is not changed.
        seed: Random seed of the initialisation.

    Raises:
        UserError: A part of the model does not say how it is initialised.
    """
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in fresh:
            _reset(module)
    return fresh.eval()


def baselines_for(
    model: SentenceTransformer, texts: Iterable[str] | None = None, *, seed: int = 0
) -> dict[str, SentenceTransformer | BM25]:
    """Make every baseline that a model and its corpus allow.

    Args:
        model: The model they stand beside.
        texts: Its training corpus, such as ``source.texts()``; ``None`` leaves out those that are fitted on it.
        seed: Random seed of fitting and initialisation.

    Returns:
        The baselines by name. ``bm25`` ranks and does not embed: it is for ``retrieval`` and ``rerank`` only.
    """
    found: dict[str, SentenceTransformer | BM25] = {"untrained": untrained(model, seed=seed)}
    table = averaged_table(model)
    if table is not None:
        found["averaged table"] = table
    if texts is not None:
        kept = list(islice(texts, _MAX_TEXTS))
        found["averaged words"] = word_vectors(kept, seed=seed)
        found["tf-idf + svd"] = tfidf_svd(kept, seed=seed)
    return found | {"bm25": BM25()}


def evaluate_with_baselines(
    model: str | Path,
    suites: str | Sequence[str] = "sts",
    data_dir: str | Path | None = None,
    *,
    corpus: str | Path | None = None,
    options: SuiteOptions | None = None,
    device: str | None = None,
    on_bad_row: OnBadRow = "stop",
) -> list[Report]:
    """Score a model and, on the same suites, every baseline that it and its corpus allow.

    Args:
        model: Path or hub name of the model.
        suites: Names of suites, in a sequence or with commas between them.
        data_dir: The folder of the evaluation data; ``None`` takes what the hub has.
        corpus: Source of the texts or documents that the model was trained on; ``None`` takes the one that its
            ``run.json`` names, and without one leaves out the baselines that are fitted on a corpus.
        options: The settings of the protocol.
        device: Where to put the model.
        on_bad_row: ``stop`` at the first row of the corpus that cannot be used, or ``skip`` and count such rows.

    Returns:
        The model's report, then one a baseline. A baseline is scored on the suites that apply to it: BM25 ranks, and
        only trees have a structure. A suite on which it gives every text the same embedding is left out with a note.

    Raises:
        UserError: The model, a suite, the corpus or a data file does not exist or is wrong.
    """
    options = options or SuiteOptions()
    chosen = suite_names(suites)
    named = corpus or training_corpus(model)
    if named is None:
        texts, notes = None, [f"no training corpus is known of {model}; name it with --corpus"]
    else:
        texts, notes = _texts_of(named, on_bad_row)
    for note in notes:
        _LOG.info(note)
    reports = [evaluate(model, chosen, data_dir, options=options, device=device)]
    folder = None if data_dir is None else Path(data_dir)
    for name, baseline in baselines_for(load(model, device=device), texts, seed=options.seed).items():
        scorings = partial(_scorings, name=name, suites=chosen, data_dir=folder, options=options)
        reports.append(report_of(baseline, scorings, options=options, data=reports[0].settings["data"], name=name))
    return [report for number, report in enumerate(reports) if report.scores or number == 0]


def training_corpus(model: str | Path) -> str | None:
    """Give the source that a run's ``run.json`` names; ``None`` for any other model, or one whose source has gone."""
    path = Path(model) / "run.json"
    try:
        source = json.loads(path.read_text("utf8"))["recipe"]["data"] if path.is_file() else None
    except (ValueError, KeyError, TypeError):
        return None
    is_there = isinstance(source, str) and (":" in source or Path(source).exists())
    return source if is_there else None


def _texts_of(corpus: str | Path, on_bad_row: OnBadRow) -> tuple[list[str], list[str]]:
    """The texts of a corpus as a training reads them, of documents the sentences; and what a person should be told."""
    if holds_whole_documents(corpus):
        documents = open_documents(corpus, on_bad_row=on_bad_row)
        return [str(row["text"]) for row in islice(text_rows(documents), _MAX_TEXTS)], reading_notes(documents)
    source = open_source(corpus, on_bad_row=on_bad_row)
    return list(islice(source.texts(), _MAX_TEXTS)), source.closing_notes()


def _scorings(
    baseline: Encoder | Ranker, *, name: str, suites: Sequence[str], data_dir: Path | None, options: SuiteOptions
) -> Mapping[str, Callable[[], list[Score]]]:
    """What to run on a baseline: the suites that apply to it; where it collapses, the suite is left out with a note."""

    def scored(suite: str) -> list[Score]:
        try:
            return SUITES[suite](baseline, data_dir, options)
        except CollapsedEmbeddingsError as error:
            _LOG.info("%s, suite %s: %s", name, suite, error)
            return []

    return {suite: partial(scored, suite) for suite in suites if _applies(suite, baseline)}


def _applies(suite: str, baseline: Encoder | Ranker) -> bool:
    if isinstance(baseline, Ranker):
        return suite in _FOR_RANKERS
    first = baseline[0] if isinstance(baseline, SentenceTransformer) else baseline
    return suite != "structure" or isinstance(first, TreeModel)


def _reset(module: nn.Module) -> None:
    """Initialise a module anew: a pretrained network from its configuration, any other part by its own method."""
    reset = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()
        return
    if next(module.parameters(recurse=False), None) is not None:
        raise UserError(
            f"cannot make an untrained copy: {type(module).__name__} has no reset_parameters to initialise its weights"
        )
    for name, part in module.named_children():
        if isinstance(part, PreTrainedModel):
            setattr(module, name, type(part)(copy.deepcopy(part.config)))
        else:
            _reset(part)
