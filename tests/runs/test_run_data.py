"""What a run reads of a source."""

import json
from pathlib import Path

from selfsent.runs.train import train


def test_a_method_of_texts_reads_the_sentences_of_a_folder_of_documents(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    long = " ".join(f"word{number}" for number in range(500))
    (folder / "a.md").write_text(f"# Rivers\n\nThe river is very old. {long}.\n\n```\nimport this\n```\n", "utf8")
    (folder / "b.html").write_text("<html><body><p>The garden of the castle is new.</p></body></html>", "utf8")
    (folder / "c.txt").write_text("A line of plain text stands here.\n", "utf8")
    model = train(
        "self-strae",
        folder,
        tmp_path / "run",
        channels=2,
        channel_size=2,
        max_rows=100,
        training={"max_steps": 1, "per_device_train_batch_size": 4},
        device="cpu",
    )
    assert model.encode(["the river"]).shape == (1, 4)
    notes = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))["sources"]
    (kept,) = [note for note in notes if "left out" in note]
    assert "left out: 0 with fewer than 4 tokens, 0 with more than 200" in kept
    words = " ".join(Path(folder / name).read_text("utf8") for name in ("a.md", "c.txt")).split()
    assert int(kept.split(" texts of ")[1].split()[0].replace(",", "")) > len(words)
