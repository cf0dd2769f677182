"""The folder of a build: what stands where, and what is known of the stages that are done."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsent.atomic import write_text
from selfsent.errors import UserError
from selfsent.folder_names import listed, visible_names
from selfsent.one_writer import LOCK_FILE

_STATE_VERSION = 1


@dataclass(frozen=True)
class BuildFolder:
    """One output folder: ``model/``, ``store/``, reports, and ``.build/`` with what a later run needs.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def model(self) -> Path:
        """The model that search uses."""
        return self.path / "model"

    @property
    def store(self) -> Path:
        """The store of passages."""
        return self.path / "store"

    @property
    def report_json(self) -> Path:
        """The report for programs."""
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def skipped(self) -> Path:
        """What could not be read, a JSON object a line."""
        return self.path / "skipped.jsonl"

    @property
    def work(self) -> Path:
        """What a later run needs."""
        return self.path / ".build"

    @property
    def documents(self) -> Path:
        """The documents as they were read."""
        return self.work / "documents.parquet"

    @property
    def reported(self) -> Path:
        """The documents of the last build that came to its end: what is new or updated is so since then."""
        return self.work / "reported.parquet"

    @property
    def learned(self) -> Path:
        """The documents that the measured model learned from."""
        return self.work / "learned.parquet"

    @property
    def measured_model(self) -> Path:
        """The run whose model is measured: it has not seen the held-out documents."""
        return self.work / "measured"

    @property
    def final_model(self) -> Path:
        """Where the model of the store is trained before it takes its place."""
        return self.work / "final"

    @property
    def teacher_cache(self) -> Path:
        """The teacher's vectors of texts, each computed once."""
        return self.work / "teacher"

    def forget_nothing_done(self, *, was_there: bool) -> None:
        """Remove what a build left that failed before it had done anything.

        Args:
            was_there: Whether the folder itself was there before, and stays.
        """
        if (self.work / "state.json").exists():
            return
        shutil.rmtree(self.work, ignore_errors=True)
        self.skipped.unlink(missing_ok=True)
        (self.path / LOCK_FILE).unlink(missing_ok=True)
        if not was_there and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def install_model(self) -> None:
        """Put the trained model in its place; remove a store of another model, which could not be searched any more."""
        shutil.rmtree(self.final_model / "checkpoints", ignore_errors=True)
        for former in (self.store, self.model):
            if former.is_dir():
                shutil.rmtree(former)
        self.final_model.replace(self.model)

    def remember_source(self, source: str) -> list[str]:
        """Remember a source whose passages go into the store.

        Args:
            source: Its name, as a person gave it.

        Returns:
            The other sources that the store may hold passages of.
        """
        known = self.work / "sources.json"
        try:
            names = json.loads(known.read_text("utf8")) if known.is_file() else []
            if self.report_json.is_file():
                names.append(json.loads(self.report_json.read_text("utf8"))["source"])
        except (ValueError, KeyError, TypeError, AttributeError):
            names = []
        write_text(known, json.dumps(sorted({*map(str, names), source}), ensure_ascii=False) + "\n")
        return sorted({*map(str, names)} - {source})

    def remember_reported(self) -> None:
        """Keep the documents that were read as those of a finished build; a link where the file system has links."""
        aside = self.reported.with_suffix(".new")
        aside.unlink(missing_ok=True)
        try:
            os.link(self.documents, aside)
        except OSError:
            shutil.copyfile(self.documents, aside)
        aside.replace(self.reported)

    def forget_learning(self) -> None:
        """Forget what was learned, for a run that learns anew; model and store stay until the new model is there."""
        for folder in (self.measured_model, self.final_model):
            shutil.rmtree(folder, ignore_errors=True)
        (self.work / "state.json").unlink(missing_ok=True)

    def require_own(self) -> None:
        """Refuse a folder that holds other things than a build.

        Raises:
            UserError: It is a file, or holds something and no build.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--output must be a folder, got the file {self.path}; name another place")
        found = visible_names(self.path)
        if found and not self.work.is_dir():
            raise UserError(
                f"{self.path} holds {listed(found)} and no build of selfsent; name an empty or a new folder"
            )

    def state(self) -> dict[str, Any]:
        """Read what is known of the stages; empty where nothing is, or where it cannot be read."""
        try:
            state: dict[str, Any] = json.loads((self.work / "state.json").read_text("utf8"))
        except (OSError, ValueError):
            return {}
        return state if state.get("version") == _STATE_VERSION else {}

    def needs_learning(self, *, retrain: bool) -> bool:
        """Whether a build here makes or measures a model: none has been yet, or that is to be done again."""
        return retrain or "learned" not in self.state()

    def remember(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Add to what is known, aside and renamed; give all of it."""
        state = {**self.state(), "version": _STATE_VERSION, **known}
        write_text(self.work / "state.json", json.dumps(state, indent=1, default=str) + "\n")
        return state
