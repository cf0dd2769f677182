"""From a corpus to a parse file: what ``selfsent parse`` does, in parts, so that it can be killed and run again."""

import hashlib
import itertools
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from tqdm.auto import tqdm

from selfsent.atomic import write_text
from selfsent.data.heldout import hash_of_text
from selfsent.data.source import Source
from selfsent.data.source_files import expanded
from selfsent.errors import UserError, not_one_of
from selfsent.parsing.bad_tree import BadTree
from selfsent.parsing.parse_file import SUFFIX, join_parses, write_parses
from selfsent.parsing.parsed_text import ParsedText, uninformed
from selfsent.parsing.treebank import GivenParse, read_treebank

OnBadTree = Literal["stop", "skip", "balanced", "right", "left", "random"]
"""A text whose tree cannot be used: stop there, leave the text out, or give it a tree that does not read it."""

TEXTS_PER_PART = 8192


class Parser(Protocol):
    """What parses texts."""

    num_lifted: int

    @property
    def identity(self) -> str:
        """Says which parser it is, so that parses of two are never mixed."""
        ...

    def parse(self, texts: Iterable[str]) -> Iterator[ParsedText]:
        """Parse texts, in their order."""
        ...


@dataclass(kw_only=True)
class ParsingReport:
    """What a parsing did.

    Args:
        output: The file it wrote.
        num_texts: Texts with their parses in the file.
        num_found: Those of them that an earlier run, which was killed, had parsed.
        num_lifted: Dependency trees that were not projective and were made so.
        num_bad: Texts whose tree could not be used.
        first_bad: Place and reason of the first of them.
        num_outside: Places of a file of ready parses that hold no tree, such as the lines of a heading.
        first_outside: Place and reason of the first of them.
    """

    output: Path
    num_texts: int = 0
    num_found: int = 0
    num_lifted: int = 0
    num_bad: int = 0
    first_bad: str | None = None
    num_outside: int = 0
    first_outside: str | None = None

    def notes(self, on_bad_tree: str) -> list[str]:
        """Say what was written and which trees had problems."""
        notes = [f"{self.num_texts:,} texts with their parses written to {self.output}"]
        if self.num_found:
            notes.append(f"{self.num_found:,} of them were there from an interrupted run")
        if self.num_lifted:
            notes.append(f"{self.num_lifted:,} dependency trees were not projective and were lifted until they were")
        if self.num_bad:
            what = "left out" if on_bad_tree == "skip" else f"given a {on_bad_tree} tree"
            notes.append(f"{self.num_bad:,} texts without a usable tree {what}, the first: {self.first_bad}")
        if self.num_outside:
            notes.append(f"ignored {self.num_outside:,} times text that is not a tree, the first: {self.first_outside}")
        return notes


def parse_texts(
    source: Source, parser: Parser, output: str | Path, *, overwrite: bool = False, texts_per_part: int = TEXTS_PER_PART
) -> ParsingReport:
    """Parse every text of a source and write a parse file.

    Parts are written beside the output (``.NAME.parts``) and joined at the end. A run after a kill continues after the
    last whole part; parts of another parser or source are deleted.

    Args:
        source: The texts.
        parser: Such as `selfsent.parsing.spacy_parser.SpacyParser`.
        output: A ``.parquet`` file.
        overwrite: Whether an output that exists is replaced.
        texts_per_part: Texts of a part: what a kill loses at most, and what memory holds.

    Raises:
        UserError: The output exists or is not ``.parquet``, it cannot be written, or the source holds no text.
    """
    report = ParsingReport(output=_checked(Path(output), overwrite=overwrite))
    owner = f"{parser.identity} {source.sha256()} {texts_per_part}"
    folder = _folder_of_parts(report.output, hashlib.sha256(owner.encode()).hexdigest())
    texts = source.texts()
    files: list[Path] = []
    with tqdm(desc="parsing", unit=" texts", disable=None) as progress:
        while part := list(itertools.islice(texts, texts_per_part)):
            files.append(folder / f"{len(files):06d}{SUFFIX}")
            if files[-1].is_file():
                report.num_found += len(part)
            else:
                write_parses(files[-1], list(parser.parse(part)))
            report.num_texts += len(part)
            progress.update(len(part))
    if not files:
        raise UserError(f"{source.spec} holds no text to parse; name a source with at least one")
    join_parses(files, report.output)
    shutil.rmtree(folder)
    report.num_lifted = parser.num_lifted
    return report


