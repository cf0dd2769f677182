"""How often a tokenizer's tokens occur in a corpus, kept with what was counted, and the weights that follow from it."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from selfsent.atomic import write_text
from selfsent.data.source_files import expanded
from selfsent.encoding import uncut_ids
from selfsent.errors import UserError, not_one_of

Weighting = Literal["linear", "log", "inverse", "uniform"]
"""How a token's weight falls with its count f, before the floor: ``linear`` 1 - f / f_max, ``log``
1 - log(1 + f) / log(1 + f_max), ``inverse`` f_min / f with f_min the smallest count above 0, ``uniform`` always 1."""

_FORMAT = "selfsent token frequencies 1"
_TEXTS_A_BATCH = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenFrequencies:
    """Counts of every token id over a corpus, special tokens left out.

    Args:
        counts: Occurrences by token id.
        num_texts: Texts counted over.
        corpus_sha256: Hash of those texts, in order.
        tokenizer_sha256: Hash of the vocabulary; see `vocabulary_sha256`.
    """

    counts: Int[np.ndarray, " V"]
    num_texts: int
    corpus_sha256: str
    tokenizer_sha256: str

    @property
    def num_tokens(self) -> int:
        """Tokens counted, all in all."""
        return int(self.counts.sum())

    def check_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Refuse a tokenizer whose ids stand for other tokens than those counted.

        Raises:
            UserError: The vocabularies differ.
        """
        if vocabulary_sha256(tokenizer) != self.tokenizer_sha256:
            raise UserError(
                f"the token frequencies were counted with another tokenizer ({len(self.counts):,} ids, hash"
                f" {self.tokenizer_sha256[:12]}) than the model's ({len(tokenizer):,} ids, hash"
                f" {vocabulary_sha256(tokenizer)[:12]}); count them again with the model's own"
            )

    def save(self, path: Path) -> None:
        """Write the table as JSON, aside and renamed."""
        table = {
            "format": _FORMAT,
            "corpus_sha256": self.corpus_sha256,
            "tokenizer_sha256": self.tokenizer_sha256,
            "num_texts": self.num_texts,
            "num_tokens": self.num_tokens,
            "counts": self.counts.tolist(),
        }
        write_text(path, json.dumps(table) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "TokenFrequencies":
        """Read what ``save`` wrote.

        Raises:
            UserError: There is no such file, or it is not a table of token frequencies.
        """
        place = expanded(path)
        try:
            table: dict[str, Any] = json.loads(place.read_text("utf-8-sig"))
            if table["format"] != _FORMAT:
                raise ValueError(f"its format is {table['format']!r}")  # noqa: TRY301 joins the other ways to be wrong
            return cls(
                counts=_whole_counts(table["counts"]),
                num_texts=int(table["num_texts"]),
                corpus_sha256=str(table["corpus_sha256"]),
                tokenizer_sha256=str(table["tokenizer_sha256"]),
            )
        except OSError as error:
            raise UserError(f"cannot read token frequencies at {path}: {error.strerror}; check the path") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is not a table of token frequencies ({error!s}); train sarcse to write one, or write it"
                " with TokenFrequencies.save"
            ) from error


def _whole_counts(values: Any) -> NDArray[np.int64]:
    counts = np.array(values)
    if counts.ndim != 1 or counts.dtype.kind != "i" or not len(counts) or counts.min() < 0:
        raise ValueError("its counts are not whole numbers, 0 or more")
    return counts.astype(np.int64)


def count_tokens(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> TokenFrequencies:
    """Count every token of a corpus, a thousand texts in memory at a time.

    Texts are counted whole, also where a model will cut them; the tokens that a tokenizer adds itself are not counted.

    Args:
        texts: The corpus, read once.
        tokenizer: The model's own.

    Returns:
        The counts, with hashes of corpus and vocabulary.

    Raises:
        UserError: There is no token in the corpus.
    """
    counts = np.zeros(max(tokenizer.get_vocab().values()) + 1, dtype=np.int64)
    digest = hashlib.sha256()
    num_texts = 0
    for batch in _batches(texts):
        num_texts += len(batch)
        digest.update("".join(json.dumps(text) + "\n" for text in batch).encode())
        ids = np.fromiter(itertools.chain.from_iterable(uncut_ids(tokenizer, batch)), dtype=np.int64)
        counts += np.bincount(ids, minlength=len(counts))
    if not counts.any():
        raise UserError(f"cannot count tokens: the {num_texts:,} texts of the corpus hold none; name one with words")
    return TokenFrequencies(
        counts=counts,
        num_texts=num_texts,
        corpus_sha256=digest.hexdigest(),
        tokenizer_sha256=vocabulary_sha256(tokenizer),
    )


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(itertools.islice(iterator, _TEXTS_A_BATCH)):
        yield batch


def vocabulary_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash what a tokenizer's ids stand for: every token with its id, whatever else the tokenizer is set to."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()


def token_weights(
    counts: Int[np.ndarray, " V"], *, weighting: Weighting = "linear", floor: float = 0.1
) -> Float[np.ndarray, " V"]:
    """Weigh tokens by their counts: 1 for a token that never occurs, the less the more frequent, ``floor`` at least.

    Source: SARCSE (Liu et al. 2024) for the idea and for the floor, its theta = 0.1.
    Differs: the paper's formula was not available; ``linear`` is our default.

    Args:
        counts: Occurrences by token id.
        weighting: How the weight falls with the count.
        floor: theta, the least weight, in [0, 1].

    Returns:
        A weight in [floor, 1] for every token id.

    Raises:
        UserError: The floor is outside [0, 1], no token was counted, or there is no such weighting.
    """
    if not 0 <= floor <= 1:
        raise UserError(f"theta={floor} must be in [0, 1], such as the paper's 0.1")
    if weighting not in get_args(Weighting):
        raise UserError(not_one_of("weighting", weighting, get_args(Weighting)))
    if not counts.any():
        raise UserError("cannot weigh tokens by a table in which none occurs; count them over the training corpus")
    f = counts.astype(np.float64)
    if weighting == "linear":
        weights = 1 - f / f.max()
    elif weighting == "log":
        weights = 1 - np.log1p(f) / np.log1p(f.max())
    elif weighting == "inverse":
        rarest = f[f > 0].min()
        weights = rarest / np.maximum(f, rarest)
    else:
        weights = np.ones_like(f)
    return np.maximum(weights, floor)
