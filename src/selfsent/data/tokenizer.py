"""Tokenizers: byte-pair encoding trained on the corpus itself, or a ready one by path."""

import contextlib
import itertools
import json
import tempfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from selfsent.data.source_files import expanded
from selfsent.errors import UserError
from selfsent.freed_memory import give_back
from selfsent.options import Options, option
from selfsent.ranks import made_once

PAD_TOKEN = "[PAD]"  # noqa: S105 a token of a vocabulary, no secret
UNKNOWN_TOKEN = "[UNK]"  # noqa: S105 a token of a vocabulary, no secret
DEFAULT_VOCAB_SIZE = 25_000
MOST_PIECES = 10_000_000
"""Largest vocabulary that can be asked for; memory is reserved for as many pieces as are asked for."""

MOST_CHARACTERS = 100_000_000
"""Characters, white space left out, that a vocabulary is trained on: 20 million English words. Of more text a sample is
taken: the trainer holds each distinct word in memory (some 800 bytes), and more text always adds rare words."""

CHARACTER_COVERAGE = 0.9995
"""Share of the corpus' characters that the alphabet holds; the rarest become unknown. SentencePiece's default."""

_MIN_ALPHABET = 256
_MAX_PIECE_CHARACTERS = 24
MARKER = "\N{LOWER ONE EIGHTH BLOCK}"
_BATCH_SIZE = 1000
_MAX_CODE_POINT = 0x110000
_NUM_CHECKSUMS = 2**32


@dataclass(frozen=True, kw_only=True)
class TokenizerOptions(Options):
    """Where a tokenizer comes from.

    Args:
        tokenizer: Path of a ready tokenizer; ``none`` trains one on the corpus.
        vocab_size: Pieces of a trained tokenizer, at most.
        lowercase: Whether a trained tokenizer lower-cases.
    """

    tokenizer: str | None = None
    vocab_size: int = option(DEFAULT_VOCAB_SIZE, at_least=1)
    lowercase: bool = True