def import_parses(
    treebank: str | Path,
    output: str | Path,
    *,
    source: Source | None = None,
    on_bad_tree: OnBadTree = "stop",
    lift: bool = False,
    overwrite: bool = False,
) -> ParsingReport:
    """Write a parse file from parses that are ready: bracketed trees or CoNLL-U.

    Args:
        treebank: The file of parses.
        output: A ``.parquet`` file.
        source: The sentences, the first parse being of the first; default: the texts the file states, else its words.
        on_bad_tree: What to do where a parse's words are not the sentence's, a sentence has no parse, or a dependency
            tree is not projective.
        lift: Make dependency trees projective instead.
        overwrite: Whether an output that exists is replaced.

    Raises:
        UserError: The output exists or is not ``.parquet``, a file cannot be read, a tree is malformed, or, where bad
            trees stop, the first of them.
    """
    if on_bad_tree not in get_args(OnBadTree):
        raise UserError(not_one_of("--on-bad-tree", on_bad_tree, get_args(OnBadTree)))
    report = ParsingReport(output=_checked(Path(output), overwrite=overwrite))
    folder = _folder_of_parts(report.output, "")
    parses = _imported(read_treebank(treebank), source, _BadTrees(report, on_bad_tree), report, lift=lift)
    files: list[Path] = []
    try:
        while part := list(itertools.islice(parses, TEXTS_PER_PART)):
            files.append(folder / f"{len(files):06d}{SUFFIX}")
            write_parses(files[-1], part)
            report.num_texts += len(part)
        if not files:
            first = report.first_bad or report.first_outside
            raise UserError(f"{treebank} gives no parse; the first that could not be used: {first}")
        join_parses(files, report.output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report


@dataclass(frozen=True)
class _BadTrees:
    """What happens to texts whose tree cannot be used."""

    report: ParsingReport
    on_bad_tree: OnBadTree

    def replacement(self, place: str, reason: str, text: str) -> ParsedText | None:
        """The tree to take instead, or ``None`` to leave the text out; a UserError where bad trees stop."""
        self._stop(place, reason)
        self.report.num_bad += 1
        self.report.first_bad = self.report.first_bad or f"{place}: {reason}"
        leaves_out = self.on_bad_tree == "skip" or not text
        return None if leaves_out else uninformed(text, self.on_bad_tree, hash_of_text(text))

    def pass_over(self, bad: BadTree) -> None:
        """Count text between trees that is not a tree; a UserError where bad trees stop."""
        self._stop(bad.place, bad.reason)
        self.report.num_outside += 1
        self.report.first_outside = self.report.first_outside or str(bad)

    def _stop(self, place: str, reason: str) -> None:
        if self.on_bad_tree == "stop":
            raise UserError(
                f"{place}: {reason}; correct it, or use `--on-bad-tree skip` or a structure such as"
                " `--on-bad-tree balanced`"
            )


def _imported(
    parses: Iterator[GivenParse | BadTree],
    source: Source | None,
    bad_trees: _BadTrees,
    report: ParsingReport,
    *,
    lift: bool,
) -> Iterator[ParsedText]:
    """Pair parses with sentences, each checked; what cannot be used goes to ``bad_trees``."""
    for parse, text, place in _paired(_of_sentences(parses, bad_trees), source):
        if parse is None:
            found = bad_trees.replacement(place, "the sentence has no parse: the file has too few", text)
        elif isinstance(parse, BadTree):
            found = bad_trees.replacement(place, parse.reason, text)
        else:
            try:
                found = parse.parsed(text or None, lift=lift)
                report.num_lifted += lift and parse.is_liftable
            except UserError as error:
                found = bad_trees.replacement(place, str(error), text or _words_of(parse))
        if found is not None:
            yield found


def _of_sentences(parses: Iterator[GivenParse | BadTree], bad_trees: _BadTrees) -> Iterator[GivenParse | BadTree]:
    """The parses that stand for a sentence, however malformed."""
    for parse in parses:
        if isinstance(parse, BadTree) and not parse.is_sentence:
            bad_trees.pass_over(parse)
        else:
            yield parse


def _paired(
    parses: Iterator[GivenParse | BadTree], source: Source | None
) -> Iterator[tuple[GivenParse | BadTree | None, str, str]]:
    """Each parse with its sentence (empty where the file itself has it) and the place to name in an error."""
    if source is None:
        yield from ((parse, "", parse.place) for parse in parses)
        return
    for number, text in enumerate(source.texts(), start=1):
        parse = next(parses, None)
        yield parse, text, f"{source.spec}, text {number}" + (f" ({parse.place})" if parse else "")
    left_over = next(parses, None)
    if left_over is not None:
        raise UserError(f"{left_over.place}: there are more parses than sentences in {source.spec}; give equally many")


def _words_of(parse: GivenParse) -> str:
    return getattr(parse.tree, "text", None) or " ".join(word for word in parse.tree.words if word)


def _checked(output: Path, *, overwrite: bool) -> Path:
    output = expanded(output)
    if output.suffix != SUFFIX:
        raise UserError(f"cannot write parses to {output}: its name must end in {SUFFIX}")
    if output.is_dir():
        raise UserError(f"{output} is a folder; name a file")
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists; pass `--overwrite` to replace it, or name another file")
    return output


def _folder_of_parts(output: Path, owner: str) -> Path:
    """The folder of parts; emptied where it is not ``owner``'s."""
    folder = output.with_name(f".{output.name}.parts")
    record = folder / "owner"
    if not owner or not record.is_file() or record.read_text("utf8") != owner:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(record, owner)
    return folder
