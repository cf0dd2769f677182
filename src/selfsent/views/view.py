"""What a view is: another version of each text, that means the same."""

from collections.abc import Callable

View = Callable[[list[str]], list[str]]
"""Maps texts to as many texts in the same order; draws from Python's and torch's global random numbers only."""
