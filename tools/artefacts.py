"""Train the small models of a release, each with its model card: the tree model and a static student of a teacher.

``python -m tools.artefacts --data SENTENCES --teacher MODEL --output artefacts`` (``make artefacts``). A model that is
there already is left alone; a run that was killed goes on. ``tree-10m`` takes 15 minutes of one core for 10M words.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from selfsent.loading import load
from selfsent.runs.train import Request, execute
from selfsent.training.run_folder import RECORD_FILE

STUDENT = "static-student"
TREE = "tree-10m"
PASSAGE_WORDS = 100
TAUGHT_ROWS = 25_000
"""Rows that the teacher encodes: about four minutes of one core for a teacher of MiniLM's size."""


def requests(data: str, teacher: str, output: Path, *, max_rows: int | None, max_steps: int | None) -> list[Request]:
    """What is trained: the tree model of the text alone, and a static student of the teacher on the same text.

    Args:
        data: Source of sentences.
        teacher: Folder or hub name of the teacher.
        output: Folder of the models.
        max_rows: Rows to use of the source; ``None``: as the recipe of the tree says, and 25,000 for the student.
        max_steps: Optimizer steps of both; ``None``: as many as the recipes say.
    """
    training = {} if max_steps is None else {"max_steps": max_steps}
    tree = Request(method=TREE, data=data, output=output / TREE, max_rows=max_rows, training=training)
    student = replace(
        tree,
        method="document-distillation",
        output=output / STUDENT,
        max_rows=max_rows or TAUGHT_ROWS,
        teacher=teacher,
        settings={"passage_words": PASSAGE_WORDS, "teacher_cache": str(output / ".teacher"), "training.best": "none"},
    )
    return [tree, student]


def make(request: Request) -> Path:
    """Train one model, or take up where it was; give its folder."""
    folder = Path(request.output)
    execute(replace(request, resume=(folder / RECORD_FILE).is_file()))
    load(str(folder)).encode(["It opens."])
    return folder


def main() -> int:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="Sentences, one a line; any source of `selfsent train`.")
    parser.add_argument("--teacher", required=True, help="Folder or hub name of the student's teacher.")
    parser.add_argument("--output", type=Path, default=Path("artefacts"))
    parser.add_argument("--max-rows", type=int, help="Rows of the source to use.")
    parser.add_argument("--max-steps", type=int, help="Optimizer steps.")
    asked = parser.parse_args()
    for request in requests(
        asked.data, asked.teacher, asked.output, max_rows=asked.max_rows, max_steps=asked.max_steps
    ):
        print(f"{make(request)}: model and README.md")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
