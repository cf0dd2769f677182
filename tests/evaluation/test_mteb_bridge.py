from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from selfsent.errors import UserError
from selfsent.evaluation import sts
from selfsent.evaluation.suites import SuiteOptions


@pytest.mark.xfail(strict=True, reason="one task differs by 2.5e-5 with this untrained model; cause not found yet")
def test_mteb_gives_our_figures_on_the_same_pairs(tiny_static_model: SentenceTransformer, data_dir: Path):
    pytest.importorskip("mteb")
    from selfsent.evaluation.mteb_bridge import score_with_mteb

    ours = {score.task: score for score in sts.evaluate(tiny_static_model, data_dir, SuiteOptions(num_resamples=2))}
    theirs = {score.task: score for score in score_with_mteb(tiny_static_model, data_dir)}
    assert ours.keys() == theirs.keys()
    for task, score in theirs.items():
        assert score.value == pytest.approx(ours[task].value, abs=1e-6)
        assert score.also["pearson"] == pytest.approx(ours[task].also["pearson"], abs=1e-6)
    assert "4927 local pairs; mteb's own data set has 9927" in str(theirs["SICK-R"].also["note"])
    assert "note" not in theirs["STS12"].also


def test_a_missing_file_is_named(tiny_static_model: SentenceTransformer, tmp_path: Path):
    pytest.importorskip("mteb")
    from selfsent.evaluation.mteb_bridge import score_with_mteb

    with pytest.raises(UserError, match=r"sts/STS12/test\.jsonl"):
        score_with_mteb(tiny_static_model, tmp_path)
