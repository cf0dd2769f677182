"""Natural language inference as triplets: a premise, a sentence it entails, and one that contradicts it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from selfsent.data.heldout import hash_of_text
from selfsent.data.sources import Source
from selfsent.errors import UserError

LABELS = ("entailment", "neutral", "contradiction")
"""Names of the labels; as integers they count from 0 in this order, as in SNLI and MultiNLI."""

_UNLABELLED = ("-", "-1", "hidden", "")


def label_name(label: str | float, place: str) -> str | None:
    """Name a label given by name or number; ``None`` for one that annotators did not agree on (``-``, ``-1``).

    Args:
        label: What the row holds.
        place: Where it stands, for the error text.

    Raises:
        UserError: It is no label of inference.
    """
    text = str(label).strip().lower()
    if text in _UNLABELLED:
        return None
    if text in LABELS:
        return text
    if text in {"0", "1", "2"}:
        return LABELS[int(text)]
    raise UserError(
        f"{place}: the label is {label!r}; needed is one of {', '.join(LABELS)}, or 0, 1, 2 in this order;"
        " mend it, or leave its row out"
    )


@dataclass(kw_only=True)
class _Hypotheses:
    premise: str
    entailed: list[str] = field(default_factory=list[str])
    contradicting: list[str] = field(default_factory=list[str])


class EntailmentTriplets:
    """Triplets of a source of ``premise, hypothesis, label``: one for each entailed sentence of a premise.

    The contradiction is one of the premise's own, drawn by a hash of the pair, so that it is the same in every pass.
    A premise without a contradiction or without an entailed sentence gives none, and is counted.

    Source: SimCSE (Gao et al., EMNLP 2021), Section 4.

    Args:
        source: The rows; all are held in memory during a pass.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.num_premises = self.num_incomplete = 0

    def __iter__(self) -> Iterator[dict[str, str]]:
        by_premise: dict[str, _Hypotheses] = {}
        for number, row in enumerate(self.source, start=1):
            label = label_name(row["label"], _place(self.source, row, number))
            premise = str(row["premise"])
            known = by_premise.setdefault(premise, _Hypotheses(premise=premise))
            if label == "entailment":
                known.entailed.append(str(row["hypothesis"]))
            elif label == "contradiction":
                known.contradicting.append(str(row["hypothesis"]))
        self.num_premises = len(by_premise)
        self.num_incomplete = sum(not (one.entailed and one.contradicting) for one in by_premise.values())
        for one in by_premise.values():
            for positive in one.entailed if one.contradicting else ():
                drawn = hash_of_text(f"{one.premise}\x1f{positive}") % len(one.contradicting)
                yield {"anchor": one.premise, "positive": positive, "negative": one.contradicting[drawn]}

    def note(self) -> str:
        """Say how many premises gave triplets, after a pass."""
        return (
            f"{self.num_premises - self.num_incomplete:,} of {self.num_premises:,} premises have an entailed and a"
            " contradicting sentence; the others give no triplet"
        )


def _place(source: Source, row: dict[str, str | int | float], number: int) -> str:
    return f"{row['file']}, line {row['line']}" if "file" in row else f"{source.spec}, row {number}"
