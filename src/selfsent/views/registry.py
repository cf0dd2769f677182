"""The views by the names of SimCSE's table of augmentations."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selfsent.data.cache_folder import cache_folder
from selfsent.errors import UserError, did_you_mean
from selfsent.views.crop import Crop
from selfsent.views.delete import Delete, DeleteOne
from selfsent.views.lexicon import Lexicon, read_lexicon
from selfsent.views.mixture import SEPARATOR, Mixture, NeverEmpty
from selfsent.views.pair_transform import PairTransform
from selfsent.views.synonyms import Synonyms
from selfsent.views.view import Repeat, View


@dataclass(frozen=True, kw_only=True)
class ViewResources:
    """What a view may need besides the texts it is given.

    Args:
        lexicon: File of synonyms, for ``synonym``.
        texts: The corpus, for ``synonym`` where there is neither a lexicon nor WordNet; read only then.
        masked_lm: Folder or hub name of the model of ``masked-lm``.
        translators: Folders or hub names of the models of ``back-translation``: there, and back.
        translations: SQLite file of its translations; ``None`` takes one of the user's cache.
        cache_dir: Where a lexicon made from the corpus is kept.
        device: Where to put the models.
    """

    lexicon: str | Path | None = None
    texts: Iterable[str] | None = None
    masked_lm: str | Path | None = None
    translators: tuple[str, str] | None = None
    translations: str | Path | None = None
    cache_dir: Path | None = None
    device: str | None = "cpu"


def _repeat(_: ViewResources) -> View:
    """Keep the text: two views differ in dropout alone."""
    return Repeat()


def _crop(_: ViewResources, *, percent: int) -> View:
    """Keep a run of words, ``percent``% of them left out at the ends."""
    return Crop(percent=percent)


def _delete(_: ViewResources, *, percent: int) -> View:
    """Delete ``percent``% of the words, drawn at random."""
    return Delete(percent=percent)


def _delete_one(_: ViewResources) -> View:
    """Delete one word, drawn at random."""
    return DeleteOne()


def _synonym(resources: ViewResources) -> View:
    """Replace one word by a synonym (--set lexicon=FILE names a file of them)."""
    return Synonyms(lexicon=_lexicon(resources))


def _lexicon(resources: ViewResources) -> Lexicon:
    """The user's file, else WordNet, else the neighbours of words in the corpus."""
    if resources.lexicon is not None:
        return read_lexicon(resources.lexicon)
    from selfsent.views.wordnet import find_wordnet, read_wordnet  # noqa: PLC0415 it imports scikit-learn

    wordnet = find_wordnet()
    if wordnet is not None:
        return read_wordnet(wordnet)
    if resources.texts is None:
        raise UserError(
            "the view synonym has no synonyms: WordNet is not installed, and neither a lexicon (a .tsv file of a word "
            "and its synonyms a line) nor a corpus was given"
        )
    from selfsent.views.neighbour_lexicon import neighbour_lexicon  # noqa: PLC0415 it imports torch and scikit-learn

    return neighbour_lexicon(resources.texts, cache_dir=resources.cache_dir)


def _masked_lm(resources: ViewResources) -> View:
    """Replace words by predictions of a masked language model (--set masked_lm=MODEL)."""
    if resources.masked_lm is None:
        raise UserError("the view masked-lm needs a masked LM; name its folder or hub name (the paper: BERT-base)")
    from selfsent.views.masked_lm import MaskedLM  # noqa: PLC0415 it imports torch and transformers

    return MaskedLM(model=resources.masked_lm, device=resources.device)


def _back_translation(resources: ViewResources) -> View:
    """Translate there and back (--set translators=THERE,BACK); a text is translated once and kept in a cache."""
    if resources.translators is None:
        raise UserError(
            "the view back-translation needs two models, there and back; name their folders or hub names with"
            " translators=THERE,BACK (the paper: English to German and back)"
        )
    from selfsent.views.back_translation import BackTranslation  # noqa: PLC0415 it imports torch and transformers

    cache = resources.translations or (cache_folder() or resources.cache_dir or Path()) / "translations.sqlite"
    forward, backward = resources.translators
    return NeverEmpty(BackTranslation(forward=forward, backward=backward, cache=cache, device=resources.device))


VIEWS: Mapping[str, Callable[[ViewResources], View]] = {
    "repeat": _repeat,
    "crop-10": partial(_crop, percent=10),
    "crop-20": partial(_crop, percent=20),
    "crop-30": partial(_crop, percent=30),
    "delete-10": partial(_delete, percent=10),
    "delete-20": partial(_delete, percent=20),
    "delete-30": partial(_delete, percent=30),
    "delete-one": _delete_one,
    "synonym": _synonym,
    "masked-lm": _masked_lm,
    "back-translation": _back_translation,
}
"""Name to what makes the view: those of SimCSE's table in its order (Gao et al. 2021, Table 1), and SCT's."""


def make_view(
    name: str,
    *,
    lexicon: str | Path | None = None,
    texts: Iterable[str] | None = None,
    masked_lm: str | Path | None = None,
    translators: tuple[str, str] | None = None,
    translations: str | Path | None = None,
    cache_dir: Path | None = None,
    device: str | None = "cpu",
) -> View:
    """Make a view by its name.

    Args:
        name: One of ``VIEWS``, or several with ``+`` between them, of which one is drawn for each text.
        lexicon: For ``synonym``: a TSV file of a word and its synonyms a line; default: WordNet where it is installed
            (``views.wordnet.find_wordnet``), else the nearest neighbours of the corpus's own word vectors.
        texts: For ``synonym``: the corpus, such as ``source.texts()``; read only where it is needed.
        masked_lm: For ``masked-lm``: folder or hub name of the model.
        translators: For ``back-translation``: folders or hub names of the models there and back.
        translations: For ``back-translation``: a SQLite file of translations; default: one of the user's cache.
        cache_dir: A folder to keep a lexicon made from the corpus in.
        device: Where to put the models.

    Returns:
        The view.

    Raises:
        UserError: There is no such view, or what it needs is missing or cannot be read.
    """
    names = name.split(SEPARATOR)
    for one in names:
        if one not in VIEWS:
            raise UserError(f"unknown view {one!r}{did_you_mean(one, VIEWS)}; the views are {', '.join(VIEWS)}")
    resources = ViewResources(
        lexicon=lexicon,
        texts=texts,
        masked_lm=masked_lm,
        translators=translators,
        translations=translations,
        cache_dir=cache_dir,
        device=device,
    )
    views = [VIEWS[one](resources) for one in names]
    return views[0] if len(views) == 1 else Mixture(tuple(views))


def pair_transform(view_a: View, view_b: View, column: str = "text") -> PairTransform:
    """Make the transform that turns ``{column: [...]}`` into ``{"view_a": [...], "view_b": [...]}``.

    Args:
        view_a: Makes the first view of each text.
        view_b: Makes the second.
        column: The column that holds the texts.

    Returns:
        What ``Dataset.set_transform`` takes.
    """
    return PairTransform(view_a, view_b, column)
