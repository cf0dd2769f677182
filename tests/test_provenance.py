import json
import re
from pathlib import Path

import pytest
import torch

from selfsent import provenance


def test_provenance_is_json_and_names_versions_and_machine() -> None:
    found = json.loads(json.dumps(provenance.provenance()))
    assert found["versions"]["torch"] == torch.__version__
    assert found["machine"]["num_cores"] >= 1


def test_the_commit_is_a_hash_or_nothing_and_never_that_of_a_repository_around_an_installed_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = provenance.commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
    untracked = Path(provenance.__file__).with_name("not_tracked.py")
    monkeypatch.setattr(provenance, "__file__", str(untracked))
    assert provenance.commit() is None
