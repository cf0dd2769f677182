"""Synonyms from WordNet, where it is installed: its files are read directly, so no other package is needed."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.views.lexicon import Lexicon

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
_PART_OF_SENSE_KEY = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
_SYSTEM_FOLDERS = ("/usr/share/wordnet", "/usr/local/WordNet-3.0/dict")
_NLTK_PARENTS = ("/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib")

Folder = Path | zipfile.Path


def find_wordnet() -> Folder | None:
    """Look for WordNet's database files: ``WNSEARCHDIR``, ``WNHOME``, the system's folder, then nltk's data folders.

    Returns:
        The folder, perhaps inside an archive as nltk downloads it; ``None`` where WordNet is not installed.
    """
    return next((folder for folder in _candidates() if (folder / "index.noun").is_file()), None)


def _candidates() -> Iterator[Folder]:
    yield from (Path(os.environ[name]) for name in ("WNSEARCHDIR",) if name in os.environ)
    yield from (Path(os.environ[name], "dict") for name in ("WNHOME",) if name in os.environ)
    yield from map(Path, _SYSTEM_FOLDERS)
    parents = [Path(name) for name in os.environ.get("NLTK_DATA", "").split(os.pathsep) if name]
    parents += [expanded(parent) / "nltk_data" for parent in ("~", *_NLTK_PARENTS)]
    for parent in parents:
        yield parent / "corpora" / "wordnet"
        archive = parent / "corpora" / "wordnet.zip"
        if zipfile.is_zipfile(archive):
            yield zipfile.Path(archive, "wordnet/")


def read_wordnet(folder: Folder) -> Lexicon:
    """Read, for each word, the words that share its most frequent sense.

    Names, expressions of several words, stop words and rarer senses are left out: with them ``can`` becomes ``tin`` and
    ``dog`` becomes ``chase``.

    Args:
        folder: Holds ``index.noun``, ``data.noun`` and so on, and the frequencies of senses, ``cntlist.rev``.

    Returns:
        The lexicon, words in lower case.

    Raises:
        UserError: A file is missing or damaged.

    Source: Fellbaum 1998; the formats are those of WordNet's manual pages wndb(5WN) and cntlist(5WN).
    """
    synonyms: dict[str, tuple[str, ...]] = {}
    highest: dict[str, int] = {}
    try:
        counts = _counts_of_first_senses(folder / "cntlist.rev")
        for part in _PARTS_OF_SPEECH:
            members = dict(_synsets(folder / f"data.{part}"))
            for word, offset in _first_senses(folder / f"index.{part}"):
                count = counts[part].get(word, 0)
                if count > highest.get(word, -1):
                    highest[word] = count
                    synonyms[word] = tuple(other for other in members[offset] if other != word)
    except (OSError, KeyError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a line is not in its format"
        raise UserError(f"cannot read WordNet in {folder}: {reason}; install it again, or name a lexicon") from error
    kept = {word: others for word, others in synonyms.items() if others and word not in ENGLISH_STOP_WORDS}
    return Lexicon(name="WordNet", synonyms=kept)


def _lines(file: Folder) -> Iterator[list[str]]:
    """The fields of each line, without those of the licence, which begin with a blank."""
    with file.open("r", encoding="utf8") as lines:
        yield from (line.split() for line in lines if not line.startswith(" "))


def _counts_of_first_senses(file: Folder) -> dict[str, dict[str, int]]:
    """How often each word was seen in its first sense, by part of speech."""
    counts: dict[str, dict[str, int]] = {part: {} for part in _PARTS_OF_SPEECH}
    for key, sense, count in _lines(file):
        if sense == "1":
            word, _, rest = key.partition("%")
            counts[_PART_OF_SENSE_KEY[rest[0]]][word] = int(count)
    return counts


def _synsets(file: Folder) -> Iterator[tuple[str, list[str]]]:
    """Byte offset, which is a synset's name, and its single words in lower case."""
    for offset, _, _, num_words, *rest in _lines(file):
        words = [word.partition("(")[0] for word in rest[: 2 * int(num_words, 16) : 2]]
        yield offset, [word for word in words if word.isalpha() and word.islower()]


def _first_senses(file: Folder) -> Iterator[tuple[str, str]]:
    """A single word and the offset of its most frequent synset, the first of those that end its line."""
    for word, _, num_senses, *rest in _lines(file):
        if word.isalpha():
            yield word, rest[-int(num_senses)]
