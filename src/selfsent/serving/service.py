"""What a service has: a model, perhaps a store, and the queue that all work goes through."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from selfsent.search.store_place import holds_store, is_remote, store_in
from selfsent.serving.limits import Limits
from selfsent.serving.model import ServedModel, open_model, public_name
from selfsent.serving.served_store import ServedStore
from selfsent.serving.work_queue import WorkQueue


class Service:
    """A model, perhaps its store, and a queue.

    Args:
        model: The open model.
        store: The open store; None where there is a model alone.
        report: The page of a ``build``, if there is one.
        limits: What is accepted.
    """

    def __init__(
        self, model: ServedModel, store: ServedStore | None = None, *, report: Path | None = None, limits: Limits
    ) -> None:
        self.model = model
        self.store = store
        self.report = report
        self.limits = limits
        self.queue = WorkQueue(max_waiting=limits.max_waiting, max_batch=limits.texts_a_piece)

    @classmethod
    def open(
        cls, place: str, *, device: str | None = None, show_paths: bool = False, limits: Limits | None = None
    ) -> "Service":
        """Open a store with its model, or a model alone.

        Raises:
            UserError: There is neither at the place, or it cannot be opened.
        """
        limits = limits or Limits()
        if not is_store(place):
            return cls(ServedModel(open_model(place, device), public_name(place)), limits=limits)
        store = ServedStore(place, device=device, show_paths=show_paths)
        is_build = not is_remote(place) and store_in(place) != place
        location = store.search.store.model.location(store.search.store.uri)
        name = public_name(place) if is_build else public_name(location)
        report = Path(place) / "report.html" if is_build else None
        return cls(ServedModel(store.search.model, name), store, report=report, limits=limits)

    async def work(self, kind: str, key: Hashable, run: Callable[[list[Any]], Sequence[Any]], items: Sequence[Any]) -> list[Any]:
        """Have work done by the queue's thread.

        Raises:
            Overloaded: Too much is waiting.
            Stopping: The service is being stopped.
            TimeoutError: It took longer than a request may wait.
        """
        futures = [asyncio.wrap_future(one) for one in self.queue.submit(kind, (kind, key), run, items)]
        parts = await asyncio.wait_for(asyncio.gather(*futures), self.limits.answer_timeout_s)
        return [result for part in parts for result in part]

    def close(self) -> None:
        """Finish what was accepted."""
        self.queue.close()


def is_store(place: str) -> bool:
    """Whether a place is a store or the folder of a ``build``, and not a model."""
    return is_remote(place) or holds_store(place)
