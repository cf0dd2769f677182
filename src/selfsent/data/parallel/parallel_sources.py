"""Sources of translations: tables, aligned files, translation memories and catalogues, of many languages at once.

``parallel:SPEC[;SPEC...]``, where a SPEC is

==============================  ====================================================================================
``pairs.tsv`` and its like      a table with a header of language codes, two or more; or two columns and a name such
                                as ``en-de.tsv``
``corpus.en,corpus.de``         files aligned line by line (Moses), languages from the names
``en=a.txt,de=b.txt,fr=c.txt``  the same, languages said; a table with several columns is aligned column by column
``memory.tmx``                  a translation memory, of any number of languages
``de.po``                       a gettext catalogue
a folder                        everything in it that is one of these; files named ``test`` or ``dev`` are left out
==============================  ====================================================================================
"""

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsent.data.bad_rows import BadRows, OnBadRow
from selfsent.data.columns import Row, is_header, layout_of, may_be_text
from selfsent.data.compression import COMPRESSIONS, format_suffixes
from selfsent.data.formats import BadRecord, is_readable, read_head
from selfsent.data.languages import is_language_code, normal_code, unknown_code
from selfsent.data.parallel.parallel_formats import (
    PREFIX,
    UNITS,
    check_equal_lengths,
    read_aligned,
)
from selfsent.data.parallel.translation_memory import AlignedRecords, LanguageTexts
from selfsent.data.source import Source, source_of_tables
from selfsent.data.source_files import (
    expanded,
    file_tables,
    files_below,
    named_files,
    notes_of,
    readable_name,
    refuse_missing,
)
from selfsent.data.tables import Reading
from selfsent.errors import UserError

UNKNOWN_LANGUAGE = "und"
"""The code of ISO 639 for a language that nothing names."""

_TABLES = (".tsv", ".csv", ".jsonl", ".parquet")
_WITH_NAMES = (".jsonl", ".parquet")
_PAIR_NAME = re.compile(r"([A-Za-z]{2,3})-([A-Za-z]{2,3})")
_CODE_LIKE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,4})*")
_EVALUATION_NAMES = frozenset({"test", "dev", "valid", "validation"})
_NUM_SHOWN = 5

