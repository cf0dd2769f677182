"""A stand-in for the service: a handbook of a dozen documents, answered by shared words, with every error on demand."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
NAMELESS = "d8283d5fea56278b46577a43b3da5f8e"
HANDBOOK = {
    "leave.md": (
        "Leave",
        [
            "Everyone has thirty days of leave a year.",
            "Parental leave begins on the day after the child is born and lasts fourteen weeks.",
            "Leave that was not taken is carried over until March.",
        ],
    ),
    "travel.md": (
        "Travel",
        ["Trains are booked in second class.", "A flight needs the consent of the head of the department."],
    ),
    "expenses.md": (
        "Expenses",
        ["Receipts are handed in within a month.", "The cost of a flight is paid after the journey."],
    ),
    "security.md": (
        "Security <b>first</b>",
        [f"Never paste {SCRIPT} into a form.", "Passwords are kept in the safe of the house."],
    ),
    "party.md": ("Summer party 🎉", ["🎉🎉 The party 🎈 is held in July.", "Children are welcome at the party."]),
    "right-to-left.md": ("עברית", ["שלום עולם, this passage begins in Hebrew."]),
    "title-only.md": ("Nothing but a title", []),
    NAMELESS: ("", ["The canteen serves lunch from noon until two."]),
    "long.md": (
        "A long document",
        [f"Section {number} says that rule {number} of the house applies." for number in range(300)],
    ),
}
WEAK_BELOW = 0.12
GROUPS = ["leave, days, child", "travel, flight, train", "receipts, cost", "rules, house"]


@dataclass
class Service:
    """What the stand-in answers with, and what it was asked.

    Args:
        refusals: Statuses to answer the next requests for data with, each with a sentence.
        has_trees: Whether the model has trees.
        has_store: Whether there is a store beside the model.
        key: Key that requests for data must bring.
        late_refusal: Searches that are refused for want of the key hear of it when this is set.
        weak_below: Cosine below which answers are hidden; None hides none.
        num_points: Points on the map.
        map_waits: How many times the map says that it is still being laid out.
        hold: Requests for these words wait until they are let go.
        asked: Path and body of each request for data.
    """

    refusals: list[tuple[int, str]] = field(default_factory=list)
    has_trees: bool = True
    has_store: bool = True
    key: str | None = None
    late_refusal: Event | None = None
    weak_below: float | None = WEAK_BELOW
    num_points: int = 400
    map_waits: int = 0
    hold: dict[str, Event] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Answer one request: the status, and what is said as JSON."""
        self.asked.append((path, body))
        if self.refusals:
            status, sentence = self.refusals.pop(0)
            return status, {"detail": sentence}
        if path.startswith("/documents/"):
            return _document(unquote(path.removeprefix("/documents/")))
        answers = {
            "/search": lambda: (200, self._search(body)),
            "/similarity": lambda: (200, {"similarities": [_similarity(*pair) for pair in body["pairs"]]}),
            "/tree": lambda: self._tree(query["text"][0]),
            "/facts": lambda: (200, self._facts()),
            "/map": self._map,
        }
        return answers[path]() if path in answers else (404, {"detail": "there is nothing here"})

    def _tree(self, text: str) -> tuple[int, Any]:
        return (200, _tree(text)) if self.has_trees else (404, {"detail": "the model builds no trees"})

    def _facts(self) -> dict[str, Any]:
        num_passages = sum(len(passages) for _, passages in HANDBOOK.values())
        store = {
            "documents": len(HANDBOOK),
            "passages": num_passages,
            "fusion_weight": 0.25,
            "weak_below": self.weak_below,
        }
        return {"model": {"kind": "tree", "dimension": 256}, "store": store if self.has_store else {}, "report": True}

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        query, offset, k = body["query"], body.get("offset", 0), body.get("k", 10)
        for words, let_go in self.hold.items():
            if words in query:
                let_go.wait(20)
        found = sorted(_hits(query), key=lambda hit: -hit["score"])[: offset + k]
        shown = [hit for hit in found if body.get("all") or hit["score"] >= (self.weak_below or 0)]
        for rank, hit in enumerate(shown, start=1):
            hit["rank"] = rank
        return {"hits": shown[offset:], "hidden": len(found) - len(shown)}

    def _map(self) -> tuple[int, Any]:
        if self.map_waits:
            self.map_waits -= 1
            return 202, {"status": "computing"}
        draw = random.Random(4)
        documents = [name for name in HANDBOOK if name != NAMELESS]  # eight: two a group
        columns: dict[str, list[Any]] = {name: [] for name in ("x", "y", "document", "title", "group", "start")}
        for number in range(self.num_points):
            document = documents[number % len(documents)]
            group = number % len(GROUPS)
            columns["x"].append(round(draw.gauss(0.25 + 0.5 * (group % 2), 0.05), 4))
            columns["y"].append(round(draw.gauss(0.25 + 0.5 * (group // 2), 0.05), 4))
            columns["document"].append(document)
            columns["title"].append(HANDBOOK[document][0])
            columns["group"].append(group)
            columns["start"].append(next((start for start, _, _ in _passages(document)), 0))
        return 200, {**columns, "groups": GROUPS}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _hits(query: str) -> Iterator[dict[str, Any]]:
    """Yield for each document the passage that shares most words with the query."""
    wanted = set(_words(query))
    for name, (title, _) in HANDBOOK.items():
        rated = [(len(wanted & set(_words(f"{title} {text}"))), -start, text) for start, _, text in _passages(name)]
        best, start, text = max(rated, default=(0, 0, ""))
        if not best:
            continue
        spans = [[one.start(), one.end()] for one in re.finditer(r"\w+", text) if one.group().lower() in wanted]
        words = list(re.finditer(r"\S+", text))
        first = next((at for at, word in enumerate(words) if spans and word.end() > spans[0][0]), 0)
        phrase = [words[first].start(), words[min(first + 2, len(words) - 1)].end()] if spans else None
        yield {
            "score": best / len(wanted),
            "document": name,
            "title": title,
            "file": name,
            "start": -start,
            "end": -start + len(text),
            "text": text,
            "matches": [
                *({"start": start, "end": end, "kind": "word"} for start, end in spans),
                *([{"start": phrase[0], "end": phrase[1], "kind": "phrase"}] if phrase else []),
            ],
        }


def _passages(name: str) -> Iterator[tuple[int, int, str]]:
    start = 0
    for text in HANDBOOK[name][1]:
        yield start, start + len(text), text
        start += len(text) + 2


def _document(name: str) -> tuple[int, Any]:
    if name not in HANDBOOK:
        return 404, {"detail": f"the store holds no document {name!r}"}
    passages = [{"id": str(start), "start": start, "end": end} for start, end, _ in _passages(name)]
    return 200, {
        "document": name,
        "title": HANDBOOK[name][0],
        "text": "\n\n".join(HANDBOOK[name][1]),
        "passages": passages,
    }


def _similarity(one: str, other: str) -> float:
    a, b = set(_words(one)), set(_words(other))
    return len(a & b) / max(1, len(a | b))


def _tree(text: str) -> dict[str, Any]:
    """Give the tree that always puts the next word on top of all before it."""
    spans = [(one.start(), one.end()) for one in re.finditer(r"\S+", text)]
    nodes = [
        {"id": number, "start": start, "end": end, "left": None, "right": None, "parent": None}
        for number, (start, end) in enumerate(spans)
    ]
    last = 0
    for leaf in range(1, len(spans)):
        merge = {
            "id": len(nodes),
            "start": spans[0][0],
            "end": spans[leaf][1],
            "left": last,
            "right": leaf,
            "parent": None,
        }
        nodes[last]["parent"] = nodes[leaf]["parent"] = merge["id"]
        last = merge["id"]
        nodes.append(merge)
    return {"text": text, "nodes": nodes}


REPORT = b"<!doctype html><title>Report</title><p>Everything was read."
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Handler(BaseHTTPRequestHandler):
    """Answers for a service, with the policy that the real one has."""

    protocol_version = "HTTP/1.1"
    service: Service

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path == "/" or path.path.startswith("/page/"):
            name = path.path.removeprefix("/page/") if path.path != "/" else "index.html"
            content = files("selfsent.serving").joinpath("page", name).read_bytes()
            self._send(200, content, KINDS[name.rsplit(".")[-1]])
        else:
            self._data(path.path, parse_qs(path.query), None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._data(urlsplit(self.path).path, {}, json.loads(body))

    def _data(self, path: str, query: dict[str, list[str]], body: Any) -> None:
        if self.service.key and self.headers.get("Authorization") != f"Bearer {self.service.key}":
            if path == "/search" and self.service.late_refusal:
                self.service.late_refusal.wait(timeout=10)
            self._send(401, b'{"detail": "a key is needed"}', "application/json")
        elif path == "/report":
            self._send(200, REPORT, "text/html")
        else:
            status, said = self.service.answer(path, query, body)
            self._send(status, json.dumps(said).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the page stopped asking
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", POLICY)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def running(service: Service) -> Iterator[str]:
    """Run the stand-in while the block runs; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"service": service}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)  # by default it looks twice a second
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
