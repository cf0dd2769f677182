"""Naming a text by its content, so that the same input gives the same rows however often it is read."""

import hashlib

_NUM_BYTES = 16


class TextIds:
    """Names texts in order: the hash of a text's content and of how many equal texts came before it in the same pass.

    A text keeps its id when other texts are added, removed or moved around it. Equal texts differ in their count only.
    One pass remembers 16 bytes (about 120 in Python's memory) for each distinct text.
    """

    def __init__(self) -> None:
        self._num_seen: dict[bytes, int] = {}

    def __call__(self, text: str) -> str:
        """Name the next text: 32 hexadecimal digits."""
        content = hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=_NUM_BYTES).digest()
        occurrence = self._num_seen.get(content, 0)
        self._num_seen[content] = occurrence + 1
        if not occurrence:
            return content.hex()
        return hashlib.blake2b(content + str(occurrence).encode(), digest_size=_NUM_BYTES).hexdigest()
