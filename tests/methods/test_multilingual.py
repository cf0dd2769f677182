"""Multilingual distillation from the command's side: students, objectives, bridges, languages, and what is refused."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling
from tests.methods.one_run import built
from tests.modules.transformer_models import open_bert, write_bert

from selfsent import cli
from selfsent.data.parallel.parallel_formats import is_parallel
from selfsent.data.parallel.parallel_sources import open_parallel
from selfsent.data.source import Source
from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.losses.cross_view_distillation import CrossViewDistillationLoss
from selfsent.losses.teacher_matching import TeacherMatchingLoss
from selfsent.methods import METHODS
from selfsent.methods.multilingual import MULTILINGUAL, MultilingualConfig
from selfsent.options import configure
from selfsent.runs.recipe import read_recipe, shipped_recipes
from selfsent.runs.train import train
from selfsent.runs.variants import variants_of
from selfsent.training.run import Ingredients

TARGETS = [
    "Ein Mann spielt auf der Bühne Gitarre.",
    "Jemand spielt Gitarre vor Leuten.",
    "Die Katze schläft auf dem warmen Dach.",
    "Eine Katze schläft auf einem Dach in der Sonne.",
    "Die ganze Nacht fiel Regen auf die Hügel im Norden.",
    "Es regnete in den Hügeln bis zum Morgen.",
    "Der Ausschuss genehmigte heute den neuen Haushalt.",
    "Mitglieder des Ausschusses stimmten für den Haushalt.",
    "Zwei Hunde laufen am Strand entlang.",
    "Hunde rennen am Meer.",
    "Der Motor fiel kurz nach dem Start aus.",
    "Kurz nach dem Abheben blieb die Maschine stehen.",
]


def opened(spec: Any, **options: Any) -> Source:
    return open_parallel(spec, **options) if is_parallel(spec) else open_source(spec, **options)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


@pytest.fixture
def table(tmp_path: Path, sentences: list[str]) -> str:
    rows = ["en\tde", *("\t".join(pair) for pair in zip(sentences, TARGETS, strict=True))]
    return write(tmp_path / "pool.tsv", *rows)


@pytest.fixture
def base(tmp_path: Path, sentences: list[str]) -> str:
    return str(write_bert(tmp_path / "base", [*sentences, *TARGETS]))


@pytest.fixture
def teacher(tmp_path: Path, sentences: list[str]) -> str:
    folder = tmp_path / "teacher"
    body = open_bert(write_bert(folder / "body", sentences, hidden_size=24, num_layers=1))
    SentenceTransformer(modules=[body, Pooling(24)], device="cpu").save_pretrained(str(folder / "model"))
    return str(folder / "model")


def write(path: Path, *lines: str, encoding: str = "utf8") -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return str(path)


def build(data: str, teacher: str, folder: Path, *, base: str = "static", **options: Any) -> Ingredients:
    settings = {"max_seq_length": 32, "hidden_size": 16, "num_heads": 2} | options
    config = configure(MultilingualConfig, settings, method="multilingual")
    return built(MULTILINGUAL.build, config, opened(data), folder, base=base, teacher=teacher)


# What is learned from what --------------------------------------------------------------------------------------------


def test_a_text_and_its_translation_have_the_teachers_vector_of_the_text(table, teacher, tmp_path):
    found = build(table, teacher, tmp_path / "corpus")
    loss: Any = found.loss
    assert isinstance(loss, TeacherMatchingLoss)
    rows = found.dataset[:]
    host = SentenceTransformer(teacher, device="cpu").encode(rows["source"], normalize_embeddings=True)
    np.testing.assert_allclose(loss.teacher_vectors[rows["label"]], host, rtol=1e-4, atol=1e-5)
    assert dict(zip(rows["source"], rows["target"], strict=True))["Dogs are running by the sea."] == TARGETS[9]


def test_pairs_held_out_for_bitext_are_not_trained_on(teacher, tmp_path):
    rows = [f"sentence number {number}\tSatz mit der Nummer {number}" for number in range(300)]
    found = build(write(tmp_path / "pool.tsv", "en\tde", *rows), teacher, tmp_path / "corpus")
    from selfsent.evaluation.tasks.bitext import is_heldout

    heldout = [row for row in rows if is_heldout(row.partition("\t")[0])]
    assert 0 < len(heldout) < 50
    assert len(found.dataset) == len(rows) - len(heldout)
    assert not any(is_heldout(source) for source in found.dataset[:]["source"])
    assert any(f"{len(heldout)} held out for the suite bitext" in note for note in found.notes)


@pytest.mark.parametrize(
    ("base_kind", "modules"),
    [
        ("static", ["StaticEmbedding", "Dense"]),
        ("tree", ["TreeEncoder", "Dense"]),
        ("transformer", ["Transformer", "Pooling", "Dense"]),
    ],
)
def test_every_student_from_scratch_is_trained_saved_and_opened(table, teacher, tmp_path, base_kind, modules):
    model = train(
        "multilingual",
        table,
        tmp_path / "model",
        base=base_kind,
        teacher=teacher,
        hidden_size=16,
        num_heads=2,
        **short(4),
    )
    again = load(tmp_path / "model", device="cpu")
    assert [type(module).__name__ for module in again] == modules
    np.testing.assert_allclose(again.encode("ein Hund"), model.encode("ein Hund"), rtol=1e-5)
    assert again.encode("ein Hund").shape == (24,)


def test_a_transformer_student_and_a_trained_static_one_are_taken_from_their_folders(table, base, teacher, tmp_path):
    found = build(table, teacher, tmp_path / "one", base=base)
    assert [type(module).__name__ for module in found.model] == ["Transformer", "Pooling", "Dense"]
    build(table, teacher, tmp_path / "two").model.save_pretrained(str(tmp_path / "static"))
    found = build(table, teacher, tmp_path / "three", base=str(tmp_path / "static"), bridge="none")
    assert [type(module).__name__ for module in found.model] == ["StaticEmbedding", "Dense"]


def short(batch_size: int, steps: int = 2) -> dict[str, Any]:
    return {"device": "cpu", "training": {"max_steps": steps, "per_device_train_batch_size": batch_size}}


def test_similarity_distributions_take_the_sources_vector_for_both_views(table, teacher, tmp_path):
    found = build(table, teacher, tmp_path / "corpus", objective="distribution")
    assert isinstance(found.loss, CrossViewDistillationLoss)
    assert all(one == other for one, other in found.dataset[:]["label"])
    with_queue = build(table, teacher, tmp_path / "queue", objective="distribution", queue_size=16)
    assert any("queues" in name for name in with_queue.loss.state_dict())


def test_the_bridge_is_a_layer_or_the_teachers_principal_directions(table, teacher, tmp_path):
    layer = build(table, teacher, tmp_path / "one")
    assert isinstance(layer.model[-1], Dense)
    narrow: Any = build(table, teacher, tmp_path / "two", bridge="pca").loss
    assert not any(isinstance(module, Dense) for module in narrow.model)
    assert narrow.teacher_projection.shape == (24, 16)
    with pytest.raises(UserError, match="16 values and the teacher's 24"):
        build(table, teacher, tmp_path / "three", bridge="none")
    with pytest.raises(UserError, match="cannot make them 32 wide"):
        build(table, teacher, tmp_path / "four", bridge="pca", hidden_size=32)


def test_the_error_falls_and_translations_come_nearer(table, teacher, tmp_path, sentences):
    torch.manual_seed(0)
    found = build(table, teacher, tmp_path / "corpus", hidden_size=24)
    optimizer = torch.optim.Adam(found.loss.parameters(), lr=0.05)
    rows = found.dataset[:]
    features = [found.model.preprocess(rows[name]) for name in ("source", "target")]
    values = []
    for _ in range(60):
        value = sum(found.loss(features, torch.tensor(rows["label"])).values())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] / 10
    cosine = found.model.similarity(found.model.encode(rows["source"]), found.model.encode(rows["target"]))
    assert (cosine.argmax(dim=1) == torch.arange(len(rows["source"]))).all()


def test_a_second_student_finds_the_teachers_vectors(table, base, teacher, tmp_path):
    notes = [
        next(note for note in build(table, teacher, tmp_path / name, base=student).notes if "vectors of" in note)
        for name, student in (("one", "static"), ("two", base))
    ]
    assert notes[0].endswith("; 12 computed now")
    assert notes[1].endswith("; 0 computed now")


def test_a_killed_run_goes_on_to_the_same_weights(teacher, tmp_path):
    german = [f"sentence number {number}\tSatz mit der Nummer {number}" for number in range(60)]
    french = [f"sentence number {number}\tphrase de numéro {number}" for number in range(20)]
    files = write(tmp_path / "a.tsv", "en\tde", *german), write(tmp_path / "b.tsv", "en\tfr", *french)
    data = f"parallel:{files[0]};{files[1]}"
    options = {"base": "static", "teacher": teacher, "hidden_size": 8, "language_alpha": 0.0, "device": "cpu"}
    arguments = {"max_steps": 6, "per_device_train_batch_size": 16, "save_steps": 3}
    whole = train("multilingual", data, tmp_path / "run", training=arguments, **options)
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "checkpoint-6")
    (tmp_path / "run" / "modules.json").unlink()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    resumed = train("multilingual", data, tmp_path / "run", training=arguments, resume=True, **options)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


# At the command line --------------------------------------------------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["selfsent", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(str(caught.value.code))


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: str, *more: object) -> str:
    """Run the command and return its one line of error."""
    output = Path(data.replace("parallel:", "").split(",")[0].split("=")[-1]).parent / "model"
    assert (
        command(monkeypatch, "train", "multilingual", "--data", data, "--output", output, "--base", "static", *more)
        == 2
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_files_of_unequal_length_are_refused_with_both_counts(monkeypatch, capsys, tmp_path):
    english, german = write(tmp_path / "a.en", "one", "two"), write(tmp_path / "a.de", "eins")
    assert "a.en has 2, a.de has 1" in refused(monkeypatch, capsys, f"parallel:{english},{german}")


def test_a_wrong_encoding_names_file_line_and_byte(monkeypatch, capsys, tmp_path):
    english, german = write(tmp_path / "a.en", "one"), write(tmp_path / "a.de", "Grüße", encoding="latin-1")
    error = refused(monkeypatch, capsys, f"parallel:{english},{german}")
    assert "line 1: a.de: not valid UTF-8 at byte 3" in error


def test_an_empty_side_names_file_and_line(monkeypatch, capsys, tmp_path):
    english, german = write(tmp_path / "a.en", "one", "two"), write(tmp_path / "a.de", "eins", "")
    assert "line 2: a.de is empty there" in refused(monkeypatch, capsys, f"parallel:{english},{german}")
    table = write(tmp_path / "b.tsv", "en\tde", "one\t")
    assert "b.tsv, line 2: column de is empty" in refused(monkeypatch, capsys, f"parallel:{table}")


def test_a_language_code_nobody_knows_is_named(monkeypatch, capsys, tmp_path):
    table = write(tmp_path / "b.tsv", "en\tqq", "one\teins")
    assert "b.tsv, line 1: 'qq' is not a language code" in refused(monkeypatch, capsys, f"parallel:{table}")


def test_single_texts_are_no_translations(monkeypatch, capsys, tmp_path):
    assert "holds single texts" in refused(monkeypatch, capsys, write(tmp_path / "a.txt", "one", "two"))


def test_a_missing_teacher_is_one_line(monkeypatch, capsys, table, tmp_path):
    assert "no model at" in refused(monkeypatch, capsys, table, "--teacher", str(tmp_path / "none"))
    assert "--teacher must name a model to learn from, got none" in refused(monkeypatch, capsys, table)


@pytest.mark.parametrize("lines", [
    ["en\the", "a dog runs\tכלב רץ", "a cat sleeps\tכלב ישן", "the sun shines\tהשמש זורחת"],
    ["en\tzh\tja\tth", "a dog runs\t狗在跑\t犬が走る\tสุนัขวิ่ง", "a cat sleeps\t猫在睡觉\t猫が寝ている\tแมวนอน"],
])  # fmt: skip
def test_right_to_left_and_unspaced_scripts_train(monkeypatch, table, teacher, tmp_path, lines):
    data = write(tmp_path / "scripts.tsv", *lines)
    arguments = ["--base", "static", "--teacher", teacher, "--max-steps", 2, "--batch-size", 2, "--device", "cpu"]
    code = command(
        monkeypatch, "train", "multilingual", "--data", f"parallel:{data}", "--output", tmp_path / "model", *arguments
    )
    assert code == 0
    texts = [line.split("\t")[1] for line in lines[1:]]
    vectors = load(tmp_path / "model", device="cpu").encode(texts)
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0


def test_a_script_the_student_does_not_know_is_warned_of(base, teacher, tmp_path):
    data = write(tmp_path / "x.tsv", "en\the", "a dog runs\tכלב רץ", "a cat sleeps\tכלב ישן")
    assert any(
        "warning" in note and "he 100%" in note for note in build(data, teacher, tmp_path / "c", base=base).notes
    )


def test_tokenizers_that_disagree_on_normalisation_are_told_of_and_work(table, base, teacher, tmp_path):
    notes = build(table, teacher, tmp_path / "one", lowercase=False).notes
    assert any("normalise text differently" in note for note in notes)
    assert not any(
        "normalise text differently" in note for note in build(table, teacher, tmp_path / "two", base=base).notes
    )


def test_one_language_of_ten_lines_beside_a_large_one_is_drawn_ten_times_at_most(teacher, tmp_path, monkeypatch):
    large = write(
        tmp_path / "en-de.tsv", "en\tde", *(f"sentence {i} of many\tSatz {i} von vielen" for i in range(1000))
    )
    small = write(tmp_path / "en-sw.tsv", "en\tsw", *(f"rare sentence {i}\tsentensi adimu {i}" for i in range(10)))
    found = build(f"parallel:{large};{small}", teacher, tmp_path / "corpus")
    targets = [text for text in found.dataset[:]["target"] if text.startswith("sentensi")]
    assert len(set(targets)) * 10 == len(targets) > 0
    assert any("sw" in note and "de" in note for note in found.notes if note.startswith("pairs drawn"))
    assert isinstance(found.dataset, Dataset)


# Recipes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name.startswith("multilingual-")])
def test_every_run_of_every_recipe_can_be_configured(name: str):
    for variant in variants_of(read_recipe(shipped_recipes()[name])):
        method = METHODS[variant.recipe.method]
        method.configure(variant.recipe.options)
