"""Two views of each text of a column, as the columns a loss of pairs takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfsent.errors import UserError
from selfsent.views.view import View

VIEW_A = "view_a"
VIEW_B = "view_b"


@dataclass(frozen=True)
class PairTransform:
    """Maps a batch of rows to two views of each text: a transform for ``Dataset.set_transform``.

    It can be pickled, so that the workers of a data loader can have it, and its ``repr`` says what it does.

    Args:
        view_a: Makes the first view.
        view_b: Makes the second; both draw independently.
        column: The column that holds the texts.
    """

    view_a: View
    view_b: View
    column: str = "text"

    def __call__(self, batch: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Make both views of a batch.

        Raises:
            UserError: The rows lack the column.
        """
        texts = column_of(batch, self.column)
        return {VIEW_A: self.view_a(texts), VIEW_B: self.view_b(texts)}


@dataclass(frozen=True)
class PairedViews:
    """Makes a view of each text of ready pairs: a transform for ``Dataset.set_transform``.

    Args:
        view_a: Makes a view of the first texts.
        view_b: Makes a view of the second ones.
        columns: The columns of the pairs; further columns are left as they are.
        draw: Draws the pairs from rows of more texts; they then come as ``view_a`` and ``view_b``.
    """

    view_a: View
    view_b: View
    columns: tuple[str, str] = (VIEW_A, VIEW_B)
    draw: Callable[[Mapping[str, list[str]]], Mapping[str, list[str]]] | None = None

    def __call__(self, batch: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Make both views of a batch.

        Raises:
            UserError: The rows lack one of the columns.
        """
        pairs = batch if self.draw is None else self.draw(batch)
        first, second = self.columns
        made = {VIEW_A: self.view_a(column_of(pairs, first)), VIEW_B: self.view_b(column_of(pairs, second))}
        return made | {name: list(texts) for name, texts in pairs.items() if name not in self.columns}


def column_of(batch: Mapping[str, list[str]], column: str) -> list[str]:
    """Take a column of a batch.

    Raises:
        UserError: The rows lack it.
    """
    try:
        return list(batch[column])
    except KeyError:
        raise UserError(
            f"the rows have the columns {', '.join(batch) or 'none'}, and the views need {column}; name another column"
        ) from None
