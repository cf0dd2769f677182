"""Pairs of texts of which the second follows the first in the corpus, or stands anywhere in it."""

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from selfsent.errors import UserError

COLUMNS = ("text", "follower", "label")

_TEXTS_A_BLOCK = 10_000
_FEWEST_TEXTS = 3


class FollowingTexts:
    """Rows of ``text``, ``follower`` and ``label``: 1 where the second text follows the first, 0 where it was drawn.

    Each is as likely. A follower is drawn among the texts of a block of 10,000, so that a corpus larger than memory can
    be read; it is neither the text itself nor the one that follows.

    Source: BERT (Devlin et al., NAACL 2019), Section 3.1, Task 2, next sentence prediction.
    Differs: what follows is the next row of the source, which need not be of the same document.

    Args:
        rows: Rows with a column ``text``, in the order of the corpus.
        seed: Random seed.

    Raises:
        UserError: After a pass over fewer than three texts.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], *, seed: int) -> None:
        self._rows, self._seed = rows, seed
        self.num_pairs = self.num_following = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.num_pairs = self.num_following = 0
        draw = random.Random(self._seed)  # noqa: S311 nothing is secret
        texts = (str(row["text"]) for row in self._rows)
        while len(block := list(islice(texts, _TEXTS_A_BLOCK))) >= _FEWEST_TEXTS:
            for place in range(len(block) - 1):
                follows = draw.random() < 0.5  # noqa: PLR2004 as likely as not
                self.num_pairs += 1
                self.num_following += follows
                follower = place + 1 if follows else _other(place, len(block), draw)
                yield {"text": block[place], "follower": block[follower], "label": int(follows)}
        if not self.num_pairs:
            raise UserError("next_sentence needs at least three texts in the order of a corpus; name more")

    def note(self) -> str:
        """Say how many pairs there are, after a pass."""
        share = 100 * self.num_following / self.num_pairs if self.num_pairs else 0.0
        return f"{self.num_pairs:,} pairs of texts, of which {share:.0f}% follow each other in the source"


def _other(place: int, num_texts: int, draw: random.Random) -> int:
    """Draw a text that is neither the one at a place nor the one that follows it."""
    drawn = draw.randrange(num_texts - 2)
    return drawn if drawn < place else drawn + 2
