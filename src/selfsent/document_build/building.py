"""From a person's documents to a measured search: read, hold out, learn, measure, choose, index, report."""

import datetime as dt
import itertools
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from selfsent.atomic import write_text
from selfsent.data.bad_rows import OnBadRow
from selfsent.document_build.build_folder import BuildFolder
from selfsent.document_build.measuring import Measured, as_json, chosen_weight, measure, with_table
from selfsent.document_build.reading import Read, read
from selfsent.document_report import corpus_map, write_page
from selfsent.documents import Unit, open_documents
from selfsent.documents.corpus_file import CorpusFile, write_corpus
from selfsent.documents.passages import count_words, passages
from selfsent.errors import UserError
from selfsent.evaluation.report import installed_versions
from selfsent.evaluation.tasks.own_documents import heldout_share, is_held_out
from selfsent.loading import load
from selfsent.methods.document_contrast import START_FILE
from selfsent.one_writer import one_writer
from selfsent.runs.train import Request, execute
from selfsent.search.document_indexing import index_documents
from selfsent.search.fusion import DEFAULT_WEIGHT
from selfsent.training.metrics_log import read_metrics
from selfsent.training.run_folder import RunFolder
from selfsent.words import Analyser

RECIPE = "search"
_MAP_POINTS = 2000
_MAP_WORDS = 120
_DRIFT = 1.15
_EPOCHS = 8
_BATCH_SIZE = 256
_SAMPLED_DOCUMENTS = 2000
_SAMPLED_CHARACTERS = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What a person asks of ``selfsent build``.

    Args:
        source: Files, a folder, ``hf:...`` or ``docs:``.
        output: Folder of the build.
        base: ``tree`` or ``static``; a folder or hub name of a transformer.
        model: A ready model to index with, instead of learning one.
        minutes: About how long learning may take.
        unit: What a plain text file holds.
        columns: Columns of tables that hold the text.
        on_bad_row: ``stop`` at the first bad row of a table, or ``skip`` and count.
        seed: Random seed.
        retrain: Learn anew although a model is there.
        device: Where to put the model.
    """

    source: str
    output: Path
    base: str = "tree"
    model: str | None = None
    minutes: float = 5.0
    unit: Unit = "auto"
    columns: Sequence[str | int] | None = None
    on_bad_row: OnBadRow = "stop"
    seed: int = 42
    retrain: bool = False
    device: str | None = None


def build(request: BuildRequest) -> dict[str, Any]:
    """Read documents, learn from them, measure, index and report; what is done already is not done again.

    Args:
        request: What a person asks.

    Returns:
        The report, as ``report.json`` holds it, with the map and the examples of the page.

    Raises:
        UserError: The folder is somebody else's or being written, or no document can be read.
    """
    folder = BuildFolder(Path(request.output).expanduser().absolute())
    folder.require_own()
    with one_writer(folder.path, "build"):
        return _Build(request, folder).run()


class _Build:
    """One run through the stages."""

    def __init__(self, request: BuildRequest, folder: BuildFolder) -> None:
        self.request = request
        self.folder = folder
        self._began = time.monotonic()
        self._opened: dict[str, SentenceTransformer] = {}

    def _open(self, path: str) -> SentenceTransformer:
        """Open a model once a build; it is opened only when its files no longer change."""
        if path not in self._opened:
            self._opened[path] = load(path, device=self.request.device)
        return self._opened[path]

    def run(self) -> dict[str, Any]:
        self._say("reading", self.request.source)
        found = self._read()
        self._say("read", f"{len(found.corpus):,} documents of {found.num_words:,} words; {_changed(found.changes)}")
        state = self._state(found)
        if "learned" not in state:
            state = self.folder.remember(learned=self._learn(found))
        model = self._open(state["learned"]["model"])
        self._say("indexing", f"the passages of {len(found.corpus):,} documents")
        with ThreadPoolExecutor(1) as aside:  # the layout of the map takes one core, and indexing leaves one free
            mapped = self._map(model, found.corpus, aside)
            indexed = index_documents(
                model,
                found.corpus,
                self.folder.store,
                model_path=state["learned"]["model"],
                source=self.request.source,
                forget=True,
                batch_size=_BATCH_SIZE,
                skipped=found.unread,
                fusion_weight=state["learned"]["weight"],
                analyser=Analyser.of_corpus(f"{one.title} {one.text}" for one in found.corpus),
            )
        self._say("reporting", str(self.folder.report_html))
        report = self._report(found, state, indexed.num_rows)
        page = report | {"map": mapped.result(), "examples": state["learned"]["examples"]}
        write_text(self.folder.report_json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        write_page(page, self.folder.report_html)
        return page

    def _say(self, stage: str, what: str) -> None:
        logger.info("%s: %s", stage, what)

    def _read(self) -> Read:
        documents = open_documents(
            self.request.source,
            unit=self.request.unit,
            columns=self.request.columns,
            on_bad_row=self.request.on_bad_row,
            exclude=[self.folder.path],
        )
        return read(documents, self.folder)

    def _state(self, found: Read) -> dict[str, Any]:
        """What is known of earlier runs that still holds; learning is done again only where it must, or is wanted."""
        state = self.folder.state()
        wanted = {"base": self.request.base, "model": self.request.model, "seed": self.request.seed}
        if state.get("wanted", wanted) != wanted and not self.request.retrain:
            raise UserError(
                f"{self.folder.path} was built with {_settings(state['wanted'])}, and {_settings(wanted)} is asked for;"
                " add --retrain to learn anew, or name another --output"
            )
        is_interrupted = "learned" not in state and state.get("started") == found.content_hash
        if "learned" in state and not self.request.retrain:
            found.notes.extend(self._drift(state["learned"], found))
            return state
        if is_interrupted and state["wanted"] == wanted:
            return state
        self.folder.forget_learning()
        return self.folder.remember(wanted=wanted, started=found.content_hash)

    def _learn(self, found: Read) -> dict[str, Any]:
        """Learn and measure, or measure a ready model."""
        if self.request.model is not None:
            model = self._open(self.request.model)
            weight = chosen_weight(model, found.corpus)
            measured = self._measured(model, found.corpus, weight)
            return self._record(found, self.request.model, weight, measured)
        share = heldout_share(len(found.corpus))
        learned = write_corpus((one for one in found.corpus if not is_held_out(one, share)), self.folder.learned)
        num_heldout = len(found.corpus) - len(learned)
        self._say("learning", f"from {len(learned):,} documents; {num_heldout:,} are held out, to measure with")
        chosen = {"training.best": "own-documents", "max_minutes": self.request.minutes / 2}
        try:
            model = self._train(learned, self.folder.measured_model, chosen)
        except UserError as error:
            return self._learn_from_little(found, error)
        best = json.loads((self.folder.measured_model / "run.json").read_text("utf8")).get("best", {})
        self._say("choosing", "how much words and meaning count, by parts that nothing was learned from")
        weight = chosen_weight(model, learned)
        self._say("measuring", "hybrid search, the model, and what they have to beat, on held-out documents")
        measured = self._measured(model, found.corpus, weight)
        epochs = best.get("step", _EPOCHS)
        self._say("learning", f"the model of the store from all {len(found.corpus):,} documents, {epochs} epochs")
        final = {"training.best": "none", "training.num_train_epochs": max(1, epochs)}
        self._train(found.corpus, self.folder.final_model, final)
        self.folder.install_model()
        return self._record(found, str(self.folder.model), weight, measured)

    def _learn_from_little(self, found: Read, reason: UserError) -> dict[str, Any]:
        """Learn from documents that are too few, or too short, to measure with; or else take their topics alone."""
        logger.warning("nothing is measured: %s", reason)
        settings: dict[str, Any] = {"training.best": "none"}
        try:
            self._train(found.corpus, self.folder.final_model, settings)
        except UserError as error:
            logger.warning("the model knows topics alone: %s", error)
            shutil.rmtree(self.folder.final_model, ignore_errors=True)
            self._train(found.corpus, self.folder.final_model, settings | {"parts": "none"})
        self.folder.install_model()
        return self._record(found, str(self.folder.model), DEFAULT_WEIGHT, None)

    def _train(self, corpus: CorpusFile, output: Path, settings: Mapping[str, Any]) -> SentenceTransformer:
        """Train the recipe, or go on with it, or open what is finished."""
        record = RunFolder(output).record() if output.is_dir() else {}
        if record.get("status") == "finished":
            return load(output, device=self.request.device)
        return execute(
            Request(
                method=RECIPE,
                data=corpus.path,
                output=output,
                settings=settings,
                base=self.request.base,
                seed=self.request.seed,
                resume=bool(record),
                device=self.request.device,
            )
        )

    def _measured(self, model: SentenceTransformer, corpus: CorpusFile, weight: float) -> Measured | None:
        """Measure; nothing where there are too few documents, which the report then says."""
        start = self.folder.measured_model / "checkpoints" / "checkpoint-0" / START_FILE
        is_trained_here = self.request.model is None
        topics = with_table(model, load_file(start)["table"]) if is_trained_here and start.is_file() else None
        try:
            return measure(
                model,
                corpus,
                weight=weight,
                candidates="held-out" if self.request.source.startswith("docs:") else "all",
                topics=topics,
                is_trained_here=is_trained_here,
                seed=self.request.seed,
            )
        except UserError as error:
            logger.warning("not measured: %s", error)
            return None

    def _record(self, found: Read, model: str, weight: float, measured: Measured | None) -> dict[str, Any]:
        """What later runs and the report need to know of the learning."""
        record: dict[str, Any] = {"model": model, "weight": weight, "content_hash": found.content_hash}
        record |= {"pieces_per_word": self._pieces_per_word(model, found.corpus), "examples": []}
        if measured is not None and self.request.model is None:
            record["curve"] = _curve(self.folder.measured_model / "metrics.jsonl")
        if measured is None:
            return record
        by_part = {part: {name: as_json(one) for name, one in of.items()} for part, of in measured.scores.items()}
        return record | {
            "retrieval": by_part[measured.asked_by],
            "retrieval_by_part": by_part,
            "differences": list(measured.differences),
            "examples": list(measured.examples),
            "queries": measured.num_queries,
            "heldout_documents": measured.num_heldout,
        }

    def _pieces_per_word(self, model: str, corpus: CorpusFile) -> float:
        """Pieces of the model's vocabulary for each word of a sample of the documents."""
        texts = _sample(corpus)
        tokenizer: Any = self._open(model).tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        num_pieces = sum(len(one.ids) for one in backend.encode_batch(texts, add_special_tokens=False))
        return num_pieces / max(1, sum(map(count_words, texts)))

    def _drift(self, learned: Mapping[str, Any], found: Read) -> list[str]:
        """Say when the words of the documents are no longer those that the vocabulary was made for."""
        before = float(learned["pieces_per_word"])
        now = self._pieces_per_word(str(learned["model"]), found.corpus)
        if now < _DRIFT * before:
            return []
        note = f"a word now takes {now:.2f} pieces of the vocabulary, and took {before:.2f} when the model was trained"
        return [f"the documents have changed: {note}; add --retrain to learn anew"]

    def _report(self, found: Read, state: Mapping[str, Any], num_passages: int) -> dict[str, Any]:
        learned: Mapping[str, Any] = state["learned"]
        folder = self.folder
        paths = {"store": str(folder.store), "report": str(folder.report_json), "page": str(folder.report_html)}
        report: dict[str, Any] = {
            "seconds": round(time.monotonic() - self._began, 1),
            "source": self.request.source,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "base": self.request.model or self.request.base,
            "corpus": {
                "documents": len(found.corpus),
                "passages": num_passages,
                "words": found.num_words,
                "queries": learned.get("queries", 0),
                "heldout_documents": learned.get("heldout_documents", 0),
            },
            "documents": {"read": len(found.corpus), "passages": num_passages, "skipped": found.skipped},
        }
        kept = ("retrieval", "retrieval_by_part", "differences", "curve")
        report |= {name: learned[name] for name in kept if name in learned}
        return report | {
            "fusion_weight": learned["weight"],
            "changes": found.changes,
            "paths": {"model": learned["model"], **paths},
            "next": [f'selfsent search {self.request.output} "your question"', *self._advice(learned)],
            "versions": installed_versions(),
            "notes": found.notes,
        }

    def _advice(self, learned: Mapping[str, Any]) -> list[str]:
        if "retrieval" not in learned:
            return ["Nothing was measured: too few documents have two sentences, or a title and a text."]
        return [f"selfsent build {self.request.source} --output {self.request.output}   # again, when documents change"]

    def _map(self, model: SentenceTransformer, corpus: CorpusFile, aside: Executor) -> Future[dict[str, Any]]:
        """Encode some passages, and let another thread lay them out."""
        step = max(1, len(corpus) // _MAP_POINTS)
        shown = [
            passage
            for document in itertools.islice(corpus, 0, None, step)
            for passage in itertools.islice(passages(document, max_tokens=_MAP_WORDS, count_tokens=count_words), 1)
        ][:_MAP_POINTS]
        texts = [f"{one.title} {one.text}".strip() for one in shown]
        vectors = model.encode_document(texts, convert_to_numpy=True, show_progress_bar=False)
        titles, names = [one.title for one in shown], [one.document_id for one in shown]
        return aside.submit(corpus_map, vectors, texts, titles, names, seed=self.request.seed)


def _changed(changes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in changes.items())


def _settings(wanted: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)


def _curve(path: Path) -> list[dict[str, Any]]:
    rows = read_metrics(path)
    return [
        {"step": row["step"], "own_documents": row["eval_own_documents"]} for row in rows if "eval_own_documents" in row
    ]


def _sample(corpus: CorpusFile) -> list[str]:
    return [document.text[:_SAMPLED_CHARACTERS] for document in itertools.islice(corpus, _SAMPLED_DOCUMENTS)]
