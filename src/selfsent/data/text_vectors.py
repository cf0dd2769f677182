"""Vectors of single texts, found again by the hash of the text: vectors of one corpus are used again for the next."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from selfsent.atomic import write_text
from selfsent.data.heldout import hash_of_text
from selfsent.encoding import chunked
from selfsent.time_limit import TimeLimit

_KEYS_FILE, _VECTORS_FILE, _COUNTS_FILE = "keys.bin", "vectors.bin", "counts.json"
_TEXTS_A_PART = 512

Encode = Callable[[Sequence[str]], Float[np.ndarray, "B D"]]


class TextVectors:
    """A folder of vectors, to which missing ones are appended; a kill loses one part at most.

    Args:
        folder: Made if missing. It belongs to one model: give each a folder of its own.
        width: Values of a vector.
    """

    def __init__(self, folder: Path, width: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._width = folder, width
        self._rows = self._whole_rows()

    def _whole_rows(self) -> dict[int, int]:
        """Find the row of each text; half a part behind the whole rows, which a kill left, is cut off."""
        keys, vectors = self._folder / _KEYS_FILE, self._folder / _VECTORS_FILE
        for path in (keys, vectors):
            path.touch()
        num_rows = min(keys.stat().st_size // 8, vectors.stat().st_size // (4 * self._width))
        for path, row_bytes in ((keys, 8), (vectors, 4 * self._width)):
            with path.open("r+b") as file:
                file.truncate(num_rows * row_bytes)
        return {int(key): row for row, key in enumerate(np.fromfile(keys, dtype=np.uint64))}

    def complete(self, texts: Sequence[str], encode: Encode, limit: TimeLimit) -> Int[np.ndarray, " K"]:
        """Compute missing vectors, in the order of the texts' hashes, for as long as there is time.

        For the same texts a later call takes as many as the first one did, so that an interrupted run continues with
        the same data.

        Args:
            texts: The texts.
            encode: Gives unit vectors ``(B, D)`` of texts.
            limit: When to stop; one part is computed in any case.

        Returns:
            Positions in ``texts`` of those that have a vector, in the order of the texts.
        """
        keys = [hash_of_text(text) for text in texts]
        order = sorted(range(len(texts)), key=keys.__getitem__)
        name = f"{hash_of_text(json.dumps([keys[place] for place in order])):016x}"
        counts = self._counts()
        most = counts.get(name, len(texts))
        missing = [place for place in order[:most] if keys[place] not in self._rows]
        self._append((texts[place] for place in missing), len(missing), encode, limit)
        have = [place for place in order[:most] if keys[place] in self._rows]
        if name not in counts:
            write_text(self._folder / _COUNTS_FILE, json.dumps({**counts, name: len(have)}))
        return np.array(sorted(have), dtype=np.int64)

    def _counts(self) -> dict[str, int]:
        path = self._folder / _COUNTS_FILE
        return dict(json.loads(path.read_text("utf8"))) if path.is_file() else {}

    def _append(self, texts: Iterable[str], num_texts: int, encode: Encode, limit: TimeLimit) -> None:
        seconds = 0.0
        with tqdm(total=num_texts, desc="teacher", unit=" texts", disable=None, leave=False) as progress:
            for part in chunked(texts, _TEXTS_A_PART):
                if seconds and not limit.allows(seconds):
                    return
                began = time.monotonic()
                vectors = encode(part).astype(np.float32)
                keys = np.array([hash_of_text(text) for text in part], dtype=np.uint64)
                for name, values in ((_VECTORS_FILE, vectors), (_KEYS_FILE, keys)):
                    with (self._folder / name).open("ab") as file:
                        file.write(values.tobytes())
                self._rows |= {int(key): len(self._rows) + place for place, key in enumerate(keys)}
                progress.update(len(part))
                seconds = time.monotonic() - began

    def of(self, texts: Sequence[str]) -> Float[np.ndarray, "B D"]:
        """Give the vectors of texts that have one."""
        vectors = np.memmap(self._folder / _VECTORS_FILE, dtype=np.float32, mode="r").reshape(-1, self._width)
        return vectors[[self._rows[hash_of_text(text)] for text in texts]]
