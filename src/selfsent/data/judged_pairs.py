"""Pairs of sentences that people judged, as a loss takes them: a class by its number, or a score from 0 to 1."""

from collections.abc import Iterator, Sequence

from selfsent.data.columns import Row
from selfsent.data.source import Source
from selfsent.errors import UserError

ENTAILMENT_LABELS = ("entailment", "neutral", "contradiction")
"""The classes of natural language inference, numbered in this order by SNLI and MultiNLI."""

_UNLABELLED = ("-", "-1", "hidden", "")


def label_number(label: object, labels: Sequence[str]) -> int | None:
    """Number a label given by name or by number; ``None`` for one that annotators did not agree on (``-``, ``-1``).

    Args:
        label: What the row holds.
        labels: Names in lower case, numbered from 0 in this order.

    Raises:
        ValueError: It is not one of them; the text names those that are.
    """
    name = str(label).strip().lower()
    if name in labels:
        return list(labels).index(name)
    if name in _UNLABELLED:
        return None
    if name.isdecimal() and int(name) < len(labels):
        return int(name)
    raise ValueError(f"the label must be one of {', '.join(labels)}, or its number from 0 in this order, got {label!r}")


def refuse_row(source: Source, row: Row, problem: Exception) -> None:
    """Treat a row whose content cannot be used as the source treats bad rows: stop there, or count it.

    Raises:
        UserError: The source stops at bad rows; names file and line.
    """
    place = f"{row['file']}, line {row['line']}" if "line" in row else source.spec
    source._bad_rows.report(place, str(problem))  # noqa: SLF001 one count of bad rows a pass, whoever finds them


def require_columns(source: Source, columns: Sequence[str], *, method: str) -> None:
    """Require that a source has the columns a method learns from.

    Raises:
        UserError: It has others.
    """
    if set(source.columns) != set(columns):
        raise UserError(
            f"{method} learns from {', '.join(columns)}; {source.spec} holds {', '.join(source.columns)};"
            " give data with these columns, or pick them with --columns"
        )


class ClassifiedPairs:
    """The pairs of a source of ``premise, hypothesis, label``, with the number of the class.

    Pairs without an agreed label are left out and counted; so are those with an unknown one, if the source skips bad
    rows.

    Args:
        source: The rows.
        labels: Names of the classes, at least two, in lower case; as integers they count from 0 in this order.

    Raises:
        UserError: At a label outside the set (file and line are named), or after a pass that met fewer than two.
    """

    columns = ("premise", "hypothesis", "label")

    def __init__(self, source: Source, *, labels: Sequence[str] = ENTAILMENT_LABELS) -> None:
        self.source, self.labels = source, tuple(labels)
        self.num_unlabelled = 0
        self.num_pairs = dict.fromkeys(self.labels, 0)

    def __iter__(self) -> Iterator[Row]:
        self.num_unlabelled, self.num_pairs = 0, dict.fromkeys(self.labels, 0)
        for row in self.source:
            try:
                number = label_number(row["label"], self.labels)
            except ValueError as problem:
                refuse_row(self.source, row, problem)
                continue
            if number is None:
                self.num_unlabelled += 1
                continue
            self.num_pairs[self.labels[number]] += 1
            yield {"premise": row["premise"], "hypothesis": row["hypothesis"], "label": number}
        found = [label for label, count in self.num_pairs.items() if count]
        if len(found) < 2:  # noqa: PLR2004 a decision needs two
            raise UserError(
                f"{self.source.spec} holds pairs of {' and '.join(found) or 'no label'} only"
                f" ({self.num_unlabelled:,} without a label); a classifier needs two of {', '.join(self.labels)}"
            )

    def note(self) -> str:
        """Say how many pairs there are of each class, and what was left out, after a pass."""
        counts = ", ".join(f"{count:,} {label}" for label, count in self.num_pairs.items())
        return f"labels: {counts}; {self.num_unlabelled:,} rows without an agreed label left out"


class RatedPairs:
    """The pairs of a source of ``sentence1, sentence2, score``, with the score mapped to 0 ... 1.

    Args:
        source: The rows.
        lowest: The score of a pair that has nothing in common (STS: 0).
        highest: The score of a pair that says the same (STS: 5).

    Raises:
        UserError: The range is empty, or, at a score outside it, file and line are named.
    """

    columns = ("sentence1", "sentence2", "score")

    def __init__(self, source: Source, *, lowest: float = 0.0, highest: float = 5.0) -> None:
        if not lowest < highest:
            raise UserError(f"the first number of the range must be the lower one, got {lowest} and {highest}")
        self.source, self.lowest, self.highest = source, lowest, highest

    def __iter__(self) -> Iterator[Row]:
        for row in self.source:
            score = float(row["score"])
            if self.lowest <= score <= self.highest:
                scaled = (score - self.lowest) / (self.highest - self.lowest)
                yield {"sentence1": row["sentence1"], "sentence2": row["sentence2"], "score": scaled}
            else:
                problem = ValueError(
                    f"the score must be {self.lowest:g} to {self.highest:g}, got {score:g} (score_range changes it)"
                )
                refuse_row(self.source, row, problem)
