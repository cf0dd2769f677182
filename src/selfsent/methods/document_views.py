"""What methods that compare two views share where the views are of documents."""

from dataclasses import dataclass
from typing import Any, cast

from datasets import Dataset

from selfsent.data.arrow_file import materialise
from selfsent.documents.training_rows import DocumentRows
from selfsent.options import Options, choice
from selfsent.training.run import Run, RunData
from selfsent.views import VIEWS, View, make_view
from selfsent.views.document_views import DOCUMENT_VIEWS, DocumentPair, DocumentView


@dataclass(frozen=True, kw_only=True)
class ViewOptions(Options):
    """What two views are, of bare text or of documents.

    Args:
        view: What the second view is: ``repeat`` (dropout alone), or a name of `selfsent.views.VIEWS`, or several with
            ``+`` between them, of which one is drawn for each text (``crop-20+synonym``); or what both are of a
            document: a name of `selfsent.views.document_views.DOCUMENT_VIEWS`, not in the papers.
        lexicon: For the view ``synonym``: a file of word and synonyms by tab; ``none`` uses what is installed, else
            the nearest neighbours among the corpus's own word vectors.
        masked_lm: For the view ``masked-lm``: folder or hub name of the masked LM; ``none`` takes the base.
        translators: For the view ``back-translation``: folders or hub names of the models there and back, with a comma
            between them; a second such pair after a semicolon makes the second view by another language.
        translations: For the view ``back-translation``: SQLite file that keeps translations; ``none`` takes one of the
            user's cache.
    """

    view: str = choice("repeat", *VIEWS, *DOCUMENT_VIEWS, joined=VIEWS)
    lexicon: str | None = None
    masked_lm: str | None = None
    translators: str | None = None
    translations: str | None = None

    def problems(self) -> list[str]:
        """Name the options that have a value they may not have."""
        if self.translators is None or _translators(self.translators):
            return super().problems()
        return [*super().problems(), f"translators={self.translators!r} must be THERE,BACK or THERE,BACK;THERE,BACK"]


def _translators(translators: str) -> list[tuple[str, str]]:
    """The pairs of models that an option names; none where it names no pairs."""
    pairs = [tuple(name.strip() for name in pair.split(",")) for pair in translators.split(";")]
    return [(pair[0], pair[1]) for pair in pairs] if all(len(pair) == 2 and all(pair) for pair in pairs) else []  # noqa: PLR2004 there and back


def made_views(config: ViewOptions, run: Run[Any], data: RunData, *, base: str | None) -> tuple[View, View]:
    """Make the views that a configuration names, of the first and of the second text.

    Args:
        config: Names them.
        run: Says where what they compute goes.
        data: Holds the texts.
        base: The pretrained model that is trained, for ``masked-lm``.

    Returns:
        The same view twice, unless two pairs of translators are named.
    """
    pairs = _translators(config.translators) if config.translators else [None]

    def made(translators: tuple[str, str] | None) -> View:
        return make_view(
            config.view,
            lexicon=config.lexicon,
            texts=data.source.texts(),
            masked_lm=config.masked_lm or base,
            translators=translators,
            translations=config.translations,
            cache_dir=run.corpus_folder,
            device=run.device,
        )

    first = made(pairs[0])
    return first, (first if len(pairs) == 1 else made(pairs[-1]))


def is_one_translation(config: ViewOptions) -> bool:
    """Tell whether ``made_views`` gives one and the same translation twice: there is one pair of translators."""
    return config.view == "back-translation" and len(_translators(config.translators or "")) <= 1


def reads_documents(config: Any) -> bool:
    """Tell whether a configuration's ``view`` is one of documents."""
    return config.view in DOCUMENT_VIEWS


def document_dataset(view: str, run: Run[Any], data: RunData) -> tuple[Dataset, list[str]]:
    """Write rows of the documents to disk, from which two views are drawn anew each epoch.

    Args:
        view: One of ``DOCUMENT_VIEWS``.
        run: Says where the rows go.
        data: Holds the documents.

    Returns:
        The rows (``view_a``, ``view_b`` and ``label``, the number of the document), and what was kept and left out.
    """
    assert data.documents is not None, "the method reads documents"  # noqa: S101 our own invariant
    rows = DocumentRows(data.documents)
    dataset = materialise(rows, run.corpus_folder / "corpus.arrow", columns=rows.columns)
    dataset.set_transform(DocumentPair(cast("DocumentView", view)))
    return dataset, rows.notes()