Languages = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A text, a translation of it, and their languages (``und`` where nothing names them)."""

    source: str
    target: str
    source_language: str
    target_language: str


@dataclass(frozen=True)
class _Opening:
    """How corpora are opened, and the notes that this leaves."""

    on_bad_row: OnBadRow
    header: bool | None
    exclude: Sequence[str | Path]
    notes: list[str]


@dataclass(frozen=True)
class _Corpus:
    """Aligned records of one place: ``name`` goes into each row as its ``file``, ``path`` into error texts."""

    name: str
    path: str
    read: Callable[[BadRows], Iterator[tuple[int, LanguageTexts]]]
    languages: Languages | None


def open_parallel(
    spec: str | Path,
    *,
    columns: Sequence[str | int] | None = None,
    header: bool | None = None,
    on_bad_row: OnBadRow = "stop",
    max_rows: int | None = None,
    exclude: Sequence[str | Path] = (),
) -> Source:
    """Open translations: rows of ``source, target``, with ``source_language`` and ``target_language`` beside them.

    The first language of a record is its source, and every other one gives a row.

    Args:
        spec: What to open, see the module's description; the prefix may be left out.
        columns: The languages to read, the source language first; default: all, the first one being the source.
        header: Whether the first row of a table names its columns; default: it does where all are language codes.
        on_bad_row: ``stop`` raises at the first row that cannot be used, ``skip`` counts such rows.
        max_rows: Read at most this many rows; default all.
        exclude: Files and folders not to read where a folder holds them.

    Raises:
        UserError: There is no such file or no row, a language code is unknown, or aligned files differ in length.
    """
    name = str(spec)
    notes: list[str] = []
    opening = _Opening(on_bad_row, header, exclude, notes)
    wanted = _wanted(columns)
    parts = [part.strip() for part in name.removeprefix(PREFIX).split(";") if part.strip()]
    corpora = [corpus for part in parts for corpus in _corpora(part, opening)]
    corpora = _with_languages(corpora, wanted, notes)
    if not corpora:
        raise UserError(
            f"{name} holds no translations{f' from {wanted[0]} into {_listed(wanted[1:])}' if wanted else ''}; needed"
            " are a table with a header of language codes, aligned files (corpus.en,corpus.de), .tmx or .po"
        )
    source = Source(
        spec=name,
        columns=("source", "target"),
        provenance_columns=("source_language", "target_language", "file", "line"),
        read=lambda bad_rows: itertools.chain.from_iterable(_rows(corpus, wanted, bad_rows) for corpus in corpora),
        notes=notes,
        on_bad_row=on_bad_row,
        max_rows=max_rows,
    )
    if next(iter(source), None) is None:
        reason = f"; the first bad row is {source.first_bad_row}" if source.first_bad_row else ""
        raise UserError(f"{name} is empty: it holds no text with a translation{reason}")
    return source


def pairs_of(source: Source) -> Iterator[Pair]:
    """Read any source of several texts a row as pairs: the first text, with each of the others.

    Args:
        source: One of this module's, or a plain one, whose columns are the languages where they are codes.

    Raises:
        UserError: The source has one text a row.
    """
    names = source.text_columns
    if len(names) < 2:  # noqa: PLR2004 a text and its translation
        raise UserError(
            f"{source.spec} holds single texts, not translations; give a table with a header of language codes,"
            " parallel:corpus.en,corpus.de, a .tmx or a .po file"
        )
    if "source_language" in source.provenance_columns:
        for row in source:
            yield Pair(
                source=str(row["source"]),
                target=str(row["target"]),
                source_language=str(row["source_language"]),
                target_language=str(row["target_language"]),
            )
        return
    codes = [name if is_language_code(name) else UNKNOWN_LANGUAGE for name in names]
    for row in source:
        for name, code in zip(names[1:], codes[1:], strict=True):
            yield Pair(source=str(row[names[0]]), target=str(row[name]), source_language=codes[0], target_language=code)


# Which corpora a specification names ----------------------------------------------------------------------------------


def _corpora(spec: str, opening: _Opening) -> Iterator[_Corpus]:
    path = expanded(spec)
    if "," in spec and not os.path.exists(path):  # noqa: PTH110 `Path.exists` fails for a name that is too long
        yield _aligned_corpus(_aligned_files(spec))
        return
    refuse_missing(path, "check the path")
    if path.is_dir():
        yield from _folder(path, opening)
        return
    suffix = format_suffixes(path)[0]
    if suffix in UNITS:
        yield _unit_corpus(path, UNITS[suffix])
    elif is_readable(path) and suffix in _TABLES:
        yield _table_corpus(path, opening)
    else:
        raise UserError(
            f"{path} alone holds no translations; name its other language too ({path},OTHER), or a table with a header"
            " of language codes, a .tmx or a .po file"
        )


def _folder(folder: Path, opening: _Opening) -> Iterator[_Corpus]:
    """Everything in a folder that holds translations; what was left out becomes a note."""
    found = files_below(folder, opening.exclude)
    files = found.files
    used: list[Path] = []
    evaluation = [path for path in files if path.name.partition(".")[0].lower() in _EVALUATION_NAMES]
    groups: dict[Path, dict[str, Path]] = {}
    for path in (path for path in files if path not in evaluation):
        suffix = format_suffixes(path)[0]
        if suffix in UNITS:
            used.append(path)
            yield _unit_corpus(path, UNITS[suffix])
        elif suffix in _TABLES and _languages_of_table(path):
            used.append(path)
            yield _table_corpus(path, opening)
        elif is_language_code(suffix.removeprefix(".")):
            groups.setdefault(path.with_name(_without_suffixes(path)), {})[suffix.removeprefix(".")] = path
    for group in groups.values():
        if len(group) > 1:
            used += group.values()
            yield _aligned_corpus(group)
    others = [path for path in files if path not in used and path not in evaluation]
    if evaluation:
        opening.notes.append(f"not read, being for evaluation: {named_files(evaluation, folder)}")
    if others:
        opening.notes.append(
            f"files not read, holding no translations by name or header: {named_files(others, folder)}"
        )
    opening.notes.extend(notes_of(found, folder))


def _without_suffixes(path: Path) -> str:
    """A name without its language and compression: what files that belong together share."""
    name = path.name
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return name.rpartition(".")[0]


def _aligned_files(spec: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for part in spec.split(","):
        said, equals, rest = part.strip().partition("=")
        if equals and _CODE_LIKE.fullmatch(said):
            code, path = normal_code(said), expanded(rest)
            if not is_language_code(code):
                raise UserError(f"{spec}: {unknown_code(said)}")
        else:
            path = expanded(part.strip())
            code = _code_of_name(path)
        if not path.is_file():
            raise UserError(f"no file at {path}; check the path")
        if code in files:
            raise UserError(f"{spec} names two files in {code}; write the language of each: en=a.txt,de=b.txt")
        files[code] = path
    return files


def _code_of_name(path: Path) -> str:
    """The language a file's name ends in, before its format: ``corpus.de``, ``corpus.de.txt.gz``."""
    endings = [ending.removeprefix(".") for ending in reversed(path.suffixes)]
    found = next((normal_code(ending) for ending in endings if is_language_code(normal_code(ending))), None)
    if found is None:
        raise UserError(
            f"the name of {path} does not end in a known language code, as corpus.de does; write it: de={path}"
        )
    return found


def _aligned_corpus(files: Mapping[str, Path]) -> _Corpus:
    check_equal_lengths(files)
    name = ",".join(readable_name(Path(path.name)) for path in files.values())
    return _Corpus(
        name, name, lambda bad_rows: _good(lambda: read_aligned(files), name, bad_rows), tuple(map(normal_code, files))
    )


