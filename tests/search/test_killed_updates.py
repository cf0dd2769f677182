"""Killed updates: the store opens, nothing acknowledged is lost, nothing is there twice.

A process changes one document and adds another, indexes, and says so; again and again until it is killed. As many
kills as ``SELFSENT_KILLS`` says, 2 by default.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import selfsent
from selfsent.search.mapped_store import MappedStore
from selfsent.search.semantic_search import SemanticSearch
from selfsent.search.store import Store

NUM_KILLS = int(os.environ.get("SELFSENT_KILLS", "2"))
NUM_CHANGING = 5
UPDATES = """
import sys
from pathlib import Path
from tests.search.test_killed_updates import documents_after
import selfsent

model, folder, store, first = sys.argv[1:]
for number in range(int(first), int(first) + 10_000):
    for name, text in documents_after(number).items():
        if not (path := Path(folder, name)).exists() or path.read_text("utf8") != text:
            path.write_text(text, "utf8")
    selfsent.index(model, folder, store, forget=True)
    print(number, flush=True)
"""


def documents_after(number: int) -> dict[str, str]:
    """The texts of all documents after so many updates, each long enough for several passages."""
    changed = {
        f"changing-{one}.md": max((n for n in range(number + 1) if n % NUM_CHANGING == one), default=None)
        for one in range(NUM_CHANGING)
    }
    texts = {name: f"version {last} of {name}" for name, last in changed.items() if last is not None}
    texts |= {f"added-{one}.md": f"added by update {one}" for one in range(number + 1)}
    return {
        name: "\n\n".join(f"{text}, part {part}. " + "The cat sleeps. " * 80 for part in range(2))
        for name, text in texts.items()
    }


def held(store: Path) -> dict[str, list[str]]:
    """The passages of each document of a store, in order; no id is there twice."""
    rows = Store.open(store).table.search().select(["id", "document", "text", "start"]).to_arrow().to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in rows:
        found[row["document"]].append((row["start"], row["text"]))
    return {name: [text for _, text in sorted(passages)] for name, passages in found.items()}


def joined(passages: list[str]) -> str:
    """The words of passages: none is left out, none is there twice."""
    return " ".join(" ".join(passages).split())


def require_whole(store: Path, acknowledged: int) -> None:
    """Require the documents of the last update that was acknowledged, or of the one after it, each whole and once."""
    before, after = documents_after(acknowledged), documents_after(acknowledged + 1)
    found = held(store)
    assert set(before) <= set(found) <= set(after)
    for name, passages in found.items():
        wanted = {" ".join(texts[name].split()) for texts in (before, after) if name in texts}
        assert joined(passages) in wanted, name


def run_until_killed(arguments: list[str], seconds: float) -> list[int]:
    """Run updates, kill them some time after the first acknowledgement, and give what was acknowledged."""
    command = [sys.executable, "-c", UPDATES, *arguments]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    assert first, process.stderr.read()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stderr.close()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return [int(line) for line in (first + rest).split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not known there")
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, tiny_static_model: SentenceTransformer
) -> None:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    folder, store = tmp_path / "documents", tmp_path / "store"
    folder.mkdir()
    draw = random.Random(0)
    acknowledged = -1
    for _ in range(NUM_KILLS):
        arguments = [str(tmp_path / "model"), str(folder), str(store), str(acknowledged + 1)]
        acknowledged = run_until_killed(arguments, draw.uniform(0.0, 1.5))[-1]
        require_whole(store, acknowledged)
        search = SemanticSearch(store)  # by the snapshot or, where the kill left none, by the table
        name = f"added-{acknowledged}.md"
        assert name in {hit.document for hit in search.search(f"update {acknowledged}", 50, "text")}
    for path in folder.iterdir():
        path.unlink()
    for name, text in documents_after(acknowledged).items():
        (folder / name).write_text(text, "utf8")
    selfsent.index(tmp_path / "model", folder, store, forget=True)
    assert set(held(store)) == set(documents_after(acknowledged))
    require_whole(store, acknowledged)
    mapped, table = MappedStore.find(str(store)), Store.open(store)
    assert mapped is not None
    assert len(mapped) == len(table)
    assert np.isfinite([row["score"] for row in mapped.with_words("cat", 10)]).all()
    assert [path.name for path in (store / "snapshots").iterdir() if path.name.endswith(".part")] == []
