from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from selfsent.data.hub import parse_hub_spec
from selfsent.data.sources import open_source
from selfsent.errors import UserError


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("hf:ag_news", ("ag_news", None, "train")),
        ("hf:ag_news:test", ("ag_news", None, "test")),
        ("hf:ag_news:train[:100]", ("ag_news", None, "train[:100]")),
        ("hf:owner/name:en-de", ("owner/name", "en-de", "train")),
        ("hf:owner/name:en-de:dev", ("owner/name", "en-de", "dev")),
        ("hf:owner/name::other", ("owner/name", None, "other")),
    ],
)
def test_a_name_is_taken_apart(spec: str, parts: tuple[str, str | None, str]) -> None:
    assert parse_hub_spec(spec) == parts


@pytest.mark.parametrize("spec", ["hf:", "hf::train", "hf:a:b:c:d"])
def test_a_malformed_name_is_explained(spec: str) -> None:
    with pytest.raises(UserError, match="must be hf:NAME"):
        parse_hub_spec(spec)


@pytest.fixture
def local_dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = [{"text": f"Text {number}.", "id": number} for number in range(5)]
    Dataset.from_list(rows).to_parquet(str(folder / "train.parquet"))
    Dataset.from_list(rows[:2]).to_parquet(str(folder / "test.parquet"))
    return folder


def test_a_data_set_is_streamed_as_often_as_wanted(local_dataset: Path) -> None:
    source = open_source(f"hf:{local_dataset}", max_rows=3)
    assert source.columns == ("text",)
    assert list(source.texts()) == list(source.texts()) == ["Text 0.", "Text 1.", "Text 2."]
    assert source.notes == ["columns not read: id (read: text)"]


def test_values_of_other_columns_that_python_cannot_hold_do_not_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "late").mkdir()
    dates = pa.array([0, 2**61], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["one", "two"], "date": dates}), tmp_path / "late" / "train.parquet")
    assert list(open_source(f"hf:{tmp_path / 'late'}").texts()) == ["one", "two"]


def test_a_home_folder_is_found(local_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(local_dataset.parent))
    assert len(list(open_source(f"hf:~/{local_dataset.name}:test"))) == 2


def test_a_split_is_chosen_by_name(local_dataset: Path) -> None:
    assert len(list(open_source(f"hf:{local_dataset}:test"))) == 2


def test_a_split_that_is_not_there_is_an_error(local_dataset: Path) -> None:
    with pytest.raises(UserError, match=r"cannot open hf:.*split dev"):
        open_source(f"hf:{local_dataset}:dev")


def test_a_translation_is_read_as_columns_of_languages(tmp_path: Path) -> None:
    Dataset.from_list([{"translation": {"en": "Hi.", "de": "Hallo."}}]).to_parquet(str(tmp_path / "train.parquet"))
    source = open_source(f"hf:{tmp_path}")
    assert source.columns == ("en", "de")
    assert list(source.texts()) == ["Hi.", "Hallo."]


def test_an_unknown_name_is_an_error_of_one_line() -> None:
    with pytest.raises(UserError, match="cannot open hf:nobody/nothing-of-this-name") as raised:
        open_source("hf:nobody/nothing-of-this-name")
    assert "\n" not in str(raised.value)
