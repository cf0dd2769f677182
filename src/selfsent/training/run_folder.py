"""The output folder of a run: what may be written into it, what of an earlier run it holds, and the finished model."""

import contextlib
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sentence_transformers import SentenceTransformer

from selfsent.atomic import write_text
from selfsent.errors import UserError
from selfsent.evaluation.metrics_log import METRICS_FILE
from selfsent.folder_names import listed, visible_names
from selfsent.one_writer import LOCK_FILE, one_writer
from selfsent.provenance import package_version
from selfsent.ranks import is_first_rank, num_ranks
from selfsent.training.checkpoints import last_checkpoint, last_whole_checkpoint
from selfsent.training.model_card import CARD_FILE, own_modules, write_model_card
from selfsent.training.run import RunPlan, differences

RECORD_FILE = "run.json"
MODULES_FILE = "modules.json"
_MODEL_CONFIG_FILE = "config_sentence_transformers.json"
_INSTALLING_FOLDER = ".installing"
_NUM_DIFFERENCES_SHOWN = 6
_BEFORE_THE_RECORD = {"token-frequencies.json"}
"""What a run may leave, besides hidden files, when it ends before its record is written."""

_WRITING: ContextVar[frozenset[Path]] = ContextVar("writing", default=frozenset())


@dataclass(frozen=True)
class Start:
    """How a run begins: ``fresh``, ``resumed`` from ``checkpoint``, or does not because the run is ``finished``.

    Args:
        kind: Which of the three.
        checkpoint: The folder to resume from.
        note: What to tell the person; may be empty.
    """

    kind: Literal["fresh", "resumed", "finished"]
    checkpoint: Path | None = None
    note: str = ""


