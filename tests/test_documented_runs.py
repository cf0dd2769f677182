"""The commands of README, start and guides, run one after the other on small made data.

A model that a page names stands as a folder of that name, so that the commands are run as they are written, but for
their length: steps, minutes and trials are cut. Services, the hub, suites of real data and tables of runs are tested
elsewhere.
"""

import json
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.command_line import typed
from tests.evaluation.evaluation_data import sts_folder, sts_rows
from tools.documented_commands import ROOT, Written, commands

import selfsent

for needed in ("lancedb", "optuna", "reportlab", "tensorboard"):
    pytest.importorskip(needed)

PAGES = (
    *("README.md", "docs/guides/share.md", "docs/start.md", "docs/sentence.md"),
    *(f"docs/guides/{name}.md" for name in ("raw-text", "build-and-serve", "pairs", "distil", "another-language")),
    *(f"docs/guides/{name}.md" for name in ("long-documents", "compare", "own-labels", "many-machines")),
    *("docs/guides/track-and-tune.md", "docs/recipes.md"),
)
ELSEWHERE = ("serve", "mcp", "demo", "parse")
OF_REAL_DATA = (
    "--engine ray",
    "trained-by-sct",
    "sts-crosslingual",
    "retrieval",
    "geometry",
    "sct-vs-simcse",
    "sct-longer",
)
TRANSFORMERS = ("bert-base-uncased", "small-bert", "google/bert_uncased_L-2_H-128_A-2", "all-MiniLM-L6-v2")
SHORTER = {
    "train": ("--max-steps", 2, "--batch-size", 4, "--set", "training.eval_strategy=no"),
    "build": ("--minutes", 0.2),
    "tune": ("--trials", 2, "--max-steps", 2, "--set", "training.per_device_train_batch_size=4"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages name."""
    folder = tmp_path_factory.mktemp("documented")
    texts = [
        f"the {who} sees a {colour} {thing} near the house"
        for who, colour, thing in product(
            ("cat", "dog", "child", "teacher", "nurse"), ("red", "blue", "small"), ("door", "ball", "book", "car")
        )
    ]
    texts += [text for row in sts_rows("STS12") for text in (row["sentence1"], row["sentence2"])]
    write_texts(folder, [*texts, *(f"office {n} lends laptops and travel costs are paid" for n in range(20))])
    write_documents(folder)
    small = {"hidden_size": 32, "num_heads": 2, "num_layers": 3, "max_seq_length": 128, "packed": False}
    steps = {"max_steps": 2, "per_device_train_batch_size": 4}
    for name in TRANSFORMERS:
        selfsent.train("mlm", folder / "notes.txt", folder / name, training=steps, **small)
    for seed, name in enumerate(("one", "other", "model")):
        selfsent.train("self-strae", folder / "notes.txt", folder / name, training=steps, seed=seed)
    return folder


def write_texts(folder: Path, texts: list[str]) -> None:
    """Raw text, pairs, views, labels, translations, parts."""
    passive = [f"number {n} is this: {text}" for n, text in enumerate(texts)]
    labelled = [f"{one},{other},{n % 6}" for n, (one, other) in enumerate(zip(texts, passive, strict=True))]
    files = {
        "notes.txt": texts,
        "sentences-de.txt": [f"die Katze Nummer {n} sieht das Haus am See" for n in range(40)],
        "views.tsv": [f"{one}\t{other}" for one, other in zip(texts, passive, strict=True)],
        "pairs.csv": ["anchor,positive,negative", *(f"{a},{b},no {a}" for a, b in zip(texts, passive, strict=True))],
        "labels.csv": ["sentence1,sentence2,score", *labelled],
        "translations/pairs.tsv": ["en\tde\tfr", *(f"{text}\tdie {text} da\tle {text} là" for text in texts)],
    }  # fmt: skip
    (folder / "translations").mkdir()
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines), encoding="utf8")
    for part in (1, 2):
        pq.write_table(pa.table({"text": texts[part::2]}), folder / f"part-{part}.parquet")
    sts_folder(folder / "DIR")


def write_documents(folder: Path) -> None:
    """Two handbooks, a book, and judgements."""
    from reportlab.pdfgen.canvas import Canvas

    for name in ("handbook", "handbuch"):
        (folder / name).mkdir()
        for number in range(30):
            text = f"# Office {number}\n\nOffice {number} lends laptops. Travel costs are paid. Leave is thirty days.\n"
            (folder / name / f"travel-{number}.md").write_text(text, encoding="utf8")
    canvas = Canvas(str(folder / "book.pdf"))
    for number in range(12):
        canvas.drawString(72, 720, f"Chapter {number}. The harbour of town {number} was owned by the smith.")
        canvas.showPage()
    canvas.save()
    (folder / "judged" / "qrels").mkdir(parents=True)
    rows = [{"_id": f"travel-{n}.md", "title": f"Office {n}", "text": f"Office {n} lends laptops."} for n in range(30)]
    queries = [{"_id": f"q{n}", "text": f"laptops of office {n}"} for n in range(5)]
    for name, kept in {"corpus": rows, "queries": queries}.items():
        lines = [json.dumps(row) for row in kept]
        (folder / "judged" / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf8")
    lines = ["query-id\tcorpus-id\tscore", *(f"q{n}\ttravel-{n}.md\t1" for n in range(5))]
    (folder / "judged" / "qrels" / "test.tsv").write_text("\n".join(lines), encoding="utf8")


def runnable(command: Written) -> bool:
    """Whether it is run here."""
    words = " ".join(command.words)
    return command.words[0] not in ELSEWHERE and "--push" not in words and not any(one in words for one in OF_REAL_DATA)


def shortened(command: Written) -> list[str]:
    """The command with fewer steps, and permission to replace what an earlier page made."""
    name = command.words[0]
    shorter = [*map(str, SHORTER.get(name, ()))]
    if "--batch-size" in command.words and "--batch-size" in shorter:  # what the page says has to fit its data
        at = shorter.index("--batch-size")
        del shorter[at : at + 2]
    words = [*command.words, *shorter]
    if name == "train":
        words.append("--overwrite")
    if name == "train" and command.words[1] == "tree-10m":
        words += ["--set", "spelling=false"]
    return words


FOUND = [command for page in PAGES for command in commands(ROOT / page) if runnable(command)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_pages_do_what_the_pages_say(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    assert len(FOUND) > 40
    failed: list[str] = []
    for command in FOUND:
        done = typed(*shortened(command))
        if done.code:
            failed.append(f"{command.place}: {command.text}\n  {done.err}")
    assert failed == []
