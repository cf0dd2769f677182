import subprocess
import sys
from pathlib import Path

import pytest

from selfsent.data.arrow_file import materialise
from selfsent.data.sources import open_source
from selfsent.errors import UserError


def test_rows_come_back_in_order_with_their_types(tmp_path: Path) -> None:
    rows = [{"sentence1": f"a {n}", "sentence2": "b", "score": n / 2} for n in range(2500)]
    dataset = materialise(iter(rows), tmp_path / "rows.arrow")
    assert dataset.column_names == ["sentence1", "sentence2", "score"]
    assert dataset.to_list() == rows
    assert [path.name for path in tmp_path.iterdir()] == ["rows.arrow"]


def test_a_source_keeps_its_columns_without_their_provenance(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("premise,hypothesis,label\na,b,0\nc,d,1\n")
    dataset = materialise(open_source(tmp_path / "a.csv"), tmp_path / "rows.arrow")
    assert dataset[1] == {"premise": "c", "hypothesis": "d", "label": 1}
    wanted = materialise(open_source(tmp_path / "a.csv"), tmp_path / "w.arrow", columns=["line", "premise"])
    assert wanted.to_list() == [{"line": 2, "premise": "a"}, {"line": 3, "premise": "c"}]


def test_the_file_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    dataset = materialise([{"text": "x"}], tmp_path / "rows.arrow")
    assert [file["filename"] for file in dataset.cache_files] == [str(tmp_path / "rows.arrow")]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "holds no rows"),
        ([{"label": "neutral"}, {"label": 2}], "label changes its type at row 2: got 2, and the rows before hold str"),
        ([{"label": 2}] * 1500 + [{"label": "neutral"}], "at row 1501: got 'neutral', and the rows before hold int"),
        ([{"a": "x"}, {"b": "x"}], "row 2 has no column 'a'"),
    ],
)
def test_rows_that_make_no_table_are_explained_and_leave_no_file(
    tmp_path: Path, rows: list[dict[str, str | int]], text: str
) -> None:
    with pytest.raises(UserError, match=text):
        materialise(rows, tmp_path / "rows.arrow")
    assert not list(tmp_path.iterdir())


def test_a_bad_row_leaves_what_stood_there(tmp_path: Path) -> None:
    materialise([{"text": "old"}], tmp_path / "rows.arrow")
    (tmp_path / "new.jsonl").write_text('{"text": "new"}\nbroken\n')
    with pytest.raises(UserError, match=r"new\.jsonl, line 2"):
        materialise(open_source(tmp_path / "new.jsonl"), tmp_path / "rows.arrow")
    assert materialise([{"text": "old"}], tmp_path / "again.arrow").to_list() == [{"text": "old"}]
    assert (tmp_path / "rows.arrow").read_bytes() == (tmp_path / "again.arrow").read_bytes()


_STREAM_A_CORPUS = """
import resource, sys
from pathlib import Path
from selfsent.data.arrow_file import materialise
from selfsent.data.heldout import split_heldout

folder, num_rows = Path(sys.argv[1]), int(sys.argv[2])
materialise([{"text": "warm up"}] * 2000, folder / "warm.arrow")

def anonymous_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

before, peak = anonymous_mib(), 0.0

def rows():
    global peak
    for number in range(num_rows):
        if number % 5000 == 0:
            peak = max(peak, anonymous_mib())
        yield {"text": f"{number} " + "word " * 400}

dataset = materialise(rows(), folder / "big.arrow")
train, heldout = split_heldout(dataset, fraction=0.01)
assert len(train) + len(heldout) == num_rows
print(max(peak, anonymous_mib()) - before, (folder / "big.arrow").stat().st_size / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of memory")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STREAM_A_CORPUS, str(tmp_path), "60000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown_mib, file_mib = map(float, done.stdout.split())
    assert file_mib > 100
    assert grown_mib < file_mib / 2