class RunFolder:
    """One output folder: the model at its root, ``run.json``, ``metrics.jsonl`` and ``checkpoints/`` beside it.

    Args:
        path: The folder; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.checkpoints = self.path / "checkpoints"
        self.metrics_path = self.path / METRICS_FILE
        self._record_path = self.path / RECORD_FILE

    def record(self) -> dict[str, Any]:
        """Read ``run.json``; empty where there is none.

        Raises:
            UserError: The file is not what a run writes.
        """
        if not self._record_path.is_file():
            return {}
        try:
            return dict(json.loads(self._record_path.read_text("utf8")))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self._record_path} is not readable JSON ({error}); restore it or use --overwrite"
            ) from error

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write ``run.json``, aside and renamed."""
        write_text(self._record_path, json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n")

    def is_of_a_run(self) -> bool:
        """Whether a run of this package wrote here: its record is there, even if it is cut."""
        if not self._record_path.is_file():
            return False
        try:
            return "status" in self.record()
        except UserError:
            return True

    def require_own(self) -> None:
        """Refuse a folder in which somebody keeps other things than a run, whatever flags were given.

        Raises:
            UserError: It is not empty and holds no run; what it holds is named. Hidden files do not count.
        """
        found = visible_names(self.path) - _BEFORE_THE_RECORD
        if found and not self.is_of_a_run():
            raise UserError(
                f"{self.path} holds {listed(found)} and no run of selfsent; name an empty or a new folder with --output"
            )

    @contextlib.contextmanager
    def sole_writer(self, what: str = "run folder") -> Generator[None]:
        """Keep other processes from writing here while the block runs.

        It may be entered again inside the block. Of several ranks the first holds the folder for all. A folder that was
        made for the block and in which an error left nothing is removed.

        Args:
            what: Noun for the error text.

        Raises:
            UserError: Another process writes here, or nothing can be written.
        """
        held = _WRITING.get()
        if self.path in held or not is_first_rank():
            yield
            return
        is_new = not self.path.exists()
        self.check_writable()
        with one_writer(self.path, what):
            token = _WRITING.set(held | {self.path})
            try:
                yield
            except BaseException:
                if is_new:
                    self._remove_if_nothing_came()
                raise
            finally:
                _WRITING.reset(token)

    def _remove_if_nothing_came(self) -> None:
        """Remove the folder again where it holds nothing but the lock, as after a refused request."""
        with contextlib.suppress(OSError):  # Windows removes no file that is open
            if {path.name for path in self.path.iterdir()} == {LOCK_FILE}:
                (self.path / LOCK_FILE).unlink()
                self.path.rmdir()

    def check_writable(self) -> None:
        """Make the folder and write a byte into it, before any work is spent.

        Raises:
            UserError: The folder cannot be made or written to.
        """
        probe = self.path / f".writable.{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"0")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"cannot write to the output {self.path}: {error.strerror}; name a writable folder with --output"
            ) from error

    def begin(self, plan: RunPlan) -> Start:
        """Decide how a run starts here, and refuse to destroy or to mix up what an earlier one left.

        Args:
            plan: What the run is, and whether it continues or replaces what is here.

        Raises:
            UserError: The folder cannot be written to, is not a run's, holds a model or an unfinished run and neither
                flag was given, holds a run of another recipe, or no checkpoint is whole.
        """
        resume, overwrite = plan.run.resume, plan.run.overwrite
        self.check_writable()
        self.require_startable(resume=resume, overwrite=overwrite)
        if overwrite:
            self._clear()
            return Start("fresh")
        record = self.record()
        if resume and record:
            return self._resumed(record, plan)
        return Start("fresh", note=f"nothing to resume in {self.path}: starting afresh" if resume else "")

    def require_startable(self, *, resume: bool, overwrite: bool) -> None:
        """Refuse what no run can start on, before any work is spent; nothing is written.

        Args:
            resume: Continue an interrupted run.
            overwrite: Replace whatever run or model is here.

        Raises:
            UserError: The folder is not a run's, its record is cut, both flags were given, or it holds a model or an
                unfinished run and neither was.
        """
        self.require_own()
        if resume and overwrite:
            raise UserError("both --resume and --overwrite were given; one continues a run, the other erases it")
        if overwrite:
            return
        record = self.record()
        if not (resume and record):
            self._refuse_existing(record)

    def _resumed(self, record: Mapping[str, Any], plan: RunPlan) -> Start:
        identity = plan.identity
        before = {key: record.get(key) for key in identity}
        before["recipe"] = plan.run.completed(record.get("recipe") or {})
        changed = differences(before, identity)
        if changed:
            shown = "; ".join(changed[:_NUM_DIFFERENCES_SHOWN])
            more = f" and {len(changed) - _NUM_DIFFERENCES_SHOWN} more" if len(changed) > _NUM_DIFFERENCES_SHOWN else ""
            raise UserError(
                f"--resume in {self.path} with another recipe ({shown}{more}); "
                "give the settings of the earlier run, or another --output"
            )
        if record.get("num_ranks", 1) != num_ranks():
            raise UserError(
                f"--resume in {self.path} with {num_ranks()} processes, and {record.get('num_ranks', 1)} began the run:"
                " its order of rows and its random numbers belong to these; start as many again"
            )
        if record.get("status") == "finished":
            return Start("finished", note=f"the run in {self.path} is finished: nothing to resume")
        is_model_only = bool(identity.get("arguments", {}).get("save_only_model"))
        checkpoint, problems = last_whole_checkpoint(self.checkpoints, is_model_only=is_model_only)
        if checkpoint is None:
            return Start("fresh", note=f"no checkpoint in {self.checkpoints} yet: starting afresh")
        return Start("resumed", checkpoint, note="; ".join([f"continuing from {checkpoint}", *problems]))

    def _refuse_existing(self, record: Mapping[str, Any]) -> None:
        checkpoint = last_checkpoint(self.checkpoints)
        if record.get("status") != "finished" and checkpoint is not None:
            raise UserError(
                f"{self.path} holds an unfinished run ({checkpoint.name}); continue it with --resume, "
                "erase it with --overwrite, or name another --output"
            )
        if (self.path / MODULES_FILE).is_file():
            raise UserError(f"{self.path} already holds a model; replace it with --overwrite, or name another --output")

    def _clear(self) -> None:
        """Remove the earlier model and run, ``modules.json`` first: what is left never opens as a model."""
        names = self._names_of_model() | {METRICS_FILE, self.checkpoints.name}
        (self.path / MODULES_FILE).unlink(missing_ok=True)
        for name in (*sorted(names - {"", ".", ".."}), RECORD_FILE):
            self._remove(self.path / name)

    def _names_of_model(self) -> set[str]:
        """The files and folders of the model here: by the record, or else by what a checkpoint and its modules name."""
        try:
            names = set(map(str, self.record().get("files", [])))
        except UserError:  # the record is cut
            checkpoint = last_checkpoint(self.checkpoints)
            names = set[str]() if checkpoint is None else {CARD_FILE, *(entry.name for entry in checkpoint.iterdir())}
        try:
            modules: Any = json.loads((self.path / MODULES_FILE).read_text("utf8"))
            return names | {str(module["path"]) for module in modules}
        except (OSError, ValueError, TypeError, KeyError):  # there is none, or it is cut
            return names

    def _remove(self, entry: Path) -> None:
        if entry.parent != self.path:
            return
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)

    def install(self, model: SentenceTransformer, record: Mapping[str, Any]) -> list[str]:
        """Put the finished model at the root of the folder: written aside, then moved, ``modules.json`` last.

        Args:
            model: What to save.
            record: What ``run.json`` says of the run, for the model card.

        Returns:
            The names of the files and folders it consists of.

        Raises:
            UserError: The disk is full or cannot be written to.
        """
        aside = self.path / _INSTALLING_FOLDER
        try:
            shutil.rmtree(aside, ignore_errors=True)
            model.save_pretrained(str(aside))
            require_own_package(aside, model)
            write_model_card(aside, model, record)
            (self.path / MODULES_FILE).unlink(missing_ok=True)
            names = sorted((entry.name for entry in aside.iterdir()), key=lambda name: (name == MODULES_FILE, name))
            for name in names:
                self._remove(self.path / name)
                (aside / name).replace(self.path / name)
        except OSError as error:
            raise UserError(
                f"cannot write the model to {self.path}: {error.strerror or error}; free some space and use --resume"
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return names


def require_own_package(folder: Path, model: SentenceTransformer) -> None:
    """Have the host ask for this package when it opens the model in ``folder``, if the model needs it."""
    if own_modules(model):
        path = folder / _MODEL_CONFIG_FILE
        config = json.loads(path.read_text("utf8"))
        version = package_version("selfsent")
        specifier = f">={version}" if version != "unknown" else ""
        reason = "the model is built of modules of this package: pip install selfsent"
        config["requirements"] = {"selfsent": {"specifier": specifier, "reason": reason}}
        path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf8")


@contextlib.contextmanager
def resumable(folder: RunFolder) -> Generator[None]:
    """Say how to go on when a person interrupts the run, or when the disk fills up."""
    try:
        yield
    except KeyboardInterrupt:
        checkpoint = last_checkpoint(folder.checkpoints)
        step = f"from {checkpoint.name}" if checkpoint else "from the start (no checkpoint had been written yet)"
        raise KeyboardInterrupt(f"interrupted; the same command with --resume continues {step}") from None
    except OSError as error:
        raise UserError(
            f"cannot write to {folder.path}: {error.strerror or error}; free some space and continue with --resume"
        ) from error
