"""The stages of a build that learn, choose and measure, within the minutes that were given."""

import datetime as dt
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from selfsent.document_build.build_folder import BuildFolder
from selfsent.document_build.build_request import BuildRequest
from selfsent.document_build.measuring import Measured, as_json, cut_curves, measure, weight_of, with_table
from selfsent.document_build.pace import num_passages, seconds_a_passage
from selfsent.document_build.reading import Read
from selfsent.document_build.vocabulary_drift import pieces_per_word
from selfsent.documents.corpus_file import CorpusFile, write_corpus
from selfsent.durations import about
from selfsent.errors import UserError
from selfsent.evaluation.baselines import untrained
from selfsent.evaluation.fusion_weight import Curve
from selfsent.evaluation.metrics_log import read_metrics
from selfsent.evaluation.tasks.own_documents import heldout_share, is_held_out
from selfsent.loading import load
from selfsent.methods.document_contrast import START_FILE
from selfsent.methods.starting_model import open_transformer
from selfsent.runs.run_data import own_documents_evaluator
from selfsent.runs.train import Request, execute
from selfsent.time_limit import TimeLimit
from selfsent.training.run_folder import RunFolder

_MEASURED_SHARE = 0.45
"""Share of the minutes that the measured run may take; the final run learns as long, and measuring needs some."""
_LEAST_FINAL_SHARE = 0.25
_NEARLY = 1.05
_LONGEST_TEXT = 128
_SYSTEMS = 4
_LEAST_TOKENS = 2
"""Tokens that a base has to read at least."""

logger = logging.getLogger(__name__)


def open_base(request: BuildRequest) -> SentenceTransformer:
    """Open the transformer that a build starts from, with mean pooling.

    Args:
        request: Names it.

    Raises:
        UserError: There is no such model, or it cannot be opened.
    """
    return open_transformer(request.made_of, pooling="mean", max_seq_length=_LEAST_TOKENS, device=request.device)


