"""The type of a view: it gives another version of each text with the same meaning."""

from collections.abc import Callable

View = Callable[[list[str]], list[str]]
"""Maps texts to as many texts in the same order; draws from Python's and torch's global random numbers only."""
