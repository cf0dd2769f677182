import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tests.evaluation.evaluation_data import collection, sts_folder
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.evaluation import evaluate, render_baselines
from selfsent.evaluation.baselines import (
    averaged_table,
    baselines_for,
    evaluate_with_baselines,
    training_corpus,
    untrained,
)
from selfsent.evaluation.suite_options import SuiteOptions


@pytest.fixture
def transformer_model(tiny_tokenizer: PreTrainedTokenizerFast, tmp_path) -> SentenceTransformer:
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(7)
    BertModel(config).save_pretrained(tmp_path / "bert")
    tiny_tokenizer.save_pretrained(tmp_path / "bert")
    transformer = Transformer(str(tmp_path / "bert"))
    return SentenceTransformer(modules=[transformer, Pooling(16)], device="cpu")


def test_an_averaged_table_is_the_mean_of_the_input_embeddings(transformer_model: SentenceTransformer):
    table = transformer_model[0].auto_model.get_input_embeddings().weight.detach()
    model = averaged_table(transformer_model)
    assert model is not None
    text = "A cat sleeps"
    ids = transformer_model.tokenizer(text, add_special_tokens=False)["input_ids"]
    mean = table[ids].mean(dim=0)
    np.testing.assert_allclose(model.encode(text), mean / mean.norm(), atol=1e-6)


def test_a_model_that_is_only_a_table_has_no_averaged_table(tiny_static_model: SentenceTransformer):
    assert averaged_table(tiny_static_model) is None


@pytest.mark.parametrize("fixture", ["transformer_model", "tiny_static_model"])
def test_an_untrained_copy_is_fresh_by_seed_and_leaves_the_model_alone(fixture: str, request: pytest.FixtureRequest):
    model: SentenceTransformer = request.getfixturevalue(fixture)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    first, again, other = (untrained(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    np.testing.assert_array_equal(first.encode("a cat"), again.encode("a cat"))
    assert not np.allclose(first.encode("a cat"), other.encode("a cat"))
    assert not np.allclose(first.encode("a cat"), model.encode("a cat"))


def test_weights_without_an_initialisation_are_named(tiny_static_model: SentenceTransformer):
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

    tiny_static_model.append(Scale())
    with pytest.raises(UserError, match="Scale has no reset_parameters"):
        untrained(tiny_static_model)


def test_every_baseline_that_embeds_can_be_evaluated(transformer_model: SentenceTransformer, sentences: list[str]):
    found = baselines_for(transformer_model, sentences)
    assert list(found) == ["untrained", "averaged table", "averaged words", "tf-idf + svd", "bm25"]
    for name, model in found.items():
        if name != "bm25":
            assert np.isfinite(model.encode(sentences, batch_size=4, show_progress_bar=False)).all()


def test_the_baselines_are_scored_on_the_suites_that_apply_to_them(
    tiny_static_model: SentenceTransformer, sentences: list[str], tmp_path: Path
):
    collection(sts_folder(tmp_path / "data") / "retrieval/toy")
    tiny_static_model.save(str(tmp_path / "model"))
    (tmp_path / "corpus.txt").write_text("\n".join([*sentences, "STS12 first second", "STS16 first second SICK"]))
    options = SuiteOptions(num_resamples=20)
    corpus = tmp_path / "corpus.txt"
    model, *others = evaluate_with_baselines(
        tmp_path / "model", "sts,retrieval", tmp_path / "data", corpus=corpus, options=options
    )
    tasks = [score.task for score in model.scores]
    alone = evaluate(tmp_path / "model", "sts,retrieval", tmp_path / "data", options=options)
    assert model.scores == alone.scores
    assert [report.model for report in others] == ["untrained", "averaged words", "tf-idf + svd", "bm25"]
    assert [score.task for score in others[0].scores] == tasks
    assert [score.task for score in others[-1].scores] == ["toy"]
    written = io.StringIO()
    Console(width=200, file=written).print(render_baselines([model, *others]))
    assert f"{100 * model.scores[0].value:.2f}" in written.getvalue()
    assert f"{100 * others[0].scores[0].value:.2f}" in written.getvalue()


def test_baselines_are_fitted_on_a_folder_of_documents_too(
    tiny_static_model: SentenceTransformer, sentences: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    tiny_static_model.save(str(tmp_path / "model"))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "one.md").write_text("# Pages\n\n" + "\n\n".join(sentences), "utf8")
    for name, text in (("two", "STS12 first second"), ("three", "STS16 first second SICK")):
        (tmp_path / "pages" / f"{name}.html").write_text(f"<p>{text}", "utf8")
    (tmp_path / "pages" / "broken.docx").write_bytes(b"PK\x03\x04 and no more")
    collection(tmp_path / "data" / "retrieval/toy")
    options = SuiteOptions(num_resamples=20)
    with caplog.at_level(logging.INFO):
        reports = evaluate_with_baselines(
            tmp_path / "model", "retrieval", tmp_path / "data", corpus=tmp_path / "pages", options=options
        )
    assert [report.model for report in reports[1:]] == ["untrained", "averaged words", "tf-idf + svd", "bm25"]
    assert "1 file not read, the first: broken.docx (broken)" in caplog.text


def test_a_baseline_that_collapses_on_a_suite_is_left_out_with_a_note(
    tiny_static_model: SentenceTransformer, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    tiny_static_model.save(str(tmp_path / "model"))
    (tmp_path / "corpus.txt").write_text("nothing here\nis in the data\nat all\n")
    with caplog.at_level(logging.INFO):
        reports = evaluate_with_baselines(
            tmp_path / "model", "sts", sts_folder(tmp_path / "data"), corpus=tmp_path / "corpus.txt"
        )
    assert [report.model for report in reports[1:]] == ["untrained"]
    assert "tf-idf + svd, suite sts: all" in caplog.text


def test_the_corpus_of_a_run_is_the_one_it_was_trained_on(tmp_path: Path):
    assert training_corpus(tmp_path) is None
    (tmp_path / "run.json").write_text(json.dumps({"recipe": {"data": str(tmp_path / "gone.txt")}}))
    assert training_corpus(tmp_path) is None
    (tmp_path / "run.json").write_text(json.dumps({"recipe": {"data": "docs:"}}))
    assert training_corpus(tmp_path) == "docs:"
    (tmp_path / "run.json").write_text("[]")
    assert training_corpus(tmp_path) is None