class Learning:
    """Learns the model of a build, or measures a ready one.

    Args:
        request: What a person asks.
        folder: The build's.
        open_model: Opens a model, each once.
    """

    def __init__(
        self, request: BuildRequest, folder: BuildFolder, open_model: Callable[[str], SentenceTransformer]
    ) -> None:
        self.request, self.folder, self._open = request, folder, open_model
        self._limit = TimeLimit(request.minutes)
        self._notes: list[str] = []

    def learn(self, found: Read) -> dict[str, Any]:
        """Learn and measure, or measure a ready model; give what later runs and the report need to know of it."""
        if self.request.model is not None:
            model = self._open(self.request.model)
            self._announce_measuring(model, found)
            cut = cut_curves(model, found.corpus)
            return self._record(found, self.request.model, cut, self._measured(model, found, cut, self._systems(model)))
        share = heldout_share(len(found.corpus))
        learned = write_corpus((one for one in found.corpus if not is_held_out(one, share)), self.folder.learned)
        minutes = _MEASURED_SHARE * self.request.minutes
        num_heldout = len(found.corpus) - len(learned)
        logger.info(
            "learning: from %s documents, %s at most; %s are held out, to measure with",
            *(f"{len(learned):,}", about(60 * minutes), f"{num_heldout:,}"),
        )
        try:
            model = self._train(learned, self.folder.measured_model, {"training.best": "own-documents"}, minutes)
        except UserError as error:
            return self._learn_from_little(found, error)
        if not self._limit.allows(60 * (self.request.minutes - minutes) * _NEARLY):
            self._notes.append("learning ended because its minutes were over; more --minutes may find more")
        model, length = self._better_of_start(model, learned)
        self._announce_measuring(model, found)
        cut = cut_curves(model, learned)
        measured = self._measured_beside(model, found, cut, lambda: self._train_final(found, len(learned), length))
        self.folder.install_model()
        return self._record(found, str(self.folder.model), cut, measured)

    def _better_of_start(self, model: SentenceTransformer, learned: CorpusFile) -> tuple[SentenceTransformer, int]:
        """Find out when learning stopped helping; a transformer that did not improve is taken as it was."""
        best = RunFolder(self.folder.measured_model).record().get("best", {})
        length = int(best.get("step", 0))
        if not self.request.starts_from_transformer:
            return model, max(1, length)
        base = open_base(self.request)
        evaluator, _ = own_documents_evaluator(learned, len(learned))
        before = evaluator(base)[evaluator.primary_metric]
        if before < best["value"]:
            return model, length
        self._notes.append(
            f"learning from these documents did not improve {self.request.made_of} ({100 * best['value']:.1f} against"
            f" {100 * before:.1f} nDCG@10 on parts of documents): the search uses it as it is"
        )
        logger.info(self._notes[-1])
        return base, 0

    def _train_final(self, found: Read, num_learned: int, length: int) -> None:
        """Train the model of the store on all documents, as long as it helped, while there is time."""
        plan, output = self.request.plan, self.folder.final_model
        if not length:
            self._take_base(output)
            return
        growth = len(found.corpus) / num_learned
        num = length if plan.unit == "epochs" else max(1, round(growth * length))
        took = float(RunFolder(self.folder.measured_model).record().get("seconds", 0.0))
        seconds = max(self._limit.seconds_left, 60 * _LEAST_FINAL_SHARE * self.request.minutes)
        logger.info(
            "learning: the model of the store from all %s documents, %s %s, %s",
            *(
                f"{len(found.corpus):,}",
                f"{num:,}",
                plan.unit if num > 1 else plan.unit.removesuffix("s"),
                about(min(growth * took, seconds)),
            ),
        )
        settings = {"training.best": "none", plan.length: num}
        self._train(found.corpus, output, settings, seconds / 60)
        done = max((int(row["step"]) for row in read_metrics(output / "metrics.jsonl")), default=num)
        if done < num:
            self._notes.append(
                f"the minutes were over: the model of the store learned for {done:,} of {num:,} {plan.unit};"
                " more --minutes let it learn for all"
            )

    def _take_base(self, output: Path) -> None:
        shutil.rmtree(output, ignore_errors=True)
        open_base(self.request).save_pretrained(str(output))

    def _learn_from_little(self, found: Read, reason: UserError) -> dict[str, Any]:
        """Learn from documents that are too few, or too short, to measure with; or take what needs no learning."""
        logger.warning("nothing is measured: %s", reason)
        output = self.folder.final_model
        for settings in self.request.plan.if_little:
            try:
                self._train(found.corpus, output, settings, self.request.minutes)
                break
            except UserError as error:
                reason = error
                shutil.rmtree(output, ignore_errors=True)
        else:
            if not self.request.starts_from_transformer:
                raise reason
            logger.warning("nothing is learned: %s", reason)
            self._take_base(output)
        self.folder.install_model()
        return self._record(found, str(self.folder.model), [], None)

    def _train(
        self, corpus: CorpusFile, output: Path, settings: Mapping[str, Any], minutes: float
    ) -> SentenceTransformer:
        """Train the recipe, or continue it, or open the finished model."""
        record = RunFolder(output).record() if output.is_dir() else {}
        if record.get("status") == "finished":
            return load(output, device=self.request.device)
        plan = self.request.plan
        return execute(
            Request(
                method=plan.recipe,
                data=corpus.path,
                output=output,
                settings={**self._settings(corpus), **settings},
                base=self.request.made_of,
                teacher=self.request.teacher,
                seed=self.request.seed,
                resume=bool(record),
                device=self.request.device,
                max_minutes=minutes,
            )
        )

    def _settings(self, corpus: CorpusFile) -> dict[str, Any]:
        """What a run needs that depends on the documents, the teacher or the base; an eighth of them is a batch."""
        settings: dict[str, Any] = {}
        if (size := self.request.plan.batch_size) is not None:
            settings["training.per_device_train_batch_size"] = max(1, min(size, len(corpus) // 8))
        if self.request.teacher is not None:
            settings["teacher_cache"] = str(self.folder.teacher_cache)
        if self.request.starts_from_transformer:
            own = open_base(self.request).max_seq_length
            settings["max_seq_length"] = min(_LONGEST_TEXT, own or _LONGEST_TEXT)
        return settings

    def _announce_measuring(self, model: SentenceTransformer, found: Read) -> None:
        num_encoded = _SYSTEMS * num_passages(found.corpus, found.num_words)
        logger.info(
            "measuring: hybrid search, the model, and the baselines, on held-out documents; %s",
            about(num_encoded * seconds_a_passage(model, found.corpus)),
        )

    def _measured_beside(
        self, model: SentenceTransformer, found: Read, cut: Sequence[Curve], train_final: Callable[[], None]
    ) -> Measured | None:
        """Measure while the final model learns: a table's learning leaves a core free; what torch trains does not."""
        systems = self._systems(model)
        if self.request.teacher is not None or self.request.starts_from_transformer:
            measured = self._measured(model, found, cut, systems)
            train_final()
            return measured
        with ThreadPoolExecutor(1) as aside:
            measuring = aside.submit(self._measured, model, found, cut, systems)
            train_final()
        return measuring.result()

    def _systems(self, model: SentenceTransformer) -> dict[str, SentenceTransformer | None]:
        """What the model has to beat; made apart from measuring, since fresh weights are drawn at random."""
        start = self.folder.measured_model / "checkpoints" / "checkpoint-0" / START_FILE
        topics = with_table(model, load_file(start)["table"]) if self._has_topics and start.is_file() else None
        return {"topics": topics, "untrained": self._untrained(model)}

    def _measured(
        self,
        model: SentenceTransformer,
        found: Read,
        cut: Sequence[Curve],
        systems: Mapping[str, SentenceTransformer | None],
    ) -> Measured | None:
        """Measure; ``None`` where there are too few documents, as the report then says."""
        try:
            return measure(
                model,
                found.corpus,
                cut=cut,
                candidates="held-out" if self.request.source.startswith("docs:") else "all",
                **systems,
            )
        except UserError as error:
            logger.warning("not measured: %s", error)
            return None

    @property
    def _has_topics(self) -> bool:
        return self.request.model is None and self.request.teacher is None

    def _untrained(self, model: SentenceTransformer) -> SentenceTransformer | None:
        if self.request.model is not None:
            return None
        if self.request.starts_from_transformer:
            return open_base(self.request)
        return untrained(model, seed=self.request.seed)

    def _record(self, found: Read, model: str, cut: Sequence[Curve], measured: Measured | None) -> dict[str, Any]:
        weight = weight_of(cut) if measured is None else measured.weight
        record: dict[str, Any] = {"model": model, "weight": weight, "content_hash": found.content_hash}
        record["documents"] = len(found.corpus)
        record["measured"] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        record |= {"pieces_per_word": pieces_per_word(self._open(model), found.corpus), "examples": []}
        record["notes"] = self._notes
        if measured is None:
            return record
        if self.request.model is None:
            record["curve"] = _curve(self.folder.measured_model / "metrics.jsonl")
        by_part = {part: {name: as_json(one) for name, one in of.items()} for part, of in measured.scores.items()}
        return record | {
            "retrieval": by_part[measured.asked_by],
            "retrieval_by_part": by_part,
            "differences": list(measured.differences),
            "examples": list(measured.examples),
            "queries": measured.num_queries,
            "heldout_documents": measured.num_heldout,
        }


def _curve(path: Path) -> list[dict[str, Any]]:
    rows = read_metrics(path)
    return [
        {"step": row["step"], "own_documents": row["eval_own_documents"]} for row in rows if "eval_own_documents" in row
    ]
