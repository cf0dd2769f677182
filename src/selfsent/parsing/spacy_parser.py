"""An adapter for spaCy: dependency parses of texts, in several processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfsent.errors import UserError
from selfsent.parsing.dependencies import ROOT, depths_of_heads, projective
from selfsent.parsing.parsed_text import ParsedText
from selfsent.trees.split_depths import without_tokens

_TEXTS_A_BATCH = 256
_NOT_NEEDED = ("ner", "lemmatizer", "textcat", "entity_linker")


@dataclass
class SpacyParser:
    """Parse texts with a pipeline of spaCy's.

    A text may hold several sentences: their roots become one constituent. Trees that are not projective are lifted
    (`selfsent.parsing.dependencies.projective`) and counted.

    Args:
        model: Name of an installed pipeline, such as ``en_core_web_sm``, or the path of one.
        num_processes: Processes that parse side by side; -1 for one a core.

    Raises:
        UserError: spaCy or the pipeline is not installed, or the pipeline does not parse.
    """

    model: str
    num_processes: int = 1
    num_lifted: int = 0

    def __post_init__(self) -> None:
        spacy = _spacy()
        try:
            self._pipeline: Any = spacy.load(self.model, exclude=list(_NOT_NEEDED))
        except (OSError, ValueError) as error:
            raise UserError(
                f"spaCy has no pipeline {self.model!r} here; install it (`python -m spacy download {self.model}`),"
                " or name an installed one or its folder with --model"
            ) from error

    @property
    def identity(self) -> str:
        """Name and version of the pipeline: parses of another are not mixed with its own."""
        meta = self._pipeline.meta
        return f"spacy {meta.get('lang')} {self.model} {meta.get('version')}"

    def parse(self, texts: Iterable[str]) -> Iterator[ParsedText]:
        """Parse texts, in their order."""
        num_processes = os.cpu_count() or 1 if self.num_processes < 0 else self.num_processes
        fitting = map(self._checked, texts)
        for document in self._pipeline.pipe(fitting, n_process=num_processes, batch_size=_TEXTS_A_BATCH):
            if not document.has_annotation("DEP"):
                raise UserError(
                    f"the spaCy pipeline {self.model!r} does not parse (it has {', '.join(self._pipeline.pipe_names)});"
                    " name one with a parser, such as en_core_web_sm"
                )
            yield self._parsed(document)

    def _checked(self, text: str) -> str:
        limit = int(self._pipeline.max_length)
        if len(text) > limit:
            raise UserError(
                f"a text of {len(text):,} characters ({text[:40]!r} ...) is longer than spaCy's {limit:,};"
                " split it into sentences"
            )
        return text

    def _parsed(self, document: Any) -> ParsedText:
        heads = [ROOT if token.head.i == token.i else int(token.head.i) for token in document]
        lifted = projective(heads)
        self.num_lifted += list(lifted) != heads
        word_mask = [not token.is_space for token in document]
        return ParsedText(
            text=document.text,
            word_starts=np.array([token.idx for token in document if not token.is_space], dtype=np.int64),
            split_depths=without_tokens(depths_of_heads(lifted), word_mask),
        )


def _spacy() -> Any:
    try:
        import spacy  # noqa: PLC0415  # pyright: ignore[reportMissingImports] an extra of the package
    except ImportError as error:
        raise UserError(
            "parsing with a pipeline needs spaCy, which is not installed; `pip install 'selfsent[parse]'`, or give"
            " ready parses with --trees"
        ) from error
    return spacy
