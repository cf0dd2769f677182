"""One thread that does all work on model and store, in batches, behind a queue of bounded length."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from selfsent.errors import UserError

_MEMORY = 0.8  # share of the earlier measurements in the mean time of a piece
_LONGEST_RETRY_S = 60

Run = Callable[[list[Any]], Sequence[Any]]


class OverloadedError(Exception):
    """The queue is full.

    Args:
        retry_after_s: Whole seconds after which there is probably room again.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"the service is busy; ask again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class StoppingError(Exception):
    """The service is being stopped and accepts nothing new."""


@dataclass
class _Piece:
    """Some items of one request, that are done together."""

    key: Hashable
    run: Run
    items: list[Any]
    future: Future[list[Any]] = field(default_factory=Future)


@dataclass
class _Lane:
    """The pieces of one kind of work that wait, in their order, and how long one takes."""

    waiting: deque[_Piece] = field(default_factory=deque[_Piece])
    seconds_a_piece: float = 0.0


class WorkQueue:
    """Does work of several kinds in turn, each in the order of its arrival.

    One thread does everything, because neither a model nor a store may be used by two at once. Pieces that arrive while
    others are being done are joined into one batch where their keys are equal. No kind can keep another from its turn:
    a search waits for one batch of embeddings at most.

    Args:
        max_waiting: Pieces of a kind that may wait ...
        max_wait_s: ... and seconds that those before a new one may take, by what pieces took lately.
        max_batch: Items of a batch at most, unless a single piece has more.
        on_batch: Told kind, number of items and seconds of every batch.
    """

    def __init__(
        self,
        *,
        max_waiting: int,
        max_wait_s: float,
        max_batch: int,
        on_batch: Callable[[str, int, float], None] = lambda _kind, _items, _seconds: None,
    ) -> None:
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._max_batch = max_batch
        self._on_batch = on_batch
        self._lanes: dict[str, _Lane] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="selfsent-work", daemon=True)
        self._thread.start()

    def submit(self, kind: str, key: Hashable, run: Run, items: Sequence[Any]) -> list[Future[list[Any]]]:
        """Accept the work of one request, all of it or nothing.

        Args:
            kind: Which queue it waits in.
            key: Pieces of equal keys may be joined; ``run`` does the same for them.
            run: Gives as many results as it gets items; it runs on the queue's thread.
            items: What to work on.

        Returns:
            Futures of the results, in order; each has those of at most ``max_batch`` items.

        Raises:
            OverloadedError: Too much is waiting.
            StoppingError: The queue is closed.
        """
        size = self._max_batch
        pieces = [_Piece(key, run, list(items[at : at + size])) for at in range(0, len(items), size)]
        with self._changed:
            if self._is_closed:
                raise StoppingError("the service is being stopped; ask again when it runs")
            lane = self._lanes.setdefault(kind, _Lane())
            waiting_s = lane.seconds_a_piece * len(lane.waiting)
            if len(lane.waiting) + len(pieces) > self._max_waiting or waiting_s > self._max_wait_s:
                raise OverloadedError(min(_LONGEST_RETRY_S, max(1, math.ceil(waiting_s))))
            lane.waiting.extend(pieces)
            self._changed.notify()
        return [piece.future for piece in pieces]

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is accepted."""
        return self._is_closed

    @property
    def num_waiting(self) -> dict[str, int]:
        """Pieces that wait, by kind."""
        with self._changed:
            return {kind: len(lane.waiting) for kind, lane in self._lanes.items()}

    def close(self, timeout_s: float | None = None) -> None:
        """Accept nothing more, and return when all that was accepted is done."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        turn = 0
        while True:
            with self._changed:
                while not any(lane.waiting for lane in self._lanes.values()):
                    if self._is_closed:
                        return
                    self._changed.wait()
                kinds = list(self._lanes)
                kind = next(
                    kinds[(turn + step) % len(kinds)]
                    for step in range(len(kinds))
                    if self._lanes[kinds[(turn + step) % len(kinds)]].waiting
                )
                turn = kinds.index(kind) + 1
                lane = self._lanes[kind]
                batch = _taken(lane.waiting, self._max_batch)
            if batch:
                self._do(kind, lane, batch)

    def _do(self, kind: str, lane: _Lane, batch: list[_Piece]) -> None:
        began = time.monotonic()
        try:
            _answer(batch)
        except UserError:
            for piece in batch:  # one of them is to blame; the others get their answer
                try:
                    _answer([piece])
                except Exception as error:  # noqa: BLE001 whoever asked is told
                    piece.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 as above; the thread goes on
            for piece in batch:
                piece.future.set_exception(error)
        seconds = time.monotonic() - began
        lane.seconds_a_piece = _MEMORY * lane.seconds_a_piece + (1 - _MEMORY) * seconds / len(batch)
        self._on_batch(kind, sum(len(piece.items) for piece in batch), seconds)


def _taken(waiting: deque[_Piece], max_batch: int) -> list[_Piece]:
    """Take the first piece that somebody still waits for, and those of the same key that fit beside it."""
    batch: list[_Piece] = []
    others: list[_Piece] = []
    num_items = 0
    while waiting:
        piece = waiting.popleft()
        fits = not batch or (piece.key == batch[0].key and num_items + len(piece.items) <= max_batch)
        if not fits:
            others.append(piece)
        elif piece.future.set_running_or_notify_cancel():
            batch.append(piece)
            num_items += len(piece.items)
        if num_items >= max_batch:
            break
    waiting.extendleft(reversed(others))
    return batch


def _answer(batch: list[_Piece]) -> None:
    results = list(batch[0].run([item for piece in batch for item in piece.items]))
    assert len(results) == sum(len(piece.items) for piece in batch), "one result an item"  # noqa: S101 our own invariant
    first = 0
    for piece in batch:
        piece.future.set_result(results[first : first + len(piece.items)])
        first += len(piece.items)
