"""The view that needs no invention: of several texts of one thing, two are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfsent.errors import UserError
from selfsent.views.pair_transform import VIEW_A, VIEW_B, column_of
from selfsent.views.view import draw_position

_PAIR = 2


@dataclass(frozen=True)
class Alternatives:
    """Draws a pair from columns that hold alternative texts of one thing: a transform for ``Dataset.set_transform``.

    Args:
        columns: Names of the columns, two at least: ``text_1 ... text_n``, or ``anchor`` and ``positive``.

    Raises:
        UserError: There are fewer than two columns.
    """

    columns: tuple[str, ...]

    def __init__(self, columns: Sequence[str]) -> None:
        if len(set(columns)) < _PAIR:
            raise UserError(f"got {len(set(columns))} columns of alternative texts; a pair is drawn from two or more")
        object.__setattr__(self, "columns", tuple(columns))

    def __call__(self, batch: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Draw two texts of each row, in either order, that differ wherever the row holds two that do.

        Raises:
            UserError: The rows lack one of the columns.
        """
        rows = zip(*(column_of(batch, column) for column in self.columns), strict=True)
        pairs = [_drawn_pair(row) for row in rows]
        return {VIEW_A: [one for one, _ in pairs], VIEW_B: [other for _, other in pairs]}


def _drawn_pair(row: tuple[str, ...]) -> tuple[str, str]:
    texts = list(dict.fromkeys(row))
    if len(texts) < _PAIR:
        return row[0], row[0]
    first = texts.pop(draw_position(len(texts)))
    return first, texts[draw_position(len(texts))]
