"""How mkdocstrings reads our docstrings: an ``Example:`` is a section of code."""

import re
from typing import Any

from griffe import Extension, Object


class Docstrings(Extension):
    """Give the section of examples the name that Google style has for it."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
