"""Embeddings as files: equal to the host's own, resumable after SIGKILL, and every bad input."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from sentence_transformers import SentenceTransformer

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.one_writer import one_writer
from selfsent.search.encoding import encode

SLOW_ENCODING = """
import sys, time
from selfsent.data.sources import open_source
from selfsent.loading import load
from selfsent.search.encoding import encode

model_path, source, output = sys.argv[1:]
model = load(model_path, device="cpu")
original = model.encode

def slowly(*args, **kwargs):
    time.sleep(0.2)
    return original(*args, **kwargs)

model.encode = slowly
encode(model, open_source(source), output, model_path=model_path, rows_per_part=8)
"""


@pytest.fixture
def model_path(tmp_path: Path, tiny_static_model: SentenceTransformer) -> Path:
    tiny_static_model.save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


@pytest.fixture
def texts_path(tmp_path: Path, sentences: list[str]) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join([*sentences, sentences[0]]))
    return path


def kill_after_parts(arguments: list[str], parts: Path, num_parts: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while len(list(parts.glob("*.parquet"))) < num_parts:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(process.stderr.read().decode())
            time.sleep(0.02)
        assert process.poll() is None, "the process ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("rows_per_part", [1, 5, 13, 100])
def test_both_formats_hold_the_hosts_own_embeddings_in_order(tiny_static_model, model_path, texts_path, rows_per_part):
    texts = texts_path.read_text().splitlines()
    expected = tiny_static_model.encode(texts)
    folder = texts_path.parent / "new" / "folder"
    for name in ("out.parquet", "out.npy"):
        report = encode(
            tiny_static_model,
            open_source(texts_path),
            folder / name,
            model_path=model_path,
            rows_per_part=rows_per_part,
        )
        assert (report.num_texts, report.num_encoded, report.dimension) == (13, 13, 16)
    table = parquet.read_table(folder / "out.parquet")
    assert table.column_names == ["id", "text", "embedding"]
    assert table.column("text").to_pylist() == texts
    assert len(set(table.column("id").to_pylist())) == 13
    np.testing.assert_allclose(np.array(table.column("embedding").to_pylist()), expected, rtol=1e-5)
    array = np.load(folder / "out.npy", allow_pickle=False)
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, expected, rtol=1e-5)
    assert sorted(path.name for path in folder.iterdir()) == ["out.npy", "out.parquet"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_a_killed_encoding_goes_on_where_it_stopped(tmp_path, tiny_static_model, model_path, suffix):
    source = tmp_path / "many.txt"
    source.write_text("\n".join(f"the cat number {i} sleeps" for i in range(400)))
    output = tmp_path / f"out{suffix}"
    parts = tmp_path / f".out{suffix}.parts"
    kill_after_parts(["-c", SLOW_ENCODING, str(model_path), str(source), str(output)], parts, 3)
    assert not output.exists()
    num_kept = len(list(parts.glob("*.parquet"))) * 8
    options = {"model_path": model_path, "rows_per_part": 8}
    report = encode(tiny_static_model, open_source(source), output, **options)
    assert (report.num_texts, report.num_encoded) == (400, 400 - num_kept)
    encode(tiny_static_model, open_source(source), tmp_path / f"whole{suffix}", **options)
    assert output.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert not parts.exists()


@pytest.mark.parametrize("change", ["model", "source", "part size"])
def test_parts_of_another_model_source_or_size_are_thrown_away(
    tmp_path, tiny_static_model, model_path, texts_path, change
):
    encode_batch, calls = tiny_static_model.encode, []

    def failing(texts, **kwargs):
        calls.append(texts)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return encode_batch(texts, **kwargs)

    tiny_static_model.encode = failing
    with pytest.raises(KeyboardInterrupt):
        encode(tiny_static_model, open_source(texts_path), tmp_path / "a.npy", model_path=model_path, rows_per_part=4)
    tiny_static_model.encode = encode_batch
    if change == "model":
        tiny_static_model[0].embedding.weight.data += 1
        tiny_static_model.save_pretrained(str(model_path))
    elif change == "source":
        texts_path.write_text("another text\n" + texts_path.read_text())
    size = 5 if change == "part size" else 4
    source = open_source(texts_path)
    report = encode(tiny_static_model, source, tmp_path / "a.npy", model_path=model_path, rows_per_part=size)
    assert report.num_encoded == report.num_texts
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), encode_batch(list(source.texts())), rtol=1e-5)


def test_an_output_that_exists_is_kept_unless_told_otherwise(tmp_path, tiny_static_model, model_path, texts_path):
    output = tmp_path / "out.npy"
    output.write_text("mine")
    source = open_source(texts_path)
    with pytest.raises(UserError, match=r"out\.npy exists; pass `--overwrite`"):
        encode(tiny_static_model, source, output, model_path=model_path)
    assert output.read_text() == "mine"
    encode(tiny_static_model, source, output, model_path=model_path, overwrite=True)
    assert np.load(output).shape == (13, 16)


def test_outputs_that_cannot_be_are_refused(tmp_path, tiny_static_model, model_path, texts_path):
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "file").write_text("")
    source = open_source(texts_path)
    for output, message in (
        ("out.csv", "must end in .parquet or .npy"),
        ("out", "must end in .parquet or .npy"),
        ("folder.npy", "is a folder"),
        ("file/out.npy", "cannot write"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            encode(tiny_static_model, source, tmp_path / output, model_path=model_path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [{"batch_size": 0}, {"rows_per_part": 0}])
def test_sizes_below_one_are_refused(tmp_path, tiny_static_model, model_path, texts_path, sizes):
    with pytest.raises(UserError, match="at least 1"):
        encode(tiny_static_model, open_source(texts_path), tmp_path / "out.npy", model_path=model_path, **sizes)


def test_a_model_that_gives_infinity_is_refused_and_leaves_no_output(
    tmp_path, tiny_static_model, model_path, texts_path
):
    tiny_static_model[0].embedding.weight.data[:] = float("inf")
    with pytest.raises(UserError, match=r"'A man is playing a guitar on the stage\.' a vector with NaN or infinity"):
        encode(tiny_static_model, open_source(texts_path), tmp_path / "out.npy", model_path=model_path)
    assert not (tmp_path / "out.npy").exists()


def test_a_second_encoding_into_the_same_file_is_refused_while_one_writes(
    tmp_path, tiny_static_model, model_path, texts_path
):
    output = tmp_path / "out.npy"
    with (
        one_writer(tmp_path / ".out.npy.parts", "file"),
        pytest.raises(UserError, match=r"out\.npy is being written by"),
    ):
        encode(tiny_static_model, open_source(texts_path), output, model_path=model_path)
    assert encode(tiny_static_model, open_source(texts_path), output, model_path=model_path).num_texts == 13
    assert not (tmp_path / ".out.npy.parts").exists()


@pytest.mark.parametrize("name", ["out.npy", "out.parquet"])
def test_a_full_disk_is_told_in_one_line_and_leaves_no_output(tmp_path, tiny_static_model, model_path, name):
    resource = pytest.importorskip("resource")
    source = tmp_path / "many.txt"
    source.write_text("\n".join(f"the cat number {i} sleeps" for i in range(400)))
    options = {"model_path": model_path, "rows_per_part": 8}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))  # parts fit, the file does not
    try:
        with pytest.raises(UserError, match=r"cannot write .*out") as caught:
            encode(tiny_static_model, open_source(source), tmp_path / name, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / name).exists()
    assert encode(tiny_static_model, open_source(source), tmp_path / name, **options).num_encoded == 0


def test_a_tilde_in_the_output_is_the_home_of_the_person(
    tmp_path, tiny_static_model, model_path, texts_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    report = encode(tiny_static_model, open_source(texts_path), "~/out.npy", model_path=model_path)
    assert report.output == tmp_path / "home" / "out.npy"
    assert np.load(report.output).shape == (13, 16)


@pytest.mark.skipif(os.name == "nt", reason="all names are Unicode there")
@pytest.mark.parametrize("name", [b"out\xff.npy", b"out\xff.parquet"])
def test_an_output_whose_name_is_not_utf8_is_written(tmp_path, tiny_static_model, model_path, texts_path, name):
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    encode(tiny_static_model, open_source(texts_path), output, model_path=model_path, rows_per_part=5)
    with output.open("rb") as stream:
        assert len(np.load(stream) if name.endswith(b"npy") else parquet.read_table(stream)) == 13
