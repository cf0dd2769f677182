"""Processor seconds of what users wait for: help, a small build, a search in a new process, a search of a server."""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Results
from benchmarks.serving_load import Client, process, served

_NUM_SEARCHES = 200


def processor_seconds(arguments: Sequence[str]) -> float:
    """Run the command line in a new process and measure its user and system time, with that of its children.

    Raises:
        RuntimeError: The exit code is not 0.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "selfsent", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if result.returncode:
        raise RuntimeError(
            f"selfsent {' '.join(arguments)} ended with code {result.returncode}: {result.stderr[-500:]}"
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def served_search(store: str, queries: Sequence[str]) -> float:
    """Serve a store and search it; give the server's processor seconds for one search, after 200 searches to warm up.

    Raises:
        RuntimeError: A search was not answered, or the server does not report its processor time.
    """
    with served(store) as port:
        client, spent = Client(port), list[float]()
        for _ in range(2):
            for number in range(_NUM_SEARCHES):
                status, answer = await client.ask("POST", "/search", {"query": queries[number % len(queries)], "k": 10})
                if status != 200:
                    raise RuntimeError(f"the server answered {status}: {answer[:200]!r}")
            spent.append((await process(port))["processor_s"])
        client.close()
    return (spent[1] - spent[0]) / _NUM_SEARCHES


def time_waits(results: Results, sentences: list[str]) -> None:
    """Build a small corpus, search it and ask for help, each in a new process.

    Args:
        results: Where the figures are written.
        sentences: Documents of the corpus, a line each.
    """
    with tempfile.TemporaryDirectory() as folder:
        corpus, built = Path(folder) / "corpus.txt", Path(folder) / "built"
        corpus.write_text("\n".join(sentences), "utf8")
        results.time("help", processor_seconds(["--help"]), note="selfsent --help")
        seconds = processor_seconds(["build", str(corpus), "--output", str(built)])
        results.time("build", seconds, note=f"selfsent build, {len(sentences):,} sentences")
        seconds = processor_seconds(["search", str(built), sentences[0]])
        results.time("cold_search", seconds, note="selfsent search of that store, a new process")
        seconds = asyncio.run(served_search(str(built), [" ".join(text.split()[:6]) for text in sentences]))
        results.time("served_search", seconds, note="a search of that store by selfsent serve, of the server")
