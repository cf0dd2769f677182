"""Natural language inference as triplets: a premise, a sentence it entails, and one that contradicts it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from selfsent.data.heldout import hash_of_text
from selfsent.data.judged_pairs import ENTAILMENT_LABELS, label_number, refuse_row
from selfsent.data.source import Source

_ENTAILED, _CONTRADICTING = ENTAILMENT_LABELS.index("entailment"), ENTAILMENT_LABELS.index("contradiction")


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
        for row in self.source:
            try:
                label = label_number(row["label"], ENTAILMENT_LABELS)
            except ValueError as problem:
                refuse_row(self.source, row, problem)
                continue
            premise = str(row["premise"])
            known = by_premise.setdefault(premise, _Hypotheses(premise=premise))
            if label == _ENTAILED:
                known.entailed.append(str(row["hypothesis"]))
            elif label == _CONTRADICTING:
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
