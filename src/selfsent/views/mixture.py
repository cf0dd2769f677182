"""A view that makes each text by one of several views, drawn anew for every text."""

from dataclasses import dataclass

from selfsent.errors import UserError
from selfsent.views.view import View, draw_position

SEPARATOR = "+"
"""Stands between the names of the views of a mixture."""


@dataclass(frozen=True)
class Mixture:
    """Makes each text by one of several views, each as likely as any other.

    SCT leaves open what a mixture of augmentations does (Limkonchotiwat et al. 2023, Section 6): this is one.

    Args:
        views: Two views at least.

    Raises:
        UserError: There are fewer than two views.
    """

    views: tuple[View, ...]

    def __post_init__(self) -> None:
        """Refuse what is no mixture."""
        if len(self.views) < 2:  # noqa: PLR2004 one view is no mixture
            raise UserError(f"a mixture must be of two views or more, got {len(self.views)}")

    def __call__(self, texts: list[str]) -> list[str]:
        """Draw a view for each text, and let every view make its texts in one go."""
        drawn = [draw_position(len(self.views)) for _ in texts]
        made = list(texts)
        for number, view in enumerate(self.views):
            places = [place for place, one in enumerate(drawn) if one == number]
            for place, text in zip(places, view([texts[place] for place in places]), strict=True):
                made[place] = text
        return made


@dataclass(frozen=True)
class NeverEmpty:
    """Keeps a text where a view would leave nothing of it.

    Args:
        view: What makes the view.
    """

    view: View

    def __call__(self, texts: list[str]) -> list[str]:
        """Make the view of each text, or give the text itself back."""
        return [made if made.strip() else text for text, made in zip(texts, self.view(texts), strict=True)]
