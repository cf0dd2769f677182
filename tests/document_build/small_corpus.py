"""A folder of 64 small documents, and what asks for a build of it."""

import json
from pathlib import Path
from typing import Any

from selfsent.document_build import BuildRequest

THINGS = ("river", "engine", "garden", "violin", "market", "planet", "bridge", "forest")
PLACES = ("north", "south", "east", "west", "coast", "hill", "plain", "island")


def text(thing: str, place: str) -> str:
    return (
        f"The {thing} of the {place} is old. People of the {place} look after the {thing} in spring. "
        f"When winter comes, the {thing} sleeps. Nobody near the {place} forgets it."
    )


def write_folder(folder: Path) -> None:
    """64 documents: Markdown, plain text and a table."""
    folder.mkdir()
    rows = []
    for number, thing in enumerate(THINGS):
        for place in PLACES:
            name = f"{thing} {place}"
            if number < 3:
                (folder / f"{name}.md").write_text(f"# About the {name}\n\n{text(thing, place)}\n", "utf8")
            elif number < 6:
                (folder / f"{name}.txt").write_text(text(thing, place), "utf8")
            else:
                rows.append({"_id": name, "title": f"About the {name}", "text": text(thing, place)})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "broken.docx").write_bytes(b"no zip")


def request(source: Path, output: Path, **options: Any) -> BuildRequest:
    return BuildRequest(source=str(source), output=output, device="cpu", **options)
