"""SBERT from data to a model of the host's own modules: objectives, concatenations, poolings, and every mistake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tests.methods.one_run import built
from tests.modules.transformer_models import open_bert, write_bert
from tests.training.tiny_run import Interrupt
from torch import nn

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.methods.sbert import (
    SBERT_CLASSIFICATION,
    SBERT_REGRESSION,
    SBERT_TRIPLET,
    ClassificationConfig,
    RegressionConfig,
    TripletConfig,
    build_classification,
    build_regression,
    build_triplet,
    classification_loss,
)
from selfsent.methods.starting_model import pooling_modules
from selfsent.runs.train import train
from selfsent.training.engine import train as run
from selfsent.training.run import Ingredients, Run, RunData, RunPlan

STEPS = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 0}


@pytest.fixture(autouse=True)
def no_evaluation_data(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


@pytest.fixture
def base(sentences: list[str], tmp_path: Path) -> Path:
    return write_bert(tmp_path / "base", sentences)


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf8")
    return path


def nli_rows(sentences: list[str]) -> list[dict[str, Any]]:
    labels = ["entailment", "neutral", "contradiction", "-"]
    pairs = [(one, other) for one in sentences[:6] for other in sentences[6:]]
    return [
        {"premise": one, "hypothesis": other, "label": labels[i % 4], "source": "x"}
        for i, (one, other) in enumerate(pairs)
    ]


def sts_rows(sentences: list[str]) -> list[dict[str, Any]]:
    pairs = [(one, other) for one in sentences[:6] for other in sentences[6:]]
    return [{"sentence1": one, "sentence2": other, "score": i % 6} for i, (one, other) in enumerate(pairs)]


def triplet_rows(sentences: list[str]) -> list[dict[str, Any]]:
    return [
        {"anchor": sentences[i], "positive": sentences[i + 1], "negative": sentences[j]}
        for i in range(0, 12, 2)
        for j in range(12)
        if j not in {i, i + 1}
    ]


ROWS = {"sbert-classification": nli_rows, "sbert-regression": sts_rows, "sbert-triplet": triplet_rows}


def trained(method: str, data: Path, output: Path, base: Path, **overrides: Any) -> SentenceTransformer:
    training = {**STEPS, **overrides.pop("training", {})}
    defaults = {"base": str(base), "device": "cpu", "max_seq_length": 32}
    return train(method, data, output, training=training, **{**defaults, **overrides})


def ingredients_of(build: Any, config: Any, data: Path, base: Path, tmp_path: Path, **source: Any) -> Ingredients:
    return built(build, config, open_source(data, **source), tmp_path / "model", base=str(base))


@pytest.mark.parametrize(("method", "pooling"), zip(ROWS, ["mean", "max", "cls"], strict=True))
def test_a_run_ends_as_a_model_of_the_hosts_own_modules(
    method: str, pooling: str, sentences: list[str], base: Path, tmp_path: Path
):
    output = tmp_path / "model"
    model = trained(
        method, written(tmp_path, ROWS[method](sentences)), output, base, pooling=pooling, training={"save_steps": 3}
    )
    opened = SentenceTransformer(str(output), device="cpu")
    assert [type(module).__name__ for module in opened] == ["Transformer", "Pooling"]
    np.testing.assert_allclose(opened.encode(sentences), model.encode(sentences), atol=1e-6)
    record = json.loads((output / "run.json").read_text("utf8"))
    assert record["status"] == "finished"
    assert pooling in json.loads((output / "1_Pooling" / "config.json").read_text("utf8"))["pooling_mode"]
    assert not np.allclose(model.encode(sentences), before(base, pooling).encode(sentences), atol=1e-3)


def before(base: Path, pooling: Any = "mean") -> SentenceTransformer:
    transformer = open_bert(base)
    return SentenceTransformer(modules=[transformer, *pooling_modules(transformer, pooling)], device="cpu")


def test_labels_reach_the_loss_as_integers_and_scores_as_fractions(sentences: list[str], base: Path, tmp_path: Path):
    nli = ingredients_of(
        build_classification,
        ClassificationConfig(max_seq_length=32),
        written(tmp_path, nli_rows(sentences)),
        base,
        tmp_path,
    )
    assert nli.dataset.column_names == ["premise", "hypothesis", "label"]
    assert nli.dataset[:4]["label"] == [0, 1, 2, 0]
    assert any("9 rows without an agreed label" in note for note in nli.notes)
    sts = ingredients_of(
        build_regression, RegressionConfig(max_seq_length=32), written(tmp_path, sts_rows(sentences)), base, tmp_path
    )
    assert sts.dataset[:3]["score"] == pytest.approx([0.0, 0.2, 0.4])


def test_integer_labels_are_the_same_data_as_names(sentences: list[str], base: Path, tmp_path: Path):
    numbers = {"entailment": 0, "neutral": 1, "contradiction": 2, "-": -1}
    rows = nli_rows(sentences)
    found = []
    for given in (rows, [{**row, "label": numbers[row["label"]]} for row in rows]):
        data = written(tmp_path, given)
        parts = ingredients_of(build_classification, ClassificationConfig(max_seq_length=32), data, base, tmp_path)
        found.append(parts.dataset[:])
    assert found[0] == found[1]


CONCATENATED = {
    "u,v": lambda u, v: [u, v],
    "|u-v|": lambda u, v: [(u - v).abs()],
    "u*v": lambda u, v: [u * v],
    "|u-v|,u*v": lambda u, v: [(u - v).abs(), u * v],
    "u,v,u*v": lambda u, v: [u, v, u * v],
    "u,v,|u-v|": lambda u, v: [u, v, (u - v).abs()],
    "u,v,|u-v|,u*v": lambda u, v: [u, v, (u - v).abs(), u * v],
}


@pytest.mark.parametrize("concatenation", CONCATENATED)
def test_the_classifier_sees_the_concatenation_named(concatenation: Any, sentences: list[str], base: Path):
    model = before(base).eval()
    loss = classification_loss(model, concatenation=concatenation, num_labels=3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    u, v = (model(model.preprocess(texts))["sentence_embedding"] for texts in (sentences[:6], sentences[6:]))
    parts = torch.cat(CONCATENATED[concatenation](u, v), dim=1)
    expected = nn.functional.cross_entropy(loss.classifier(parts), labels)
    features = [model.preprocess(sentences[:6]), model.preprocess(sentences[6:])]
    torch.testing.assert_close(loss(features, labels), expected)


def test_regression_is_the_squared_error_of_the_cosine(sentences: list[str], base: Path, tmp_path: Path):
    data = written(tmp_path, sts_rows(sentences))
    parts = ingredients_of(build_regression, RegressionConfig(max_seq_length=32), data, base, tmp_path)
    model = parts.model.eval()
    u, v = (torch.from_numpy(model.encode(parts.dataset[:5][name])) for name in ("sentence1", "sentence2"))
    scores = torch.tensor(parts.dataset[:5]["score"])
    expected = (
        sum((float(a @ b / (a.norm() * b.norm())) - float(s)) ** 2 for a, b, s in zip(u, v, scores, strict=True)) / 5
    )
    features = [model.preprocess(parts.dataset[:5][name]) for name in ("sentence1", "sentence2")]
    assert parts.loss(features, scores).item() == pytest.approx(expected, abs=1e-5)


def test_the_triplet_objective_is_the_margin_between_euclidean_distances(
    sentences: list[str], base: Path, tmp_path: Path
):
    # Each triplet also the other way round, so that one of the two lies beyond the hinge.
    rows = [
        {"anchor": a, "positive": p, "negative": n} for a, p, n in (sentences[:3], [*sentences[:1], *sentences[2:0:-1]])
    ]
    names, data = ("anchor", "positive", "negative"), written(tmp_path, rows)
    model = ingredients_of(build_triplet, TripletConfig(max_seq_length=32), data, base, tmp_path).model.eval()
    a, p, n = (torch.from_numpy(model.encode([row[name] for row in rows])) for name in names)
    further = [float((x - y).norm() - (x - z).norm()) for x, y, z in zip(a, p, n, strict=True)]
    margin = max(further) / 2  # the base is drawn at random, and so is how far its sentences lie apart
    config = TripletConfig(max_seq_length=32, margin=margin)
    parts = ingredients_of(build_triplet, config, data, base, tmp_path)
    model = parts.model.eval()
    batch = parts.dataset[:]
    margins = [max(0.0, distance + margin) for distance in further]
    assert min(margins) == 0.0 < max(margins)
    features = [model.preprocess(batch[name]) for name in names]
    assert parts.loss(features, None).item() == pytest.approx(sum(margins) / 2, rel=1e-2, abs=1e-6)


def test_the_papers_training_arguments_are_the_defaults():
    for method in (SBERT_CLASSIFICATION, SBERT_REGRESSION, SBERT_TRIPLET):
        arguments = method.training(method.config())
        assert (arguments["per_device_train_batch_size"], arguments["learning_rate"]) == (16, 2e-5)
        assert (arguments["num_train_epochs"], arguments["warmup_steps"]) == (1, 0.1)
    assert (ClassificationConfig().concatenation, TripletConfig().margin) == ("u,v,|u-v|", 1.0)


def test_the_classifier_and_its_training_survive_an_interruption(sentences: list[str], base: Path, tmp_path: Path):
    data = written(tmp_path, nli_rows(sentences))

    def plan(output: Path, *, resume: bool = False, **options: Any) -> RunPlan:
        torch.manual_seed(0)
        config = ClassificationConfig(max_seq_length=32)
        arguments = {**STEPS, "max_steps": 6, "save_steps": 3}
        settled = Run(
            recipe="x", method="x", config=config, data=data, output=output, base=str(base), device="cpu",
            training=arguments, resume=resume,
        )  # fmt: skip
        read = RunData(source=open_source(data))
        return RunPlan(run=settled, data=read, built=build_classification(settled, read), alarm=None, **options)

    run(plan(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run(plan(tmp_path / "broken", callbacks=[Interrupt(4)]))
    run(plan(tmp_path / "broken", resume=True))
    whole, broken = (
        load_file(tmp_path / name / "checkpoints" / "checkpoint-6" / "loss.safetensors") for name in ("whole", "broken")
    )
    assert whole.keys() == broken.keys() == {"classifier.weight", "classifier.bias"}
    for name, tensor in whole.items():
        assert torch.equal(tensor, broken[name]), name
    earlier = load_file(tmp_path / "whole" / "checkpoints" / "checkpoint-3" / "loss.safetensors")
    assert not torch.equal(earlier["classifier.weight"], whole["classifier.weight"])


def test_the_classifier_learns_a_relation_that_embeddings_can_show(sentences: list[str], base: Path):
    # The same sentence twice against two different ones: |u - v| is zero or not.
    torch.manual_seed(0)
    model = before(base)
    loss = classification_loss(model, concatenation="|u-v|", num_labels=2)
    left, right = sentences, sentences[:6] + sentences[:6]
    labels = torch.tensor([0] * 6 + [1] * 6)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(loss([model.preprocess(left), model.preprocess(right)], labels))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_repeated_rows_and_cut_texts_are_counted(sentences: list[str], base: Path, tmp_path: Path):
    rows = triplet_rows(sentences)
    data = written(tmp_path, rows + rows[:5])
    parts = ingredients_of(build_triplet, TripletConfig(max_seq_length=12), data, base, tmp_path)
    assert len(parts.dataset) == len(rows)
    assert any("5 repeated rows left out" in note for note in parts.notes)
    assert any("longer than 12 tokens" in note for note in parts.notes)


@pytest.mark.parametrize(
    "case",
    [
        (
            "sbert-classification",
            "sbert-triplet",
            {},
            r"learns from premise, hypothesis, label; .*holds anchor, positive",
        ),
        ("sbert-regression", "sbert-classification", {}, r"learns from sentence1, sentence2, score; .*holds premise"),
        ("sbert-triplet", "sbert-regression", {}, r"learns from anchor, positive, negative; .*holds sentence1"),
        ("sbert-classification", None, {"concatenation": "v,u"}, "one of u,v"),
        ("sbert-classification", None, {"labels": "yes"}, "two or more different names"),
        ("sbert-classification", None, {"labels": "yes,Yes"}, "two or more different names"),
        (
            "sbert-classification",
            None,
            {"labels": "neutral,contradiction"},
            r"rows\.jsonl, line 1: the label must be .*, got 'ent",
        ),
        ("sbert-regression", None, {"score_range": "0,4"}, r"rows\.jsonl, line 6: the score must be 0 to 4, got 5"),
        ("sbert-regression", None, {"score_range": "5"}, "two numbers"),
        ("sbert-regression", None, {"score_range": "5,0"}, "lower one"),
        ("sbert-triplet", None, {"margin": 0}, "margin=0"),
        ("sbert-triplet", None, {"pooling": "last"}, "one of cls, mean"),
        ("sbert-triplet", None, {"base": "tree"}, "fine-tunes a transformer"),
        ("sbert-triplet", None, {"base": "./nowhere"}, "nowhere"),
        ("sbert-triplet", None, {"max_seq_length": 100}, "64 positions"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_leaves_no_model(
    case: tuple[str, str | None, dict[str, Any], str], sentences: list[str], base: Path, tmp_path: Path
):
    method, given, options, problem = case
    data = written(tmp_path, ROWS[given or method](sentences))
    with pytest.raises(UserError, match=problem) as caught:
        trained(method, data, tmp_path / "model", **{"base": base, **options})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model" / "modules.json").exists()


def test_bad_labels_are_skipped_and_counted_where_asked(sentences: list[str], base: Path, tmp_path: Path):
    rows = nli_rows(sentences)
    rows[3]["label"] = "perhaps"
    trained("sbert-classification", written(tmp_path, rows), tmp_path / "model", base, on_bad_row="skip")
    notes = json.loads((tmp_path / "model" / "run.json").read_text("utf8"))["sources"]
    assert any(note.startswith("1 bad row left out, the first: rows.jsonl, line 4") for note in notes)
