"""A corpus as token ids: tokenized once, and then counted in as often as is wanted at the speed of memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from tokenizers import Tokenizer

from selfsent.encoding import chunked

Ids = NDArray[np.int32]
"""One number a token."""

TOKENS_AT_ONCE = 1 << 20
"""About how many tokens are counted at once."""

TEXTS_AT_ONCE = 1000  # an encoding knows much more of a text than its ids, and takes a hundred times their memory
_IDS, _STARTS = "token_ids.bin", "text_starts.bin"


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenizedTexts:
    """Token ids of texts, one text after another.

    Args:
        ids: Ids of all tokens, in order.
        starts: Where each text begins among them, and the end of the last.
        num_ids: How many ids the tokenizer has; V below.
    """

    ids: Int[np.ndarray, " L"]
    starts: Int[np.ndarray, " T1"]
    num_ids: int

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Tokenizer) -> "TokenizedTexts":
        """Tokenize texts in memory, which takes four bytes a token; special tokens are not added.

        Args:
            texts: The texts, read once.
            tokenizer: Gives the tokens of a text.
        """
        parts: list[Ids] = [np.zeros(0, dtype=np.int32)]
        lengths: list[int] = []
        for some in chunked(texts, TEXTS_AT_ONCE):
            encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False)]
            lengths += map(len, encoded)
            parts.append(_joined(encoded))
        starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return cls(ids=np.concatenate(parts), starts=starts, num_ids=tokenizer.get_vocab_size())

    @classmethod
    def open(cls, folder: Path, num_ids: int) -> "TokenizedTexts":
        """Map what `TokenWriter` wrote into memory.

        Args:
            folder: Where it is.
            num_ids: How many ids the tokenizer has.
        """
        return cls(ids=mapped(folder / _IDS, np.int32), starts=mapped(folder / _STARTS, np.int64), num_ids=num_ids)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def texts_at_once(self, num_tokens: int) -> int:
        """Say how many texts hold so many tokens, on average; at least one.

        Args:
            num_tokens: About as many tokens as a block is to hold.
        """
        return max(num_tokens * len(self) // max(int(self.starts[-1]), 1), 1)

    def blocks(self, num_texts: int) -> Iterator[tuple[Ids, Ids]]:
        """Go through the texts, some at a time.

        Args:
            num_texts: How many make a block.

        Yields:
            Ids ``(L,)`` of the tokens of a block, and the number ``(L,)`` of the text of each, from 0 in each block.
        """
        for first in range(0, len(self), num_texts):
            bounds = self.starts[first : first + num_texts + 1]
            numbers = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
            yield _read(self.ids, int(bounds[0]), int(bounds[-1])), numbers

    def counts(self) -> NDArray[np.int64]:
        """Count how often each id occurs.

        Returns:
            Counts ``(V,)``.
        """
        total = np.zeros(self.num_ids, dtype=np.int64)
        for ids, _ in self.blocks(self.texts_at_once(TOKENS_AT_ONCE)):
            total += np.bincount(ids, minlength=self.num_ids)
        return total


class TokenWriter(AbstractContextManager["TokenWriter"]):
    """Writes the token ids of texts to files, for `TokenizedTexts.open`; what is there is replaced.

    Args:
        folder: Where the files go; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ids: IO[bytes] = (folder / _IDS).open("wb")
        self._starts: IO[bytes] = (folder / _STARTS).open("wb")
        self._num_tokens = 0
        self._starts.write(np.int64(0).tobytes())

    def add(self, ids: Sequence[Sequence[int]]) -> None:
        """Write the ids of some texts.

        Args:
            ids: Those of each text.
        """
        starts = self._num_tokens + np.cumsum([len(one) for one in ids], dtype=np.int64)
        self._ids.write(_joined(ids).tobytes())
        self._starts.write(starts.tobytes())
        self._num_tokens = int(starts[-1]) if len(starts) else self._num_tokens

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ids.close()
        self._starts.close()


def _joined(ids: Sequence[Sequence[int]]) -> Ids:
    return np.fromiter(chain.from_iterable(ids), dtype=np.int32)


def _read(ids: Ids, first: int, last: int) -> Ids:
    """Read a part of the ids; of a file that is mapped by reading it, since all mapped pages would stay in memory."""
    if not isinstance(ids, np.memmap) or ids.filename is None:
        return ids[first:last]
    return np.fromfile(ids.filename, dtype=ids.dtype, count=last - first, offset=first * ids.itemsize)


def mapped(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """Map a file of numbers into memory; an empty file, which cannot be mapped, is an empty array.

    Args:
        path: The file.
        dtype: What its numbers are.
    """
    if not path.stat().st_size:
        return np.zeros(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
