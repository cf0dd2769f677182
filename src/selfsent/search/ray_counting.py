"""Counting a corpus with Ray: workers tokenize and count parts of it, and what they counted is added up here.

Nothing of the corpus comes back, so memory here grows with the vocabulary (of co-occurrence: with the distinct pairs).
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.counts.cooccurrences import Counts, cooccurrences
from selfsent.counts.latent_semantics import passage_counts, semantics_of_counts
from selfsent.counts.streamed_svd import OfBlock, sum_over
from selfsent.counts.tokenized_texts import TEXTS_AT_ONCE, TokenizedTexts, TokenWriter
from selfsent.encoding import chunked
from selfsent.errors import UserError
from selfsent.search.ray_engine import RayEngine

TEXTS_A_PART = 50_000
"""Texts that one worker tokenizes and counts: some million tokens of sentences."""

Texts = Callable[[], Iterable[str]]
"""Reads a corpus, or a part of one; pickled. ``Source.texts`` is one."""


def count_words(engine: RayEngine, texts: Sequence[Texts], tokenizer: Tokenizer) -> Counter[str]:
    """Count the words of a corpus as a tokenizer normalises and parts them, for a vocabulary of the most frequent.

    Args:
        engine: Ray.
        texts: Parts of the corpus, read side by side.
        tokenizer: Its normaliser and what parts a text into words are used, and no vocabulary.

    Returns:
        How often each word occurs.

    Raises:
        UserError: What ``RayEngine.apply`` raises.
    """
    total: Counter[str] = Counter()
    readers = [partial(_blocks, part, TEXTS_A_PART) for part in texts]
    for counted in engine.apply(partial(_words, tokenizer=tokenizer.to_str()), readers):
        total.update(counted)
    return total


@dataclass(frozen=True, kw_only=True)
class SpreadTexts:
    """Token ids of a corpus in parts, in a folder that all workers see.

    Args:
        engine: Ray.
        parts: A folder each, in the order of the texts.
        num_ids: How many ids the tokenizer has; V below.
        texts_a_part: Texts of a part, the last one perhaps fewer.
    """

    engine: RayEngine
    parts: Sequence[Path]
    num_ids: int
    texts_a_part: int

    @classmethod
    def write(
        cls, engine: RayEngine, texts: Texts, tokenizer: Tokenizer, folder: Path, *, texts_a_part: int = TEXTS_A_PART
    ) -> "SpreadTexts":
        """Tokenize a corpus, read by one task and tokenized by all; special tokens are not added.

        Args:
            engine: Ray.
            texts: The corpus.
            tokenizer: Gives the tokens of a text.
            folder: Where the ids go, four bytes a token; files of an earlier call are replaced.
            texts_a_part: Texts that a worker tokenizes, and counts later, at once.

        Raises:
            UserError: The folder cannot be written to, or what ``RayEngine.apply`` raises.
        """
        work = partial(_write, tokenizer=tokenizer.to_str(), folder=folder.absolute())
        parts = list(engine.apply(work, [partial(_numbered, texts, texts_a_part)]))
        return cls(engine=engine, parts=parts, num_ids=tokenizer.get_vocab_size(), texts_a_part=texts_a_part)

    def counts(self) -> NDArray[np.int64]:
        """Count how often each id occurs, as `TokenizedTexts.counts` does.

        Returns:
            Counts ``(V,)``.
        """
        return sum(self._of_parts(TokenizedTexts.counts), np.zeros(self.num_ids, dtype=np.int64))

    def cooccurrences(self, *, window: int | None, unknown: int | None) -> Counts:
        """Count how often two tokens stand near each other, as `selfsent.counts.cooccurrences.cooccurrences` does.

        Args:
            window: The farthest distance that counts; ``None``: the whole text.
            unknown: Id of the unknown token, which holds a place and does not count.

        Returns:
            V by V, symmetric.
        """
        none = Counts((self.num_ids, self.num_ids), dtype=np.float64)
        return reduce(operator.add, self._of_parts(partial(cooccurrences, window=window, unknown=unknown)), none)

    def latent_semantics(self, *, dimension: int, texts_a_passage: int = 1, seed: int = 0) -> NDArray[np.float32]:
        """Give each token the direction of the passages that contain it.

        The same as `selfsent.counts.latent_semantics.latent_semantics` within rounding: sums of other blocks.

        Args:
            dimension: Values of a vector.
            texts_a_passage: How many texts, one after another, are one passage; it must divide ``texts_a_part``.
            seed: Random seed of the SVD.

        Returns:
            Vectors ``(V, dimension)``; zero for a token that is not in the corpus.

        Raises:
            UserError: Parts would cut passages, or what ``RayEngine.apply`` raises.
        """
        if self.texts_a_part % texts_a_passage:
            raise UserError(
                "texts_a_part must be a multiple of texts_a_passage, so that no passage is cut; got"
                f" {self.texts_a_part} and {texts_a_passage}"
            )
        if not self.parts:
            return np.zeros((self.num_ids, dimension), dtype=np.float32)

        def sum_over_blocks(of_block: OfBlock) -> np.ndarray[Any, Any]:
            of_part = partial(_sum_over_passages, texts_a_passage=texts_a_passage, of_block=of_block)
            return reduce(operator.iadd, self._of_parts(of_part))

        return semantics_of_counts(sum_over_blocks, self.num_ids, dimension=dimension, seed=seed)

    def _of_parts(self, of_part: Callable[[TokenizedTexts], Any]) -> Iterator[Any]:
        work = partial(_opened, num_ids=self.num_ids, of_part=of_part)
        return self.engine.apply(work, [partial(list, self.parts)])


def _blocks(texts: Texts, size: int) -> Iterator[list[str]]:
    return chunked(texts(), size)


def _numbered(texts: Texts, size: int) -> Iterator[tuple[int, list[str]]]:
    return enumerate(chunked(texts(), size))


def _words(texts: list[str], *, tokenizer: str) -> Counter[str]:
    opened = Tokenizer.from_str(tokenizer)
    normalizer, splitter = opened.normalizer, opened.pre_tokenizer
    normal = texts if normalizer is None else map(normalizer.normalize_str, texts)
    return Counter(word for text in normal for word, _ in splitter.pre_tokenize_str(text))


def _write(block: tuple[int, list[str]], *, tokenizer: str, folder: Path) -> Path:
    number, texts = block
    opened, place = Tokenizer.from_str(tokenizer), folder / f"{number:06d}"
    try:
        with TokenWriter(place) as written:
            for some in chunked(texts, TEXTS_AT_ONCE):
                written.add([encoding.ids for encoding in opened.encode_batch_fast(some, add_special_tokens=False)])
    except OSError as error:
        raise UserError(
            f"cannot write token ids to {place}: {error.strerror}; free some space, and run it again"
        ) from error
    return place


def _opened(part: Path, *, num_ids: int, of_part: Callable[[TokenizedTexts], Any]) -> Any:
    return of_part(TokenizedTexts.open(part, num_ids))


def _sum_over_passages(texts: TokenizedTexts, *, texts_a_passage: int, of_block: OfBlock) -> np.ndarray[Any, Any]:
    return sum_over(partial(passage_counts, texts, texts_a_passage), of_block)
