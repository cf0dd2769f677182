"""Views whose texts keep their numbers, so that values computed for each text can be looked up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Transform = Callable[[Mapping[str, list[str]]], Mapping[str, list[str]]]


@dataclass(frozen=True)
class NumberedViews:
    """Adds to each row the numbers of the texts its views are: a transform for ``Dataset.set_transform``.

    The text in column ``c`` of row ``r`` has the number ``r * len(columns) + c``
    (`selfsent.data.teacher_vectors.texts_of_columns` yields the texts in this order). A view that is not one of the
    row's texts has the number of the text in its place where there are as many texts as views, else of the first.

    Args:
        columns: The columns of texts.
        transform: Draws or makes the views; ``None`` takes the columns as they are.
        label: The column that holds the number of the row, and then those of its views.
    """

    columns: tuple[str, ...]
    transform: Transform | None = None
    label: str = "label"

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Give the views of a batch of rows, and the numbers of their texts."""
        texts = {column: list(batch[column]) for column in self.columns}
        views = dict(texts if self.transform is None else self.transform(texts))
        rows = zip(batch[self.label], zip(*texts.values(), strict=True), zip(*views.values(), strict=True), strict=True)
        return {**views, self.label: [self._numbers(*row) for row in rows]}

    def _numbers(self, row: int, texts: tuple[str, ...], views: tuple[str, ...]) -> list[int]:
        first = row * len(self.columns)
        is_paired = len(texts) == len(views)
        numbers = [texts.index(view) if view in texts else place * is_paired for place, view in enumerate(views)]
        return [first + number for number in numbers]
