"""A file of ready-made pairs: two views of each text, computed once instead of at every epoch."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from selfsent.atomic import atomic_path
from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.views.view import View

SUFFIXES = (".tsv", ".jsonl")
COLUMNS = ("anchor", "positive")

_TEXTS_A_CHUNK = 1024


@dataclass(frozen=True, kw_only=True)
class PairFileReport:
    """What was written.

    Args:
        output: The file.
        num_pairs: Its rows.
        num_unchanged: Rows of it whose two texts are equal.
        num_dropped: Texts that a view made empty; they are not in the file.
    """

    output: Path
    num_pairs: int
    num_unchanged: int
    num_dropped: int


def write_pairs(
    texts: Iterable[str], output: str | Path, view_a: View, view_b: View, *, overwrite: bool = False
) -> PairFileReport:
    """Write two views of each text as the columns ``anchor`` and ``positive``.

    For the back-translations of SCT both views are a ``BackTranslation``; with ``Repeat()`` as the first, each text is
    paired with its back-translation. The file appears when it is whole; a run after a kill is quick where the views
    keep their results. Views that draw at random do so from the global random numbers: seed them for the same file.

    Args:
        texts: The corpus, such as ``source.texts()``; a thousand are in memory at a time.
        output: ``.tsv`` (white space within a text becomes single blanks) or ``.jsonl``.
        view_a: Makes the anchors.
        view_b: Makes the positives.
        overwrite: Whether a file that exists is replaced.

    Returns:
        Counts.

    Raises:
        UserError: The file's suffix is another, it exists or cannot be written, or no text was left.
    """
    output = expanded(output)
    if output.suffix not in SUFFIXES:
        raise UserError(f"cannot tell the format of {output}: its name must end in {' or '.join(SUFFIXES)}")
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists; pass overwrite to replace it, or name another file")
    num_texts = num_pairs = num_unchanged = 0
    with atomic_path(output) as aside, aside.open("w", encoding="utf8", newline="\n") as file:
        file.write("\t".join(COLUMNS) + "\n" if output.suffix == ".tsv" else "")
        for chunk in _chunks(texts):
            num_texts += len(chunk)
            for pair in zip(view_a(chunk), view_b(chunk), strict=True):
                if all(text.strip() for text in pair):
                    file.write(_line(pair, output.suffix))
                    num_pairs += 1
                    num_unchanged += pair[0] == pair[1]
        if not num_pairs:
            raise UserError(f"no pair to write to {output}: the views made all {num_texts} texts empty")
    return PairFileReport(
        output=output, num_pairs=num_pairs, num_unchanged=num_unchanged, num_dropped=num_texts - num_pairs
    )


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(tqdm(texts, desc="making pairs", unit=" texts", disable=None, leave=False))
    while chunk := list(itertools.islice(iterator, _TEXTS_A_CHUNK)):
        yield chunk


def _line(pair: tuple[str, str], suffix: str) -> str:
    if suffix == ".tsv":
        return "\t".join(" ".join(text.split()) for text in pair) + "\n"
    return json.dumps(dict(zip(COLUMNS, pair, strict=True)), ensure_ascii=False) + "\n"
