"""Files of ready-made pairs, as the sources read them."""

import json
import random
from pathlib import Path

import pytest

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.views import Crop, Repeat, write_pairs

TEXTS = ["one\ttwo\nthree", 'said "so", he did', "日本語 の テキスト", "anchor positive"]


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl"])
def test_what_is_written_is_read_as_anchor_and_positive(tmp_path: Path, suffix: str):
    random.seed(0)
    report = write_pairs(iter(TEXTS), tmp_path / f"pairs{suffix}", Repeat(), Crop(percent=30))
    source = open_source(tmp_path / f"pairs{suffix}")
    rows = [(str(row["anchor"]), str(row["positive"])) for row in source]
    assert source.columns == ("anchor", "positive")
    assert [anchor.split() for anchor, _ in rows] == [text.split() for text in TEXTS]
    assert [len(positive.split()) for _, positive in rows] == [2, 3, 2, 1]
    assert (report.num_pairs, report.num_unchanged, report.num_dropped) == (4, 0, 0)


def test_a_jsonl_keeps_the_white_space_of_a_text(tmp_path: Path):
    report = write_pairs(TEXTS, tmp_path / "pairs.jsonl", Repeat(), Repeat())
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text("utf8").splitlines()]
    assert rows == [{"anchor": text, "positive": text} for text in TEXTS]
    assert report.num_unchanged == 4


def test_a_text_of_which_nothing_is_left_is_dropped_and_counted(tmp_path: Path):
    def first_letter_only(texts: list[str]) -> list[str]:
        return ["" if text.startswith("one") else text[0] for text in texts]

    report = write_pairs(TEXTS, tmp_path / "pairs.tsv", first_letter_only, Repeat())
    assert (report.num_pairs, report.num_dropped) == (3, 1)
    assert len(list(open_source(tmp_path / "pairs.tsv"))) == 3


def test_a_file_is_replaced_only_on_demand_and_not_by_a_failure(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    write_pairs(TEXTS, path, Repeat(), Repeat())
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists; pass overwrite"):
        write_pairs(TEXTS[:1], path, Repeat(), Repeat())
    with pytest.raises(UserError, match="made all 0 texts empty"):
        write_pairs([], path, Repeat(), Repeat(), overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert write_pairs(TEXTS[:1], path, Repeat(), Repeat(), overwrite=True).num_pairs == 1
    assert path.read_bytes() != before


def test_another_suffix_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"must end in \.tsv or \.jsonl"):
        write_pairs(TEXTS, tmp_path / "pairs.csv", Repeat(), Repeat())
