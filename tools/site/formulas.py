"""Formulas of Markdown as MathML, so that a page needs no script and no font of another host."""

import re

from latex2mathml.converter import convert

_BLOCK = re.compile(r"^\$\$\n(.+?)\n\$\$$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$`([^`\n]+)`\$")
_FENCED = re.compile(r"^(```+).*?^\1$", re.DOTALL | re.MULTILINE)


def with_mathml(text: str) -> str:
    r"""Turn ``$$`` blocks (the dollars on lines of their own) and ``$`x`$`` into MathML; blocks of code stay.

    Both forms are those of GitHub, where the sources are read too. What stands in a line is wrapped, since Markdown
    takes a ``<math>`` at the beginning of a line for a block.
    """
    parts: list[str] = []
    last = 0
    for fence in _FENCED.finditer(text):
        parts += [_converted(text[last : fence.start()]), fence.group()]
        last = fence.end()
    return "".join([*parts, _converted(text[last:])])


def _converted(text: str) -> str:
    text = _BLOCK.sub(lambda found: f'\n<div class="formula">{_mathml(found[1], "block")}</div>\n', text)
    return _INLINE.sub(lambda found: f'<span class="inline-formula">{_mathml(found[1], "inline")}</span>', text)


def _mathml(formula: str, display: str) -> str:
    """One formula. Characters that Markdown reads are written as entities."""
    made = convert(formula.strip(), display=display)
    return re.sub(r"[*_`]", lambda found: f"&#{ord(found[0])};", made)