def _unit_corpus(path: Path, read: Callable[[Path], AlignedRecords]) -> _Corpus:
    place = readable_name(path)
    return _Corpus(
        readable_name(Path(path.name)), place, lambda bad_rows: _good(lambda: read(path), place, bad_rows), None
    )


def _good(records: Callable[[], AlignedRecords], path: str, bad_rows: BadRows) -> Iterator[tuple[int, LanguageTexts]]:
    """Yield the records that can be used; report the others."""
    for line, record in records():
        if isinstance(record, BadRecord):
            bad_rows.report(f"{path}, line {line}", record.reason, num_lines=record.num_lines)
        else:
            yield line, record


def _table_corpus(path: Path, opening: _Opening) -> _Corpus:
    languages = _languages_of_table(path)
    if not languages:
        raise UserError(
            f"{path} does not say which languages it holds; give it a header of language codes (en, de), or name a"
            " file of two columns en-de.tsv"
        )
    columns = languages if format_suffixes(path)[0] in _WITH_NAMES else None
    reading = Reading(columns, opening.header, opening.on_bad_row)
    table = source_of_tables(file_tables(path), reading, spec=str(path))
    opening.notes.extend(note for note in table.notes if note not in opening.notes)
    return _Corpus(
        readable_name(Path(path.name)),
        readable_name(path),
        lambda bad_rows: _table_rows(table, languages, bad_rows),
        languages,
    )


def _languages_of_table(path: Path) -> Languages:
    """Read the languages from the header, or from the name of a table of two columns; none where neither names them.

    Raises:
        UserError: All cells of a first row look like language codes and one is unknown.
    """
    records = (record for _, record in read_head(path) if not isinstance(record, BadRecord))
    first, second = next(records, None), next(records, None)
    if first is None:
        return ()
    if isinstance(first, Mapping):
        return tuple(name for name, value in first.items() if is_language_code(name) and may_be_text(name, value))
    cells = [cell.strip() for cell in first]
    if is_header(cells):
        columns = layout_of(cells, None, str(path), second=second).columns
        return columns if all(map(is_language_code, columns)) else ()
    unknown = [cell for cell in cells if not is_language_code(cell)]
    if all(_CODE_LIKE.fullmatch(cell) for cell in cells) and len(unknown) < len(cells):
        raise UserError(f"{path}, line 1: {unknown_code(unknown[0])}")
    named = _PAIR_NAME.fullmatch(path.name.partition(".")[0])
    codes = tuple(normal_code(code) for code in named.groups()) if named else ()
    return codes if len(cells) == len(codes) and all(map(is_language_code, codes)) else ()


def _table_rows(table: Source, languages: Languages, bad_rows: BadRows) -> Iterator[tuple[int, LanguageTexts]]:
    columns, codes = table.text_columns, [normal_code(language) for language in languages]
    for row in table.read(bad_rows):
        yield int(row["line"]), {code: str(row[column]) for code, column in zip(codes, columns, strict=True)}


# Which pairs a record gives -------------------------------------------------------------------------------------------


def _wanted(columns: Sequence[str | int] | None) -> Languages:
    if columns is None:
        return ()
    codes = [normal_code(str(column)) for column in columns]
    for code in codes:
        if not is_language_code(code):
            raise UserError(f"--columns: {unknown_code(code)}; of translations it names the languages, en,de,fr")
    if len(codes) < 2:  # noqa: PLR2004 a language and another
        raise UserError(f"--columns {codes[0] if codes else ''} must name two languages, the source language first")
    return tuple(codes)


def _with_languages(corpora: Iterable[_Corpus], wanted: Languages, notes: list[str]) -> list[_Corpus]:
    """The corpora that hold the source language and another one that is wanted."""
    kept: list[_Corpus] = []
    left_out: list[str] = []
    for corpus in corpora:
        has_pair = corpus.languages is None or len(_picked(corpus.languages, wanted)) > 1
        (kept.append(corpus) if has_pair else left_out.append(corpus.name))
    if left_out:
        notes.append(f"not read, without {wanted[0]} and another language wanted: {_listed(left_out)}")
    return kept


def _picked(languages: Iterable[str], wanted: Languages) -> Languages:
    """The languages of a record to use, the source first: those wanted, regions ignored, or all."""
    held = tuple(languages)
    if not wanted:
        return held
    by_wanted = {code: next((one for one in held if one == code or one.split("-")[0] == code), None) for code in wanted}
    return tuple(one for one in by_wanted.values() if one is not None) if by_wanted[wanted[0]] else ()


def _rows(corpus: _Corpus, wanted: Languages, bad_rows: BadRows) -> Iterator[Row]:
    for line, texts in corpus.read(bad_rows):
        source, *targets = _picked(texts, wanted) or ("",)
        for target in targets:
            yield {
                "source": texts[source],
                "target": texts[target],
                "source_language": source,
                "target_language": target,
                "file": corpus.name,
                "line": line,
            }


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NUM_SHOWN} more" if len(names) > _NUM_SHOWN else ""
    return ", ".join(names[:_NUM_SHOWN]) + more
