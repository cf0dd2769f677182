"""Train the small models of a release, each with its model card: the tree model, also in int8, and a static student.

``python -m tools.artefacts --data SENTENCES --teacher MODEL --output artefacts`` (``make artefacts``). A model that is
there already is left alone; a run that was killed goes on. ``tree-10m`` takes 15 minutes of one core for 10M words.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from selfsent.export.exporting import ExportRequest, export_model
from selfsent.loading import load
from selfsent.runs.train import Request, execute
from selfsent.training.model_card import CARD_FILE
from selfsent.training.run_folder import RECORD_FILE

STUDENT = "static-student"
TREE = "tree-10m"


def requests(data: str, teacher: str, output: Path, *, max_rows: int | None, max_steps: int | None) -> list[Request]:
    """What is trained: the tree model of the text alone, and a static student of the teacher on the same text.

    Args:
        data: Source of sentences.
        teacher: Folder or hub name of the teacher.
        output: Folder of the models.
        max_rows: Rows to use of the source; ``None``: as many as each recipe says.
        max_steps: Optimizer steps of both; ``None``: likewise.
    """
    training = {} if max_steps is None else {"max_steps": max_steps}
    tree = Request(method=TREE, data=data, output=output / TREE, max_rows=max_rows, training=training)
    settings = {"teacher_cache": str(output / ".teacher")}
    student = replace(tree, method=STUDENT, output=output / STUDENT, teacher=teacher, settings=settings)
    return [tree, student]


def make(request: Request) -> Path:
    """Train one model, or take up where it was; give its folder."""
    folder = Path(request.output)
    execute(replace(request, resume=(folder / RECORD_FILE).is_file()))
    load(str(folder)).encode(["It opens."])
    return folder


def in_int8(folder: Path) -> Path:
    """Export a model with 8-bit numbers beside it, with a card that says what that cost; give the folder.

    Args:
        folder: A model of ours; ``$SELFSENT_DATA`` measures the cost where it has the seven STS tasks.
    """
    target = folder.with_name(f"{folder.name}-int8")
    if not target.exists():
        data_dir = os.environ.get("SELFSENT_DATA")
        request = ExportRequest(
            model=str(folder), output=target, format="int8", data_dir=Path(data_dir) if data_dir else None
        )
        lines = "\n".join(f"- {line}" for line in export_model(request).lines()[:-1])
        head, section, rest = (folder / CARD_FILE).read_text("utf8").partition("## Trained with selfsent")
        own = "## Exported to int8\n\nThe table holds 8-bit numbers. Open it with `selfsent.load(folder)`.\n\n"
        (target / CARD_FILE).write_text(f"{head}{own}{lines}\n\n{section}{rest}", encoding="utf8")
    load(str(target)).encode(["It opens."])
    return target


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
        folder = make(request)
        print(f"{folder}: model and README.md")
        if folder.name == TREE:
            print(f"{in_int8(folder)}: the same in int8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
