"""The stages of a build: read, hold out, learn, measure, choose, index, report."""

import datetime as dt
import itertools
import json
import logging
import shlex
import time
from collections.abc import Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from sentence_transformers import SentenceTransformer

from selfsent.atomic import write_text
from selfsent.document_build.build_folder import BuildFolder
from selfsent.document_build.build_request import BuildRequest, flags_of
from selfsent.document_build.learning import Learning, open_base
from selfsent.document_build.pace import num_passages, seconds_a_passage
from selfsent.document_build.reading import Read, read
from selfsent.document_build.vocabulary_drift import drift_notes, pieces_per_word
from selfsent.document_report import corpus_map, write_page
from selfsent.documents import Documents
from selfsent.documents.corpus_file import CorpusFile
from selfsent.documents.passages import count_words, passages
from selfsent.durations import about
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.one_writer import one_writer
from selfsent.provenance import installed_versions
from selfsent.search.document_indexing import index_documents
from selfsent.search.lance_errors import require
from selfsent.search.ray_engine import engine_of
from selfsent.words import Analyser

_MAP_POINTS = 2000
_MAP_WORDS = 120
_BATCH_SIZE = 256
_INDEXING = 1.5  # the time of indexing over that of encoding alone

_TREE_NOTE = "the base is a tree: it finds what a static model finds, and also shows the phrase nearest to a query"

_MUCH = 10
"""A tenth more documents, or fewer, than a model has learned from is worth a note."""

logger = logging.getLogger(__name__)


def build_in(folder: BuildFolder, request: BuildRequest, documents: Documents) -> dict[str, Any]:
    """Go through the stages; see ``selfsent.document_build.build``.

    Args:
        folder: The folder of the build, which holds nothing else.
        request: What a person asks.
        documents: What there is to read.

    Raises:
        UserError: As ``build``.
    """
    was_there = folder.path.exists()
    with one_writer(folder.path, "build"):
        try:
            return _Build(folder, request, documents).run()
        except BaseException:
            folder.forget_nothing_done(was_there=was_there)
            raise