def open_or_train(options: TokenizerOptions, texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """Open the tokenizer that options name, or train one.

    Args:
        options: Its path, or its size.
        texts: What it is trained on; see `train_tokenizer`.

    Raises:
        UserError: It cannot be opened or trained.
    """
    if options.tokenizer:
        return load_tokenizer(options.tokenizer)
    return train_tokenizer(texts, vocab_size=options.vocab_size, lowercase=options.lowercase)


def train_tokenizer(
    texts: Iterable[str],
    *,
    vocab_size: int = DEFAULT_VOCAB_SIZE,
    lowercase: bool = True,
    min_frequency: int = 2,
) -> PreTrainedTokenizerFast:
    """Train byte-pair encoding on texts: NFKC, words marked at their start, punctuation apart, no piece across words.

    The vocabulary is smaller than asked where the corpus is small: only pairs seen ``min_frequency`` times are merged.
    The rarest characters, beyond 99.95% of the text, become ``[UNK]``, so that a page in a foreign script does not fill
    the vocabulary. No token for begin or end is added. The same texts give the same tokenizer. Of more than
    ``MOST_CHARACTERS`` the pairs are counted in a sample of the texts, drawn by their content; characters in all.

    Source: Opper et al. 2023 use BPEmb with 25,000 pieces, lower case.
    Differs: trained on the corpus itself; digits stay.

    Args:
        texts: The corpus. It is read twice: a one-shot iterator is first written to a temporary file.
        vocab_size: Most pieces, both special tokens included.
        lowercase: Fold case.
        min_frequency: How often a pair of pieces must occur to become one, at least 1.

    Returns:
        The tokenizer, with ``[PAD]`` as id 0 and ``[UNK]`` as id 1.

    Raises:
        UserError: There is no text, or ``vocab_size`` has no room for the alphabet.
    """
    if min_frequency < 1:
        raise UserError(f"min_frequency must be at least 1, got {min_frequency}")
    trained = made_once(lambda: _trained(texts, vocab_size, min_frequency, lowercase=lowercase).to_str())
    give_back()  # glibc would keep some 200 bytes for each sentence read
    return _wrapped(Tokenizer.from_str(trained))


def _trained(texts: Iterable[str], vocab_size: int, min_frequency: int, *, lowercase: bool) -> Tokenizer:
    tokenizer = _untrained(lowercase=lowercase)
    with _repeatable(texts) as corpus:
        counts = _character_counts(corpus, lowercase=lowercase)
        alphabet = _alphabet(counts)
        if not alphabet:
            raise UserError("cannot train a tokenizer: the source holds no text; name one with at least one sentence")
        if vocab_size < len(alphabet) + 2:
            raise UserError(
                f"vocab_size must be at least {len(alphabet) + 2}, got {vocab_size}: the corpus has {len(alphabet)}"
                " characters, and two tokens are special"
            )
        trainer = trainers.BpeTrainer(
            vocab_size=min(vocab_size, MOST_PIECES),
            min_frequency=min_frequency,
            special_tokens=[PAD_TOKEN, UNKNOWN_TOKEN],
            initial_alphabet=sorted(alphabet),
            limit_alphabet=len(alphabet),
            max_token_length=_MAX_PIECE_CHARACTERS,
            show_progress=False,
        )
        tokenizer.train_from_iterator(_batches(_sample(corpus, MOST_CHARACTERS / counts.total())), trainer=trainer)
    return tokenizer


def _sample(texts: Iterable[str], share: float) -> Iterable[str]:
    """Draw a share of texts by their content, so that their order does not matter."""
    if share >= 1:
        return texts
    return (text for text in texts if zlib.crc32(text.encode("utf8", "surrogatepass")) < share * _NUM_CHECKSUMS)


def _untrained(*, lowercase: bool) -> Tokenizer:
    """Byte-pair encoding with our normalisation, word boundaries and decoder, still without a vocabulary.

    A word carries its marker whatever stands before it, so ``(word`` and ``word`` are the same piece.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN_TOKEN, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(behavior="isolated"),
            pre_tokenizers.Metaspace(replacement=MARKER, prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Metaspace(replacement=MARKER, prepend_scheme="always"),
            decoders.Fuse(),
            decoders.Replace(Regex(r" (?=[.,;:!?%)\]}…。、」』।॥؟،؛])"), ""),
            decoders.Replace(Regex(r"(?<=[(\[{「『]) "), ""),
            decoders.Replace(Regex(r"(?<=\w) (?=['\u2019\-] \w)|(?<=\w ['\u2019\-]) (?=\w)"), ""),
            decoders.Replace(Regex(r"(?<=\d\.) (?=\d)|(?<=\b[a-z]\.) (?=[a-z]\.)"), ""),
        ]
    )
    return tokenizer


def _wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD_TOKEN,
        unk_token=UNKNOWN_TOKEN,
        clean_up_tokenization_spaces=False,
    )


@contextlib.contextmanager
def _repeatable(texts: Iterable[str]) -> Generator[Iterable[str]]:
    """Yield texts that can be read twice: themselves, or a temporary copy of what an iterator gives once."""
    if not isinstance(texts, Iterator):
        yield texts
        return
    with tempfile.TemporaryFile("w+", encoding="utf8") as copy:
        for text in texts:
            copy.write(json.dumps(text) + "\n")
        yield _Lines(copy)


class _File(Protocol):
    def seek(self, offset: int, /) -> int: ...
    def __iter__(self) -> Iterator[str]: ...


class _Lines:
    """Texts of a temporary file, from the start at every iteration."""

    def __init__(self, file: _File) -> None:
        self._file = file

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        return map(json.loads, self._file)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(itertools.islice(iterator, _BATCH_SIZE)):
        yield batch


def _alphabet(counts: Counter[str]) -> set[str]:
    """The characters that cover the corpus as far as ``CHARACTER_COVERAGE`` asks, and at least the commonest 256."""
    total = counts.total()
    covered = 0
    alphabet = {MARKER} if counts else set[str]()
    for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= CHARACTER_COVERAGE * total and len(alphabet) >= _MIN_ALPHABET:
            break
        alphabet.add(character)
        covered += count
    return alphabet


def _character_counts(texts: Iterable[str], *, lowercase: bool) -> Counter[str]:
    """Count the characters of the normalised corpus, white space left out."""
    raw = np.zeros(_MAX_CODE_POINT, dtype=np.int64)
    for batch in _batches(texts):
        points = np.frombuffer("".join(batch).encode("utf-32-le", "replace"), dtype=np.uint32)
        counted = np.bincount(points)
        raw[: len(counted)] += counted
    counts: Counter[str] = Counter()
    for point in np.flatnonzero(raw):
        normal = unicodedata.normalize("NFKC", chr(point))
        for character in normal.lower() if lowercase else normal:
            if not character.isspace():
                counts[character] += int(raw[point])
    return counts


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """Open a ready tokenizer, and give it a padding token where it has none.

    Args:
        path: A ``tokenizer.json``, or a folder that holds a tokenizer (a model folder does).

    Returns:
        The tokenizer. One without a padding token takes ``[PAD]`` or ``<pad>`` of its vocabulary, or gets a new one.

    Raises:
        UserError: There is no tokenizer at ``path``.
    """
    place = expanded(path)
    if not place.exists():
        raise UserError(f"no tokenizer at {path}: the path does not exist; name a folder or a tokenizer.json")
    try:
        if place.is_file():
            tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast(tokenizer_file=str(place))
        else:
            tokenizer = _of_folder(place)
    except Exception as error:  # the Rust library raises nothing narrower for a malformed file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"cannot open a tokenizer at {path}: {reason}; name a folder with a tokenizer.json") from error
    if tokenizer.pad_token is None:
        known = [token for token in (PAD_TOKEN, "<pad>") if token in tokenizer.get_vocab()]
        tokenizer.add_special_tokens({"pad_token": (known or [PAD_TOKEN])[0]})
    return tokenizer


def _of_folder(place: Path) -> PreTrainedTokenizerBase:
    """Open a folder's tokenizer as it is.

    Of more than 100,000 pieces, transformers takes one beside a ``config.json`` without a model type, such as ours, for
    a faulty one of Mistral and warns, unless it is told not to mend it.
    """
    config = place / "config.json"
    if not config.is_file() or "model_type" in json.loads(config.read_text("utf8")):
        return AutoTokenizer.from_pretrained(str(place), local_files_only=True)
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        str(place), local_files_only=True, fix_mistral_regex=False
    )
    tokenizer.init_kwargs.pop("fix_mistral_regex", None)  # or it would be saved with the tokenizer
    return tokenizer


def vocabulary_report(tokenizer: PreTrainedTokenizerBase, texts_sample: Iterable[str]) -> dict[str, float | int]:
    """Tell how well a tokenizer's vocabulary fits some texts.

    Args:
        tokenizer: Any tokenizer.
        texts_sample: A few thousand texts are enough.

    Returns:
        ``vocab_size``; ``num_texts``; ``unknown_share``, the share of tokens that are unknown;
        ``pieces_per_word``, tokens a word set off by white space (an unspaced script has few: there it says little).

    Raises:
        UserError: There is no text.
    """
    num_texts = num_words = num_tokens = num_unknown = 0
    for batch in _batches(texts_sample):
        ids = tokenizer(batch, add_special_tokens=False, verbose=False)["input_ids"]
        num_texts += len(batch)
        num_words += sum(len(text.split()) for text in batch)
        num_tokens += sum(len(row) for row in ids)
        num_unknown += sum(row.count(tokenizer.unk_token_id) for row in ids)
    if not num_tokens or not num_words:
        raise UserError("cannot report on a vocabulary without texts; give at least one sentence")
    return {
        "vocab_size": len(tokenizer),
        "num_texts": num_texts,
        "unknown_share": num_unknown / num_tokens,
        "pieces_per_word": num_tokens / num_words,
    }
