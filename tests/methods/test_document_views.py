"""Training on views of documents, by every method and base that takes them."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import SENTENCES
from tests.modules.transformer_models import write_bert

from selfsent.errors import UserError
from selfsent.runs.train import train


def documents_file(folder: Path) -> Path:
    """Thirty documents about six things, each of four sentences that name its thing."""
    rows = []
    for number in range(30):
        thing = ("river", "engine", "garden", "violin", "market", "planet")[number % 6]
        text = " ".join(f"The {thing} of place {number} is part {part} of what we know." for part in range(4))
        rows.append({"_id": f"d{number}", "title": f"About the {thing}", "text": text})
    path = folder / "documents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    return path


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)


SHORT = {"max_steps": 2, "per_device_train_batch_size": 8, "learning_rate": 1e-2}


@pytest.mark.parametrize("view", ["document", "crops", "title"])
def test_simcse_trains_a_static_table_on_each_view_of_documents(tmp_path: Path, view: str):
    data = documents_file(tmp_path)
    model = train("simcse", data, tmp_path / "run", view=view, base="static", head="none", training=SHORT, device="cpu")
    assert model.encode(["the river"]).shape == (1, 256)
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert any("eval_own_documents" in row for row in metrics)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("simcse", {}),
        ("sct", {"queue_size": 16, "max_seq_length": 32}),
        ("sarcse", {"channels": 4}),
    ],
)
def test_every_method_of_views_trains_a_transformer_on_documents(
    tmp_path: Path, bert: Path, method: str, options: dict[str, int]
):
    data = documents_file(tmp_path)
    options = {"view": "document", "base": str(bert), **options}
    model = train(method, data, tmp_path / "run", training=SHORT, device="cpu", **options)
    assert np.isfinite(model.encode(["the river"])).all()


def test_simcse_trains_a_tree_on_documents(tmp_path: Path):
    data = documents_file(tmp_path)
    model = train("simcse", data, tmp_path / "run", view="document", base="tree", training=SHORT, device="cpu")
    assert model.encode(["the river"]).shape == (1, 100)


def test_document_contrast_learns_more_than_its_start_and_both_bases_give_equal_vectors(tmp_path: Path):
    data = documents_file(tmp_path)
    models = {
        base: train(
            "document-contrast",
            data,
            tmp_path / base,
            base=base,
            width=8,
            training={"num_train_epochs": 3, "per_device_train_batch_size": 8, "best": "none"},
            device="cpu",
        )
        for base in ("static", "tree")
    }
    texts = ["The river of place 3.", "An engine is part of the garden."]
    vectors = {base: model.encode(texts, normalize_embeddings=True) for base, model in models.items()}
    assert np.allclose(vectors["static"], vectors["tree"], atol=1e-5)


def test_document_contrast_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path):
    data = documents_file(tmp_path)
    options = {"width": 8, "device": "cpu"}
    longer = {"num_train_epochs": 4, "per_device_train_batch_size": 8}
    whole = train("document-contrast", data, tmp_path / "whole", training=longer, **options)
    train("document-contrast", data, tmp_path / "cut", training=longer, **options)
    folder = tmp_path / "cut"
    record = json.loads((folder / "run.json").read_text("utf8"))
    (folder / "run.json").write_text(json.dumps(record | {"status": "running"}), "utf8")
    for name in ("modules.json", "model.safetensors"):
        (folder / name).unlink()
    last = max((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    if last.name != "checkpoint-0":
        for file in last.iterdir():
            file.unlink()
        last.rmdir()
    resumed = train("document-contrast", data, folder, training=longer, resume=True, **options)
    assert np.array_equal(resumed.encode(["The river."]), whole.encode(["The river."]))


def test_learning_stops_at_the_end_of_the_epoch_in_which_its_minutes_are_over(tmp_path: Path):
    data = documents_file(tmp_path)
    arguments = {"num_train_epochs": 4, "per_device_train_batch_size": 8, "best": "none"}
    train("document-contrast", data, tmp_path / "run", max_minutes=1e-9, width=8, training=arguments, device="cpu")
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert [row["step"] for row in metrics] == [1]


def test_a_method_that_reads_texts_cannot_be_judged_by_documents(tmp_path: Path):
    data = documents_file(tmp_path)
    with pytest.raises(UserError, match=r"training\.best=own-documents needs a training on documents"):
        train("simcse", data, tmp_path / "run", base="static", training={"best": "own-documents"})
    with pytest.raises(UserError, match=r"training\.best must be one of auto, own-documents, sts-dev, none, got"):
        train("simcse", data, tmp_path / "run", base="static", training={"best": "luck"})


def test_document_contrast_refuses_other_bases_and_documents_of_one_part(tmp_path: Path):
    with pytest.raises(UserError, match="--base must be static or tree for document-contrast, got bert"):
        train("document-contrast", documents_file(tmp_path), tmp_path / "run", base="bert")
    single = tmp_path / "single.jsonl"
    single.write_text("".join(json.dumps({"text": f"Word{number}."}) + "\n" for number in range(9)), "utf8")
    with pytest.raises(UserError, match="needs two"):
        train("document-contrast", single, tmp_path / "run", training={"best": "none"})