class _Build:
    """One run through the stages."""

    def __init__(self, folder: BuildFolder, request: BuildRequest, documents: Documents) -> None:
        self.folder = folder
        self.request = request
        self._documents = documents
        self._began = time.monotonic()
        self._opened: dict[str, SentenceTransformer] = {}
        self._engine = engine_of(request.engine, request.address, request.device)

    def _open(self, path: str) -> SentenceTransformer:
        """Open a model once a build; it is opened only when its files no longer change."""
        if path not in self._opened:
            self._opened[path] = load(path, device=self.request.device)
        return self._opened[path]

    def run(self) -> dict[str, Any]:
        require("lancedb")  # before hours of learning, not behind them
        self._require_same()
        self._require_models()
        self._say("reading", self.request.source)
        found = read(self._documents, self.folder)
        self._say("read", f"{len(found.corpus):,} documents of {found.num_words:,} words; {_changed(found.changes)}")
        state = self._state(found)
        learns = "learned" not in state
        if learns:
            state = self.folder.remember({"learned": Learning(self.request, self.folder, self._open).learn(found)})
        model = self._open(state["learned"]["model"])
        self._say("indexing", f"the passages of {len(found.corpus):,} documents, {self._indexing_time(model, found)}")
        with ThreadPoolExecutor(1) as aside:  # the layout of the map takes one core, and indexing leaves one free
            mapped = self._map(model, found.corpus, aside)
            indexed = index_documents(
                model,
                found.corpus,
                self.folder.store,
                model_path=state["learned"]["model"],
                source=self.request.source,
                forget=True,
                replaces=self.folder.remember_source(self.request.source),
                batch_size=_BATCH_SIZE,
                skipped=found.unread,
                fusion_weight=state["learned"]["weight"],
                analyser=Analyser.of_corpus(f"{one.title} {one.text}" for one in found.corpus),
                engine=self._engine,
            )
        self._say("reporting", str(self.folder.report_html))
        report = self._report(found, state, indexed.num_rows) | {"learned_now": learns}
        page = report | {"map": mapped.result(), "examples": state["learned"]["examples"]}
        write_text(self.folder.report_json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        write_page(page, self.folder.report_html)
        self.folder.remember_reported()
        return page

    def _say(self, stage: str, what: str) -> None:
        logger.info("%s: %s", stage, what)

    def _require_same(self) -> None:
        """Refuse settings other than those that the folder was built with."""
        wanted = self.request.wanted
        before = wanted | {"teacher": None} | self.folder.state().get("wanted", wanted)
        if before != wanted and not self.request.retrain:
            raise UserError(
                f"{self.folder.path} was built with {_settings(before)}, and {_settings(wanted)} is asked for;"
                f" say {flags_of(before)} to go on with it, add --retrain to learn anew, or name another --output"
            )

    def _require_models(self) -> None:
        """Open the models that are named, where they will be needed, before anything is read."""
        if not self.folder.needs_learning(retrain=self.request.retrain):
            return
        for named in (self.request.model, self.request.teacher):
            if named is not None:
                self._open(named)
        if self.request.starts_from_transformer:
            open_base(self.request)

    def _indexing_time(self, model: SentenceTransformer, found: Read) -> str:
        """Say how long indexing will take: what is new has to be encoded, and everything is written."""
        share = 1 - found.changes["unchanged"] / len(found.corpus) if self.folder.store.is_dir() else 1
        seconds = num_passages(found.corpus, found.num_words) * seconds_a_passage(model, found.corpus)
        return about(_INDEXING * share * seconds)

    def _state(self, found: Read) -> dict[str, Any]:
        """What is known of earlier runs that still holds; learning is done again only where needed, or asked for."""
        state, wanted = self.folder.state(), self.request.wanted
        is_interrupted = "learned" not in state and state.get("started") == found.content_hash
        if "learned" in state and not self.request.retrain:
            now = pieces_per_word(self._open(state["learned"]["model"]), found.corpus)
            found.notes.extend(drift_notes(float(state["learned"]["pieces_per_word"]), now))
            found.notes.extend(_growth_notes(state["learned"].get("documents"), len(found.corpus)))
            return state
        if is_interrupted and state["wanted"] == wanted:
            return state
        self.folder.forget_learning()
        return self.folder.remember({"wanted": wanted, "started": found.content_hash})

    def _report(self, found: Read, state: Mapping[str, Any], num_passages: int) -> dict[str, Any]:
        learned: Mapping[str, Any] = state["learned"]
        folder = self.folder
        paths = {"store": str(folder.store), "report": str(folder.report_json), "page": str(folder.report_html)}
        report: dict[str, Any] = {
            "seconds": round(time.monotonic() - self._began, 1),
            "source": self.request.source,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "base": self.request.model or self.request.made_of,
            **({"teacher": self.request.teacher} if self.request.teacher else {}),
            "corpus": {
                "documents": len(found.corpus),
                "passages": num_passages,
                "words": found.num_words,
                "queries": learned.get("queries", 0),
                "heldout_documents": learned.get("heldout_documents", 0),
            },
            "documents": {"read": len(found.corpus), "passages": num_passages, "skipped": found.skipped},
        }
        kept = ("measured", "retrieval", "retrieval_by_part", "differences", "curve")
        report |= {name: learned[name] for name in kept if name in learned}
        return report | {
            "fusion_weight": learned["weight"],
            "changes": found.changes,
            "paths": {"model": learned["model"], **paths},
            "next": [
                f'selfsent search {shlex.quote(str(self.request.output))} "your question"',
                *self._advice(learned),
            ],
            "versions": installed_versions(),
            "notes": [*found.notes, *learned.get("notes", []), *self._base_notes()],
        }

    def _base_notes(self) -> list[str]:
        is_tree = self.request.model is None and self.request.made_of == "tree"
        return [_TREE_NOTE] if is_tree else []

    def _advice(self, learned: Mapping[str, Any]) -> list[str]:
        if "retrieval" not in learned:
            return ["Nothing was measured: too few documents have two sentences, or a title and a text."]
        return [f"{self.request.command()}   # again, when documents change"]

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


def _growth_notes(learned: int | None, now: int) -> list[str]:
    """Say when the number of documents has changed by more than a tenth since the model learned from them."""
    if learned is None or abs(now - learned) * _MUCH <= learned:
        return []
    note = f"the model and its figures are of the {learned:,} documents that it learned from, and there are {now:,} now"
    return [f"{note}; add --retrain to learn from them"]


def _changed(changes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in changes.items())


def _settings(wanted: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
