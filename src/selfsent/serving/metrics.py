"""What the service counts, in the text format of Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from selfsent.serving.access import App, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counts requests, their time, and batches of work."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "selfsent_requests",
            "Requests answered, by endpoint and status.",
            ["endpoint", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "selfsent_request_seconds",
            "Seconds from a request's head to its answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "selfsent_batch_items",
            "Texts or queries done together, by kind of work.",
            ["kind"],
            buckets=_ITEMS,
            registry=self.registry,
        )
        self.work = Counter(
            "selfsent_work_seconds",
            "Seconds of work on model and store, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.waiting = Gauge(
            "selfsent_waiting_pieces", "Pieces of work that wait, by kind.", ["kind"], registry=self.registry
        )

    def batch(self, kind: str, num_items: int, seconds: float) -> None:
        """Count a batch of work."""
        self.batches.labels(kind).observe(num_items)
        self.work.labels(kind).inc(seconds)

    def written(self, waiting: dict[str, int]) -> bytes:
        """Write all counts.

        Args:
            waiting: Pieces that wait now, by kind.
        """
        for kind, number in waiting.items():
            self.waiting.labels(kind).set(number)
        return generate_latest(self.registry)


class Counted:
    """Counts what an application answers.

    Args:
        app: The application.
        metrics: Counts to add to.
    """

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            # The route's pattern and not the path: a path is whatever a client wrote.
            endpoint = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(endpoint, str(status)).inc()
            self._metrics.seconds.labels(endpoint).observe(time.monotonic() - began)
