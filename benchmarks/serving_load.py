"""Load a service from a second process over loopback: throughput, latency, overload, memory, recovery.

    python -m benchmarks.serving_load STORE --seconds 10 --overload-seconds 60 --json serving-load.json

It starts `selfsent serve STORE` itself and stops it at the end. Queries are the first words of passages of the store.
Embeddings are compared with encoding the same texts offline, afterwards, in this process.
"""

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from selfsent.search.store import Store
from selfsent.serving.service import Service

_NUM_TEXTS = 512
_QUERY_WORDS = 6
_TEXTS_A_REQUEST = 32
_MEMORY = re.compile(rb"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
_PROCESSOR = re.compile(rb"^process_cpu_seconds_total (\S+)$", re.MULTILINE)


@dataclass
class Outcome:
    """Results of the clients: seconds per request answered with 200, and the number of requests per status."""

    wall_s: float = 0.0
    seconds: list[float] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        (self.seconds if status == 200 else self.refused_seconds).append(seconds)

    def summary(self) -> dict[str, Any]:
        """Give requests a second, and quantiles of the seconds."""
        shown: dict[str, Any] = {
            "requests_per_s": round(len(self.seconds) / self.wall_s, 1),
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
        }
        for name, seconds in (("", self.seconds), ("refused_", self.refused_seconds)):
            if seconds:
                p50, p99 = np.quantile(seconds, (0.5, 0.99))
                shown |= {f"{name}p50_ms": round(1000 * float(p50), 1), f"{name}p99_ms": round(1000 * float(p99), 1)}
        return shown


class Client:
    """One connection that is kept, opened again where it was closed.

    Args:
        port: Port of the service.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Ask; gives the status, 0 where there was no answer, and the content."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            received = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", received)
            answer = await reader.readexactly(int(length[1])) if length else b""
            return int(received.split(b" ", 2)[1]), answer
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


Ask = Callable[[int], tuple[str, Any]]
"""Path and body of a request by its number."""


async def at_once(port: int, num_clients: int, seconds: float, ask: Ask) -> Outcome:
    """Let clients ask one request after another, each as soon as the last is answered."""
    outcome, began = Outcome(), time.monotonic()

    async def client(number: int) -> None:
        one = Client(port)
        while time.monotonic() - began < seconds:
            path, body = ask(number)
            number += num_clients
            asked = time.monotonic()
            status, _ = await one.ask("POST", path, body)
            outcome.add(status, time.monotonic() - asked)
        one.close()

    await asyncio.gather(*map(client, range(num_clients)))
    outcome.wall_s = time.monotonic() - began
    return outcome


async def at_rate(port: int, rate: float, seconds: float, ask: Ask) -> tuple[Outcome, list[float]]:
    """Ask at a rate, whether the service keeps up or not; gives its memory beside the outcome, every two seconds."""
    outcome, began, memory = Outcome(), time.monotonic(), list[float]()
    idle: list[Client] = []

    async def one(number: int) -> None:
        client = idle.pop() if idle else Client(port)
        asked = time.monotonic()
        status, _ = await client.ask("POST", *ask(number))
        outcome.add(status, time.monotonic() - asked)
        idle.append(client)

    async def watch() -> None:
        while time.monotonic() - began < seconds:
            found = await process(port)
            memory.extend([found["memory_mb"]] if found else [])
            await asyncio.sleep(2)

    watching = asyncio.create_task(watch())
    asking: set[asyncio.Task[None]] = set()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        if time.monotonic() - began > seconds:
            break
        task = asyncio.create_task(one(number))
        asking.add(task)
        task.add_done_callback(asking.discard)
    await asyncio.gather(watching, *asking)
    outcome.wall_s = time.monotonic() - began
    for client in idle:
        client.close()
    return outcome, memory


async def process(port: int) -> dict[str, float]:
    """Give memory and processor seconds of the service, as it counts them itself; nothing where it was too busy."""
    client = Client(port)
    status, content = await client.ask("GET", "/metrics")
    client.close()
    memory, processor = _MEMORY.search(content), _PROCESSOR.search(content)
    if status != 200 or memory is None or processor is None:
        return {}
    return {"memory_mb": round(float(memory[1]) / 2**20, 1), "processor_s": float(processor[1])}


@contextlib.contextmanager
def served(store: str) -> Iterator[int]:
    """Run `selfsent serve` while the block runs; gives its port."""
    command = [sys.executable, "-m", "selfsent", "serve", store, "--port", "0", "--device", "cpu"]
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert service.stderr is not None
    try:
        line = service.stderr.readline()
        found = re.search(r":(\d+)/", line)
        if found is None:
            raise SystemExit(line + service.stderr.read())
        yield int(found[1])
    finally:
        service.terminate()
        service.wait(60)


async def measure(port: int, texts: Sequence[str], seconds: float, overload_s: float) -> dict[str, Any]:
    """Measure throughput and latency by number of clients, then twice the most there was, then recovery."""
    queries = [" ".join(text.split()[:_QUERY_WORDS]) for text in texts]

    def search(number: int) -> tuple[str, Any]:
        return "/search", {"query": queries[number % len(queries)], "k": 10}

    def embed(number: int) -> tuple[str, Any]:
        first = number * _TEXTS_A_REQUEST % len(texts)
        return "/v1/embeddings", {"input": list(texts[first : first + _TEXTS_A_REQUEST]), "encoding_format": "base64"}

    results: dict[str, Any] = {}
    for name, ask in (("search", search), ("embeddings", embed)):
        await at_once(port, 1, min(3.0, seconds), ask)
        for num_clients in (1, 8, 64):
            before = await process(port)
            outcome = (await at_once(port, num_clients, seconds, ask)).summary()
            after = await process(port)
            if before and after and outcome["statuses"].get("200"):
                spent = after["processor_s"] - before["processor_s"]
                outcome["processor_ms_a_request"] = round(1000 * spent / outcome["statuses"]["200"], 1)
            results[f"{name}, {num_clients} clients"] = outcome
    capacity = max(results[f"search, {number} clients"]["requests_per_s"] for number in (1, 8, 64))
    outcome, memory = await at_rate(port, 2 * capacity, overload_s, search)
    results["overload"] = outcome.summary() | {"rate": round(2 * capacity, 1), "memory_mb": memory}
    results["recovery, 1 client"] = (await at_once(port, 1, min(5.0, seconds), search)).summary()
    results["after"] = await process(port)
    return results


def offline(store: str, texts: Sequence[str]) -> dict[str, float]:
    """Encode the texts in this process, in batches as large as those of the requests."""
    service = Service.open(store, device="cpu")
    service.model.encode(texts[:_TEXTS_A_REQUEST])
    wall, processor = time.monotonic(), time.process_time()
    for first in range(0, len(texts), _TEXTS_A_REQUEST):
        service.model.encode(texts[first : first + _TEXTS_A_REQUEST])
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    service.close()
    return {
        "requests_per_s": round(len(texts) / _TEXTS_A_REQUEST / wall, 1),
        "processor_ms_a_request": round(1000 * processor * _TEXTS_A_REQUEST / len(texts), 1),
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", help="A store, or the folder of a build.")
    parser.add_argument("--seconds", type=float, default=10.0, help="Seconds of each measurement.")
    parser.add_argument("--overload-seconds", type=float, default=60.0, help="Seconds of twice the capacity.")
    parser.add_argument("--json", type=Path, help="Write the results here.")
    arguments = parser.parse_args()
    opened = Store.open(arguments.store)
    step = max(1, len(opened) // _NUM_TEXTS)
    rows = opened.table.take_offsets(list(range(0, len(opened), step))[:_NUM_TEXTS]).select(["text"]).to_arrow()
    texts = [text for text in rows.column("text").to_pylist() if text.strip()]
    with served(arguments.store) as port:
        results = asyncio.run(measure(port, texts, arguments.seconds, arguments.overload_seconds))
    results["offline encoding"] = offline(arguments.store, texts)
    for name, result in results.items():
        print(f"{name}: {json.dumps(result)}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf8")


if __name__ == "__main__":
    main()
