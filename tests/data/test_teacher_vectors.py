"""A teacher's vectors on disk: once computed, never mixed up."""

import json
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from selfsent.data import teacher_vectors as cache
from selfsent.data.teacher_vectors import teacher_vectors, texts_of_columns
from selfsent.errors import UserError


class Teacher:
    """Encodes by a real model, counts the texts, and may die on the way."""

    def __init__(self, model: SentenceTransformer, *, dies_at: int | None = None) -> None:
        self.model = model
        self.num_encoded = 0
        self.dies_at = dies_at

    def encode(self, texts: list[str], **options: Any) -> Any:
        if self.dies_at is not None and self.num_encoded >= self.dies_at:
            raise KeyboardInterrupt
        self.num_encoded += len(texts)
        return self.model.encode(texts, **options)

    def __call__(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __getitem__(self, place: int) -> Any:
        return self.model[place]


@pytest.fixture
def teacher(tiny_static_model: SentenceTransformer) -> Teacher:
    return Teacher(tiny_static_model)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def vectors_of(texts: list[str], folder: Path | None, teacher: Teacher, **options: Any) -> cache.TeacherVectors:
    options = {"teacher_hash": "a" * 64, "texts_per_part": 5} | options
    return teacher_vectors(lambda: iter(texts), folder=folder, teacher=teacher, **options)


def test_row_i_is_the_teachers_normalised_vector_of_text_i(teacher, sentences, tmp_path):
    found = vectors_of(sentences, tmp_path / "cache", teacher)
    expected = teacher.model.encode(sentences, normalize_embeddings=True)
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-5, atol=1e-6)
    assert isinstance(found.vectors, np.memmap)
    assert found.num_encoded == len(sentences)


def test_a_second_call_computes_nothing_and_opens_no_teacher(teacher, sentences, tmp_path):
    first = vectors_of(sentences, tmp_path, teacher)

    def open_teacher() -> Any:
        raise AssertionError("opened")

    second = teacher_vectors(
        lambda: iter(sentences), folder=tmp_path, teacher=open_teacher, teacher_hash="a" * 64, texts_per_part=2
    )
    assert second.num_encoded == 0
    assert np.array_equal(first.vectors, second.vectors)


@pytest.mark.parametrize("dies_at", [0, 5, 10])
def test_a_killed_run_goes_on_behind_the_last_whole_part(tiny_static_model, sentences, tmp_path, dies_at):
    with pytest.raises(KeyboardInterrupt):
        vectors_of(sentences, tmp_path / "killed", Teacher(tiny_static_model, dies_at=dies_at))
    teacher = Teacher(tiny_static_model)
    found = vectors_of(sentences, tmp_path / "killed", teacher)
    assert found.num_encoded == teacher.num_encoded == len(sentences) - dies_at
    assert np.array_equal(found.vectors, vectors_of(sentences, tmp_path / "whole", teacher).vectors)


def test_a_kill_between_making_the_file_and_its_first_part_is_no_foreign_file(
    teacher, sentences, tmp_path, monkeypatch
):
    def die(*_: Any) -> Any:
        (tmp_path / "vectors.npy").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_created", die)
        with pytest.raises(KeyboardInterrupt):
            vectors_of(sentences, tmp_path, teacher)
    assert vectors_of(sentences, tmp_path, teacher).num_encoded == len(sentences)


