"""A service: a model, perhaps a store, and the queue that all work goes through."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from selfsent.errors import UserError
from selfsent.search.store_place import TABLE, is_remote, is_store, local_folder, store_in
from selfsent.serving.limits import Limits
from selfsent.serving.metrics import Metrics
from selfsent.serving.model import ServedModel, open_model, public_name
from selfsent.serving.served_map import ServedMap
from selfsent.serving.served_store import Asked, ServedStore
from selfsent.serving.work_queue import WorkQueue

_LOOKS_EVERY_S = 1.0
_LOG = logging.getLogger(__name__)


class UnavailableError(UserError):
    """The service cannot answer at the moment; the request was correct."""


class Service:
    """A model, perhaps its store, and a queue.

    Args:
        model: The open model.
        store: The open store; None where there is a model alone.
        place: Where they are.
        limits: What is accepted.
    """

    def __init__(self, model: ServedModel, store: ServedStore | None, *, place: str, limits: Limits) -> None:
        self.model = model
        self.store = store
        self.limits = limits
        self.metrics = Metrics()
        self.queue = WorkQueue(
            max_waiting=limits.max_waiting,
            max_wait_s=limits.max_wait_s,
            max_batch=limits.texts_a_piece,
            on_batch=self.metrics.batch,
        )
        self.map = None if store is None else ServedMap(place)
        self._place = place
        self._looked = time.monotonic()
        self._identity = _identity(place)

    @classmethod
    def open(
        cls,
        place: str,
        *,
        model: str | None = None,
        device: str | None = None,
        show_paths: bool = False,
        limits: Limits | None = None,
    ) -> "Service":
        """Open a store with its model, or a model alone.

        Args:
            place: A store, the folder of a ``build``, or a model.
            model: Where the store's model is, if it was moved.
            device: Where to put the model.
            show_paths: Whether answers say which files they are from.
            limits: What is accepted.

        Raises:
            UserError: There is none of these at the place, or it cannot be opened.
        """
        limits = limits or Limits()
        if not is_store(place):
            if model is not None:
                raise UserError(f"--model says where the model of a store is, and {place} is not a store; leave it out")
            return cls(ServedModel(open_model(place, device), public_name(place)), None, place=place, limits=limits)
        store = ServedStore(place, model, device=device, show_paths=show_paths)
        return cls(ServedModel(store.search.model, _model_name(place, store)), store, place=place, limits=limits)

    @property
    def report(self) -> Path | None:
        """The page that ``build`` wrote, if it did."""
        if self.store is None or is_remote(self._place) or store_in(self._place) == self._place:
            return None
        file = Path(self._place).expanduser() / "report.html"
        return file if file.is_file() else None

    def answers(self, queries: Sequence[str], asked: Asked) -> list[dict[str, Any]]:
        """Answer queries from the store as it is now; on the queue's thread."""
        return self._fresh().answers(queries, asked)

    def documents(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Give documents of the store as it is now; on the queue's thread."""
        return [self._fresh().document(name) for name in names]

    def facts(self) -> dict[str, Any]:
        """Say what there is; on the queue's thread."""
        store = {} if self.store is None else self._fresh().facts()
        return {"model": self.model.facts(), "store": store, "report": self.report is not None}

    async def work(
        self, kind: str, key: Hashable, run: Callable[[list[Any]], Sequence[Any]], items: Sequence[Any]
    ) -> list[Any]:
        """Have work done by the queue's thread.

        Raises:
            OverloadedError: Too much is waiting.
            StoppingError: The service is being stopped.
            TimeoutError: It took longer than a request may wait.
        """
        futures = [asyncio.wrap_future(one) for one in self.queue.submit(kind, (kind, key), run, items)]
        parts = await asyncio.wait_for(asyncio.gather(*futures), self.limits.answer_timeout_s)
        return [result for part in parts for result in part]

    def without_paths(self, text: str) -> str:
        """Replace the paths of store and model in a text by their names, unless paths are shown."""
        if self.store is not None and self.store.show_paths:
            return text
        named = {self._place} if self.store is None else {self._place, self.store.table.uri}
        named |= {str(Path(place).expanduser().resolve()) for place in named if not is_remote(place)}
        for place in sorted(named, key=len, reverse=True):
            text = text.replace(place, Path(place).name)
        return text

    def close(self) -> None:
        """Finish what was accepted, and accept nothing more."""
        self.queue.close()

    def _fresh(self) -> ServedStore:
        """The store; opened anew, with its model, where another has taken its place.

        A store that ``index`` has added to needs nothing: every search reads the latest version.
        """
        assert self.store is not None, "asked of a service with a store"  # noqa: S101 our own invariant
        if time.monotonic() - self._looked < _LOOKS_EVERY_S:
            return self.store
        identity = _identity(self._place)
        if identity != self._identity:
            if identity is None:
                raise UnavailableError("the store is not there at the moment; ask again when it is")
            self.store = self.store.reopened()
            self.model = ServedModel(self.store.search.model, _model_name(self._place, self.store))
            self._identity = identity
            _LOG.info("the store %s was made anew and is open again", self._place)
        self._looked = time.monotonic()
        return self.store


def _model_name(place: str, store: ServedStore) -> str:
    is_build = not is_remote(place) and store_in(place) != place
    return public_name(place) if is_build else public_name(store.table.model.location(store.table.uri))


def _identity(place: str) -> tuple[int, ...] | None:
    """What tells one store at a place from another: its folders on the disk; None where there is no local store."""
    if is_remote(place):
        return None
    table = local_folder(store_in(place)) / f"{TABLE}.lance"
    try:
        return tuple(os.stat(folder).st_ino for folder in (table, table / "_versions"))  # noqa: PTH116 a number is wanted
    except OSError:
        return None
