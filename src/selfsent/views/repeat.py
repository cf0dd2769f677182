"""A view that leaves the text as it is, so that the model's dropout is the only difference between two views."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Gives each text back unchanged.

    Source: SimCSE (Gao et al. 2021), Table 1, "None (unsup. SimCSE)".
    """

    def __call__(self, texts: list[str]) -> list[str]:
        """Return the texts."""
        return list(texts)
