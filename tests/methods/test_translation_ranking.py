"""Translation ranking from the command's side: from scratch, from a base, pretraining, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from tests.methods.one_run import built
from tests.modules.transformer_models import write_bert
from transformers import AutoModelForMaskedLM

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.losses.translation_ranking import TranslationRankingLoss
from selfsent.methods.translation_ranking import TRANSLATION_RANKING, TranslationRankingConfig
from selfsent.options import configure
from selfsent.runs.train import train

SMALL: dict[str, Any] = {"hidden_size": 16, "num_layers": 1, "max_seq_length": 16, "vocab_size": 400}


@pytest.fixture(autouse=True)
def no_evaluation_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = [f"number {i} of the many sentences\tNummer {i} von vielen Sätzen" for i in range(60)]
    (tmp_path / "pool.tsv").write_text("\n".join(["en\tde", *rows]) + "\n", encoding="utf8")
    return str(tmp_path / "pool.tsv")


def short(**training: Any) -> dict[str, Any]:
    return {"device": "cpu", "training": {"max_steps": 2, "per_device_train_batch_size": 8, **training}}


def test_a_pretrained_folder_is_a_masked_lm_and_the_base_of_the_ranking(table, tmp_path):
    weights = {"ranking_weight": 0, "mlm_weight": 1, "tlm_weight": 1}
    train("translation-ranking", table, tmp_path / "pretrained", **SMALL, **weights, **short())
    masked = AutoModelForMaskedLM.from_pretrained(tmp_path / "pretrained")
    assert masked.config.max_position_embeddings == 32
    train(
        "translation-ranking",
        table,
        tmp_path / "ranked",
        base=str(tmp_path / "pretrained"),
        max_seq_length=16,
        **short(),
    )
    model = load(tmp_path / "ranked", device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]
    assert model.encode("ein Satz").shape == (16,)


def test_mixed_objectives_and_cached_gradients_train_from_scratch(table, tmp_path):
    options = {"mlm_weight": 0.5, "tlm_weight": 0.5, "mini_batch_size": 4}
    train("translation-ranking", table, tmp_path / "model", **SMALL, **options, **short())
    log = (tmp_path / "model" / "metrics.jsonl").read_text("utf8")
    assert all(f'"{name}"' in log for name in ("ranking", "mlm", "tlm", "eval_heldout_loss"))


@pytest.mark.parametrize("base", ["static", "tree"])
def test_other_bases_rank_too_and_have_no_words_to_mask(table, tmp_path, base):
    config = configure(TranslationRankingConfig, SMALL, method="translation-ranking")
    build, source = TRANSLATION_RANKING.build, open_source(table)
    found = built(build, config, source, tmp_path / "model", base=base, heldout_rows=5)
    assert isinstance(found.loss, TranslationRankingLoss)
    assert set(found.dataset[:2]) == {"source", "target"}
    assert found.heldout is not None
    assert found.heldout.column_names == ["source", "target"]
    config = configure(TranslationRankingConfig, SMALL | {"mlm_weight": 1}, method="translation-ranking")
    with pytest.raises(UserError, match=f"need a transformer, and the base is {base}"):
        built(build, config, source, tmp_path / "model", base=base)


def test_joined_rows_fit_the_positions_of_a_base(table, tmp_path, sentences):
    base = str(write_bert(tmp_path / "base", sentences))
    options = {"max_seq_length": 48, "tlm_weight": 1}
    config = configure(TranslationRankingConfig, options, method="translation-ranking")
    found = built(TRANSLATION_RANKING.build, config, open_source(table), tmp_path / "model", base=base)
    loss: Any = found.loss
    assert loss.max_tokens == 64
