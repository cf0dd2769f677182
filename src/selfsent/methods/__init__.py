"""The front door by paper: citation, equation to file, defaults, departures.

``METHODS`` names every method of the command line; ``train`` runs one.
"""

from selfsent.methods.recipe import Method, Recipe
from selfsent.methods.strae import SELF_STRAE, STRAE
from selfsent.methods.train import train

METHODS: dict[str, Method] = {method.name: method for method in (SELF_STRAE, STRAE)}

__all__ = ["METHODS", "Method", "Recipe", "train"]