def test_two_processes_on_one_folder_compute_every_vector_once(teacher, sentences, tmp_path):
    found: list[cache.TeacherVectors] = []
    threads = [
        threading.Thread(target=lambda: found.append(vectors_of(sentences, tmp_path, teacher))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.num_encoded for result in found) == [0, len(sentences)]
    assert np.array_equal(found[0].vectors, found[1].vectors)


def test_another_model_is_refused_with_one_line(teacher, sentences, tmp_path):
    vectors_of(sentences, tmp_path, teacher)
    with pytest.raises(UserError, match=r"another model \(aaaaaaaaaaaa, and this teacher is bbbbbbbbbbbb\).*teacher_"):
        vectors_of(sentences, tmp_path, teacher, teacher_hash="b" * 64)


def test_what_a_teacher_cuts_is_told_once(sentences, tmp_path, caplog, tiny_tokenizer):
    tokenizer = deepcopy(tiny_tokenizer.backend_tokenizer)
    tokenizer.enable_truncation(4)
    teacher = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")
    options = {"folder": tmp_path, "teacher_hash": "a" * 64, "texts_per_part": 5}
    teacher_vectors(lambda: iter(["the cat", *sentences]), teacher=lambda: teacher, **options)
    assert caplog.messages == ["of the teacher: 12 of 13 texts are longer than the 4 tokens the model reads: cut"]


def test_vectors_of_the_same_teacher_under_its_former_hash_are_taken(teacher, sentences, tmp_path):
    vectors_of(sentences, tmp_path, teacher)
    former = {"teacher_hash": "b" * 64, "former_teacher_hashes": lambda: {"a" * 64}}
    assert vectors_of(sentences, tmp_path, teacher, **former).num_encoded == 0
    with pytest.raises(UserError, match="from other texts"):
        vectors_of(sentences[1:], tmp_path, teacher, **former)


@pytest.mark.parametrize("change", [lambda texts: texts[:-1], lambda texts: texts[::-1], lambda texts: [*texts, "x"]])
def test_other_texts_are_refused_with_one_line(teacher, sentences, tmp_path, change):
    vectors_of(sentences, tmp_path, teacher)
    with pytest.raises(UserError, match=r"other texts \(12 of hash .*name another folder with teacher_cache"):
        vectors_of(change(sentences), tmp_path, teacher)


def test_texts_that_only_join_to_the_same_are_other_texts(teacher, tmp_path):
    vectors_of(["one two", "three"], tmp_path, teacher)
    with pytest.raises(UserError, match="other texts"):
        vectors_of(["one ", "twothree"], tmp_path, teacher)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "record.json").write_text("{"), "record.json is damaged"),
        (lambda folder: (folder / "record.json").write_text(json.dumps({"teacher": "x"})), "record.json is damaged"),
        (lambda folder: (folder / "record.json").unlink(), "without their record record.json"),
        (lambda folder: (folder / "vectors.npy").unlink(), "cannot read"),
        (lambda folder: (folder / "vectors.npy").write_bytes(b"x"), "cannot read"),
        (lambda folder: np.save(folder / "vectors.npy", np.zeros((3, 4), np.float32)), "no vectors of 12 texts"),
    ],
)
def test_a_damaged_cache_is_named_with_the_way_out(teacher, sentences, tmp_path, damage, said):
    vectors_of(sentences, tmp_path, teacher)
    damage(tmp_path)
    with pytest.raises(UserError, match=said) as caught:
        vectors_of(sentences, tmp_path, teacher)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["record.json", "vectors.npy"])
@pytest.mark.parametrize("kept_bytes", [0, 100, None])
@pytest.mark.usefixtures("home")
def test_a_damaged_cache_of_the_users_is_computed_anew_and_that_is_said(teacher, sentences, caplog, name, kept_bytes):
    first = vectors_of(sentences, None, teacher)
    expected, path = np.array(first.vectors), first.folder / name
    path.unlink() if kept_bytes is None else path.write_bytes(path.read_bytes()[:kept_bytes])
    again = vectors_of(sentences, None, teacher)
    np.testing.assert_array_equal(again.vectors, expected)
    assert again.num_encoded == len(sentences)
    assert "they are computed again" in caplog.text


def test_a_disk_too_small_is_said_before_anything_is_written(teacher, sentences, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(UserError, match=r"12 texts take .* MiB left"):
        vectors_of(sentences, tmp_path, teacher)
    assert not (tmp_path / "vectors.npy").exists()


def test_a_place_that_is_a_file_is_refused(teacher, sentences, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the teacher's vectors"):
        vectors_of(sentences, tmp_path / "file", teacher)


def test_without_a_folder_content_decides_where_they_are_in_the_users_cache(teacher, sentences, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = vectors_of(sentences, None, teacher)
    assert first.folder.parent == tmp_path / "selfsent" / "teacher-vectors"
    assert vectors_of(sentences, None, teacher).num_encoded == 0
    others = [vectors_of(sentences[1:], None, teacher), vectors_of(sentences, None, teacher, teacher_hash="b" * 64)]
    assert len({first.folder, *(other.folder for other in others)}) == 3


def test_texts_are_numbered_row_by_row():
    batches = [{"a": ["1", "3"], "b": ["2", "4"]}, {"a": ["5"], "b": ["6"]}]
    assert list(texts_of_columns(batches)) == ["1", "2", "3", "4", "5", "6"]
