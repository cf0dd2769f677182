"""Naming texts by their content, so that the same input gives the same rows however often it is read."""

import hashlib
from collections.abc import Sequence

import numpy as np

from selfsent.data.seen_hashes import SeenHashes

NAMED_AT_ONCE = 4096
"""Texts that a caller names at once: enough to look them up together."""

_NUM_BYTES = 16


class TextIds:
    """Names texts in order: the hash of a text's content and of how many equal texts came before it in the same pass.

    A text keeps its id when other texts are added, removed or moved around it. Equal texts differ in their count only.
    One pass remembers 13 to 27 bytes for each distinct text (half as much again while the table grows), and some 150
    for each that occurs again. Texts are told apart by 64 bits of their hash: among 100 million texts there are two
    alike by chance with a probability of 0.0003, and then the second is named as if it were a repetition.
    """

    def __init__(self) -> None:
        self._seen = SeenHashes()
        self._num_repetitions: dict[bytes, int] = {}

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Name the next texts: 32 hexadecimal digits each."""
        contents = [_hash(text.encode("utf8", "surrogatepass")) for text in texts]
        is_new = self._seen.add(np.frombuffer(b"".join(contents), dtype="<u8")[::2].astype(np.uint64))
        return [
            content.hex() if new else self._repeated(content) for content, new in zip(contents, is_new, strict=True)
        ]

    def _repeated(self, content: bytes) -> str:
        occurrence = self._num_repetitions.get(content, 0) + 1
        self._num_repetitions[content] = occurrence
        return _hash(content + str(occurrence).encode()).hex()


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_NUM_BYTES).digest()
