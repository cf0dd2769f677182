"""The data of the probes: which rows belong, and what is wrong with a file."""

import json
from pathlib import Path

import numpy as np
import pytest

from selfsent.errors import UserError
from selfsent.evaluation.tasks.labelled_texts import PROBE_TASKS, LabelledTexts, label_ids, read_task


def write_mrpc(folder: Path, num_train: int = 200) -> None:
    (folder / "glue/mrpc").mkdir(parents=True)
    for split, size in (("train", num_train), ("test", 20)):
        rows = [
            {"sentence1": f"s {i}", "sentence2": f"s {i}" if i % 2 else f"other {i + 1}", "label": i % 2}
            for i in range(size)
        ]
        (folder / f"glue/mrpc/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_quotation_mark_in_a_tsv_is_a_character(tmp_path: Path):
    (tmp_path / "glue/sst2").mkdir(parents=True)
    for split in ("train", "dev"):
        (tmp_path / f"glue/sst2/{split}.tsv").write_text('sentence\tlabel\n"a " b\t1\nc"\t0\n')
    train, _ = read_task("SST-2", PROBE_TASKS["SST-2"], tmp_path)
    assert train.columns == (('"a " b', 'c"'),)
    assert train.labels == ("1", "0")


def test_snli_takes_its_own_labelled_rows_of_the_shared_training_file(tmp_path: Path):
    (tmp_path / "nli").mkdir()
    rows = [
        {"premise": "p", "hypothesis": name, "label": label, "source": source}
        for name, label, source in (("a", "neutral", "snli"), ("b", "neutral", "lingnli"), ("c", "-", "snli"))
    ]
    for file in ("train", "snli-test"):
        (tmp_path / f"nli/{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train, _ = read_task("SNLI", PROBE_TASKS["SNLI"], tmp_path)
    assert train.columns == (("p",), ("a",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("sentence\tlabel\na\n", r"dev\.tsv, line 2"),
        ("text\tlabel\na\t1\n", "no column sentence"),
        ("sentence\tlabel\n", "no rows"),
        ("sentence\tlabel\na\t-1\n", "no row with a label"),
        ("sentence\tlabel\na\t7\n", "the class '7'"),
    ],
)
def test_a_wrong_file_is_named(content: str, reason: str, tmp_path: Path):
    (tmp_path / "glue/sst2").mkdir(parents=True)
    (tmp_path / "glue/sst2/train.tsv").write_text("sentence\tlabel\na\t0\nb\t1\n")
    (tmp_path / "glue/sst2/dev.tsv").write_text(content)
    with pytest.raises(UserError, match=reason):
        label_ids(*read_task("SST-2", PROBE_TASKS["SST-2"], tmp_path), "SST-2")


def test_a_missing_file_is_named_with_its_columns(tmp_path: Path):
    with pytest.raises(UserError, match=r"glue/mrpc/train\.jsonl.*sentence1, sentence2, label"):
        read_task("MRPC", PROBE_TASKS["MRPC"], tmp_path)


def test_a_task_that_the_hub_lacks_asks_for_a_folder():
    with pytest.raises(UserError, match=r"SICK-E is not on the hub.*sts/SICK-R/train\.jsonl"):
        read_task("SICK-E", PROBE_TASKS["SICK-E"], None)


def test_the_shared_files_have_the_published_sizes(data_dir: Path):
    sizes = {name: tuple(map(len, read_task(name, task, data_dir))) for name, task in PROBE_TASKS.items()}
    assert sizes == {
        "SST-2": (67349, 872),
        "RTE": (2490, 277),
        "WNLI": (635, 71),
        "MRPC": (4076, 1725),
        "SICK-E": (4500, 4927),
        "SNLI": (33071, 9824),
    }


def test_rows_are_kept_together():
    split = LabelledTexts(columns=(("a", "b", "c"), ("x", "y", "z")), labels=("0", "1", "2"))
    assert split.rows(np.array([2, 0])) == LabelledTexts(columns=(("c", "a"), ("z", "x")), labels=("2", "0"))
