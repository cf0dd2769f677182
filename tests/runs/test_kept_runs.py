"""Files of finished runs: what stands in them, and that they name no machine."""

from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.runs.kept_runs import KeptRun, kept_run, portable


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    one = KeptRun(
        identity={"method": "sct", "options": {"queue_size": 8}},
        seed=3,
        figures={"STS12": ("spearman", 0.5), "seconds": ("seconds", 12.5)},
        data_hashes=["abc"],
        curve=[{"step": 100, "eval_sts_dev_spearman": 0.5, "loss": 1.5}],
        provenance={"commit": "f00"},
    )
    one.write(tmp_path / "runs" / "sct-seed3.json")
    assert kept_run(tmp_path / "runs" / "sct-seed3.json") == one
    assert kept_run(tmp_path / "runs" / "sct-seed4.json") is None


def test_places_of_data_and_models_are_named_by_their_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, models = tmp_path / "data", tmp_path / "models"
    monkeypatch.setenv("SELFSENT_DATA", str(data))
    monkeypatch.setenv("SELFSENT_MODELS", str(models))
    identity = {
        "data": f"parallel:en={data}/en.txt;{data}/de",
        "base": f"{models}/small",
        "options": {"tokens": [f"{data}-other/x", 3, None]},
    }
    assert portable(identity) == {
        "data": "parallel:en=$SELFSENT_DATA/en.txt;$SELFSENT_DATA/de",
        "base": "$SELFSENT_MODELS/small",
        "options": {"tokens": [f"{data}-other/x", 3, None]},
    }


@pytest.mark.parametrize("folder", [None, "", ".", "/"])
def test_without_such_a_folder_paths_stay_as_they_are(folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SELFSENT_DATA", "SELFSENT_MODELS"):
        monkeypatch.delenv(name, raising=False)
        if folder is not None:
            monkeypatch.setenv(name, folder)
    assert portable({"data": "/a/b.txt", "base": "c/d"}) == {"data": "/a/b.txt", "base": "c/d"}


@pytest.mark.parametrize("text", ["", "[]", '{"identity": {}}', '{"identity": 1'])
def test_a_damaged_file_is_named_with_what_to_do(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, "utf8")
    with pytest.raises(UserError, match=r"a\.json is damaged .* trains that run again"):
        kept_run(tmp_path / "a.json")
