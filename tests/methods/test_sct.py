"""SCT from the command's side: what data becomes which views, what a teacher needs, what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling
from tests.methods.one_run import built
from tests.modules.transformer_models import open_bert, write_bert
from tests.views.tiny_language_models import save_translator

from selfsent.data.numbered_views import NumberedViews
from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.losses.cross_view import CrossViewLoss
from selfsent.losses.cross_view_distillation import CrossViewDistillationLoss
from selfsent.methods import METHODS
from selfsent.methods.sct import SCT, SCT_DISTILL, SctConfig, SctDistillConfig, compares_vectors_alone
from selfsent.options import configure
from selfsent.runs.recipe import read_recipe, shipped_recipes
from selfsent.runs.train import train
from selfsent.runs.variants import variants_of
from selfsent.training.run import Ingredients
from selfsent.views import BackTranslation

SMALL: dict[str, Any] = {"queue_size": 8, "max_seq_length": 32}
PAPER_TABLE_1 = {  # learning rate, K, tau_ref, tau_theta
    "sct-tiny": (5e-4, 131072, 0.03, 0.04),
    "sct-mini": (3e-4, 131072, 0.01, 0.03),
    "sct-small": (3e-4, 65536, 0.02, 0.03),
    "sct-base": (5e-4, 65536, 0.04, 0.05),
    "sct-large": (5e-4, 16384, 0.04, 0.05),
    "sct-distill-tiny": (5e-4, 131072, 0.03, 0.04),
    "sct-distill-mini": (1e-4, 65536, 0.04, 0.05),
    "sct-distill-small": (1e-4, 131072, 0.04, 0.05),
    "sct-distill-base": (1e-4, 65536, 0.04, 0.05),
}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for method in (SCT, SCT_DISTILL):
        monkeypatch.setitem(METHODS, method.name, method)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SELFSENT_DATA", raising=False)


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> str:
    return str(write_bert(tmp_path_factory.mktemp("base"), sentences))


@pytest.fixture
def teacher(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> str:
    folder = tmp_path_factory.mktemp("teacher")
    body = open_bert(write_bert(folder / "body", sentences, hidden_size=24, num_layers=1))
    SentenceTransformer(modules=[body, Pooling(24)], device="cpu").save_pretrained(str(folder / "model"))
    return str(folder / "model")


@pytest.fixture
def sources(tmp_path: Path, sentences: list[str]) -> dict[str, str]:
    pairs = list(zip(sentences[::2], sentences[1::2], strict=True))
    files = {
        "bare": "\n".join(sentences),
        "pairs": "\n".join("\t".join(pair) for pair in pairs),
        "triplets": "\n".join("\t".join((*pair, "A third text.")) for pair in pairs),
        "many": "\n".join("\t".join((*pair, f"{pair[0]} It is so.", f"{pair[1]} It is so.")) for pair in pairs),
        "empty side": "\n".join(["A text.\t", *("\t".join(pair) for pair in pairs)]),
    }
    paths = {}
    for name, text in files.items():
        path = tmp_path / f"{name}.{'txt' if name == 'bare' else 'tsv'}"
        path.write_text(text + "\n", encoding="utf8")
        paths[name] = str(path)
    return paths


def build(source: str, base: str, folder: Path, *, heldout_rows: int = 0, **options: Any) -> Ingredients:
    teacher = options.pop("teacher", None)
    method = SCT if teacher is None else SCT_DISTILL
    config = configure(method.config, SMALL | options, method=method.name)
    return built(
        method.build, config, open_source(source), folder, base=base, teacher=teacher, heldout_rows=heldout_rows
    )


def test_two_columns_are_the_two_views(sources, base, tmp_path, sentences):
    found = build(sources["pairs"], base, tmp_path / "corpus")
    assert isinstance(found.loss, CrossViewLoss)
    assert found.dataset[:] == {"anchor": sentences[::2], "positive": sentences[1::2]}


def test_bare_text_is_embedded_twice_and_the_run_says_so(sources, base, tmp_path, sentences):
    found = build(sources["bare"], base, tmp_path / "corpus")
    assert found.dataset[:] == {"text": sentences}
    assert any("dropout alone" in note for note in found.notes)


def test_of_many_alternatives_two_are_drawn(sources, base, tmp_path):
    found = build(sources["many"], base, tmp_path / "corpus")
    rows = found.dataset[:]
    assert set(rows) == {"view_a", "view_b"}
    assert all(one != other for one, other in zip(rows["view_a"], rows["view_b"], strict=True))
    assert any("two of the 4 texts" in note for note in found.notes)


def test_of_a_triplet_the_negative_is_no_view(sources, base, tmp_path):
    assert build(sources["triplets"], base, tmp_path / "corpus").dataset.column_names == ["anchor", "positive"]


def test_texts_of_labelled_pairs_count_each_for_itself(base, tmp_path, sentences):
    path = tmp_path / "nli.jsonl"
    rows = [{"premise": sentences[0], "hypothesis": sentences[5], "label": "neutral"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    assert build(str(path), base, tmp_path / "corpus").dataset[:] == {"text": [sentences[0], sentences[5]]}


def test_a_made_view_is_both_views_of_bare_text(sources, base, tmp_path, sentences):
    found = build(sources["bare"], base, tmp_path / "corpus", view="delete-one")
    rows = found.dataset[:]
    for column in ("view_a", "view_b"):
        assert [len(text.split()) for text in rows[column]] == [len(text.split()) - 1 for text in sentences]


def test_held_out_rows_have_two_columns_however_many_alternatives_there_are(sources, base, tmp_path):
    found = build(sources["many"], base, tmp_path / "corpus", heldout_rows=1)
    assert found.heldout is not None
    assert set(found.heldout[:]) == {"text_1", "text_2"}


def test_a_queue_longer_than_the_corpus_is_warned_of(sources, base, tmp_path):
    warned, silent = (
        [note for note in build(sources["pairs"], base, tmp_path / str(size), queue_size=size).notes if "queue" in note]
        for size in (100, 6)
    )
    assert len(warned) == 1
    assert warned[0].startswith("warning: a queue of 100 rows is longer than the corpus of 6:")
    assert silent == []


def test_an_empty_side_of_a_pair_names_file_and_line(sources, base, tmp_path):
    with pytest.raises(UserError, match=r"empty side.tsv, line 1: column positive is empty"):
        build(sources["empty side"], base, tmp_path / "corpus")


def test_ready_pairs_are_made_anew_by_a_view(sources, base, tmp_path, sentences):
    found = build(sources["pairs"], base, tmp_path / "corpus", view="repeat+delete-one")
    plain = build(sources["pairs"], base, tmp_path / "plain").dataset
    rows = found.dataset[:]
    for made, ready in (("view_a", "anchor"), ("view_b", "positive")):
        pairs = list(zip(rows[made], plain[:][ready], strict=True))
        assert all(one == other or len(one.split()) == len(other.split()) - 1 for one, other in pairs)
        assert any(one != other for one, other in pairs)
    assert any("each text of a ready pair is made anew by repeat+delete-one" in note for note in found.notes)


def test_an_unknown_view_is_refused(sources, base, tmp_path):
    for view in ("dropout", "crop-20+dropout", "crop-20+document"):
        with pytest.raises(UserError, match=rf"view='{re.escape(view)}' must be one of .* or several with \+ between"):
            build(sources["bare"], base, tmp_path / "corpus", view=view)
    with pytest.raises(UserError, match="translators='a' must be THERE,BACK"):
        build(sources["bare"], base, tmp_path / "corpus", view="back-translation", translators="a")


def test_two_pairs_of_translators_make_the_two_views(sources, base, tmp_path, sentences):
    models = [str(save_translator(tmp_path / str(seed), sentences, seed=seed)) for seed in range(4)]
    there, back, away, home = models
    found = build(
        sources["bare"],
        base,
        tmp_path / "corpus",
        view="back-translation",
        translators=f"{there},{back};{away},{home}",
        translations=str(tmp_path / "kept.sqlite"),
    )
    rows = found.dataset[:4]
    texts = build(sources["bare"], base, tmp_path / "plain").dataset[:4]["text"]
    for column, forward, backward in (("view_a", there, back), ("view_b", away, home)):
        by_hand = BackTranslation(forward=forward, backward=backward, cache=tmp_path / "other.sqlite", device="cpu")
        assert rows[column] == [made or text for text, made in zip(texts, by_hand(texts), strict=True)]
    assert rows["view_a"] != rows["view_b"]


def test_one_pair_of_translators_makes_the_second_view_of_bare_text_and_both_of_pairs(
    sources, base, tmp_path, sentences
):
    there, back = (str(save_translator(tmp_path / str(seed), sentences, seed=seed)) for seed in range(2))
    options = {"view": "back-translation", "translators": f"{there},{back}", "translations": str(tmp_path / "kept")}
    by_hand = BackTranslation(forward=there, backward=back, cache=tmp_path / "other", device="cpu")

    found = build(sources["bare"], base, tmp_path / "corpus", **options)
    texts = build(sources["bare"], base, tmp_path / "plain").dataset[:4]["text"]
    translated = [made or text for text, made in zip(texts, by_hand(texts), strict=True)]
    assert found.dataset[:4] == {"view_a": texts, "view_b": translated}
    assert texts != translated
    assert any("the two views are the text and its translation there and back" in note for note in found.notes)

    pairs = build(sources["pairs"], base, tmp_path / "pairs", **options).dataset[:4]
    ready = build(sources["pairs"], base, tmp_path / "ready").dataset[:4]
    for made, column in (("view_a", "anchor"), ("view_b", "positive")):
        assert pairs[made] == [new or old for old, new in zip(ready[column], by_hand(ready[column]), strict=True)]


def test_a_trained_student_needs_the_host_alone_and_keeps_no_head(sources, base, tmp_path):
    train("sct", sources["pairs"], tmp_path / "model", base=base, **SMALL, **_short(batch_size=2))
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]
    assert model.encode("a cat").shape == (16,)


def test_a_queue_smaller_than_a_batch_is_one_line(sources, base, tmp_path):
    with pytest.raises(UserError, match="a queue of 3 rows is smaller than the 4"):
        train("sct", sources["pairs"], tmp_path / "model", base=base, queue_size=3, max_seq_length=32, **_short(4))


def _short(batch_size: int) -> dict[str, Any]:
    arguments = {"max_steps": 2, "per_device_train_batch_size": batch_size}
    return {"device": "cpu", "training": arguments}


# Distillation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bare", "pairs", "many"])
def test_labels_name_the_teachers_vectors_of_the_views(sources, base, teacher, tmp_path, kind):
    found = build(sources[kind], base, tmp_path / "corpus", teacher=teacher)
    loss: Any = found.loss
    assert isinstance(loss, CrossViewDistillationLoss)
    rows = found.dataset[:]
    labels = rows.pop("label")
    host = SentenceTransformer(teacher, device="cpu")
    for place, texts in enumerate(rows.values()):
        vectors = loss.teacher_vectors[[numbers[place] for numbers in labels]]
        np.testing.assert_allclose(vectors, host.encode(texts, normalize_embeddings=True), rtol=1e-4, atol=1e-5)


def test_a_made_view_has_the_number_of_its_text():
    views = NumberedViews(("text",), lambda batch: {"a": [text[1:] for text in batch["text"]], "b": batch["text"]})
    assert views({"text": ["one", "two"], "label": [3, 7]}) == {
        "a": ["ne", "wo"],
        "b": ["one", "two"],
        "label": [[3, 3], [7, 7]],
    }


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({}, True),
        ({"comparison": "vectors"}, False),
        ({"distillation": "mse", "objective": "alone"}, False),
        ({"distillation": "mse", "objective": "joint"}, True),
        ({"distillation": "ckd", "objective": "alone", "comparison": "vectors"}, True),
    ],
    ids=str,
)
def test_only_a_queue_that_is_used_can_be_too_long(options: dict[str, Any], warns: bool):
    config: Any = SctDistillConfig(**options) if "distillation" in options else SctConfig(**options)
    assert compares_vectors_alone(config) != warns


def test_made_views_of_a_ready_pair_have_the_numbers_of_their_own_texts():
    views = NumberedViews(("x", "y"), lambda batch: {"a": ["?" for _ in batch["x"]], "b": ["!" for _ in batch["y"]]})
    assert views({"x": ["p"], "y": ["q"], "label": [4]})["label"] == [[8, 9]]


def test_views_of_several_columns_are_numbered_row_by_row():
    views = NumberedViews(("x", "y", "z"), lambda batch: {"a": batch["z"], "b": batch["x"]})
    assert views({"x": ["p"], "y": ["q"], "z": ["r"], "label": [4]})["label"] == [[14, 12]]


def test_a_bridge_is_a_module_of_the_host_and_stays_in_the_student(sources, base, teacher, tmp_path):
    train("sct-distill", sources["pairs"], tmp_path / "model", base=base, teacher=teacher, **SMALL, **_short(2))
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense"]
    assert model.encode("a cat").shape == (24,)


def test_equal_widths_need_no_bridge(sources, base, tmp_path):
    found = build(sources["bare"], base, tmp_path / "corpus", teacher=base, bridge="none")
    assert not any(isinstance(module, Dense) for module in found.model)


def test_other_widths_without_a_bridge_are_refused_before_anything_is_computed(sources, base, teacher, tmp_path):
    with pytest.raises(UserError, match="student's embeddings have 16 values and the teacher's 24"):
        build(sources["bare"], base, tmp_path / "corpus", teacher=teacher, bridge="none")
    assert not (tmp_path / "cache").exists()


def test_a_second_run_on_the_same_texts_finds_the_vectors(sources, base, teacher, tmp_path):
    notes = [build(sources["bare"], base, tmp_path / name, teacher=teacher).notes[-1] for name in ("one", "two")]
    assert notes[0].endswith("; 12 computed now")
    assert notes[1].endswith("; 0 computed now")


def test_finding_the_vectors_changes_no_weight(sources, base, teacher, tmp_path):
    weights = []
    for name in ("computed", "found"):
        torch.manual_seed(5)
        found = build(sources["bare"], base, tmp_path / name, teacher=teacher)
        weights.append({key: value.clone() for key, value in found.loss.state_dict().items()})
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


def test_a_cache_of_another_model_or_other_texts_is_refused(sources, base, teacher, tmp_path):
    options = {"teacher_cache": str(tmp_path / "vectors")}
    build(sources["bare"], base, tmp_path / "one", teacher=teacher, **options)
    with pytest.raises(UserError, match="made by another model"):
        build(sources["bare"], base, tmp_path / "two", teacher=base, **options)
    with pytest.raises(UserError, match="made from other texts"):
        build(sources["many"], base, tmp_path / "three", teacher=teacher, **options)


def test_a_missing_teacher_is_one_line(sources, base, tmp_path):
    with pytest.raises(UserError, match="no model at"):
        build(sources["bare"], base, tmp_path / "corpus", teacher=str(tmp_path / "nowhere"))


def test_where_no_teacher_was_named_it_is_said_that_one_is_needed(sources, base, tmp_path):
    with pytest.raises(
        UserError, match=r"^--teacher must name a model to learn from, got none; princeton-nlp/"
    ) as caught:
        train("sct-distill", sources["bare"], tmp_path / "model", base=base, device="cpu", max_seq_length=32)
    assert str(caught.value).endswith("; give the folder of one")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["sct", "sct-mini", "sct-distill"])
def test_where_no_base_was_named_it_is_said_that_one_is_needed(sources, tmp_path, method):
    with pytest.raises(UserError, match=r"^--base must name a model to start from, got none; google/bert_uncased"):
        train(method, sources["bare"], tmp_path / "model", device="cpu")


# Recipes --------------------------------------------------------------------------------------------------------------


def test_the_defaults_are_the_papers_for_bert_tiny():
    config, arguments = SctConfig(), SCT.training(SctConfig())
    assert (config.queue_size, config.reference_temperature, config.temperature) == PAPER_TABLE_1["sct-tiny"][1:]
    assert (arguments["learning_rate"], arguments["per_device_train_batch_size"]) == (5e-4, 128)
    assert SctDistillConfig().objective == "joint"


@pytest.mark.parametrize("name", PAPER_TABLE_1)
def test_a_recipe_a_size_holds_the_papers_numbers(name: str):
    recipe = read_recipe(shipped_recipes()[name])
    method = METHODS[recipe.method]
    config: Any = configure(method.config, recipe.options, method=method.name)
    arguments = method.training(config) | dict(recipe.training)
    found = (arguments["learning_rate"], config.queue_size, config.reference_temperature, config.temperature)
    assert found == PAPER_TABLE_1[name]


@pytest.mark.parametrize("size", ["tiny", "mini", "small", "base"])
def test_a_recipe_of_distillation_says_what_it_runs_and_how_the_authors_ran_it(size: str):
    path = shipped_recipes()[f"sct-distill-{size}"]
    recipe = read_recipe(path)
    config, _ = SCT_DISTILL.configure(recipe.options)
    assert (config.objective, config.head, config.reduction, config.enqueue) == ("joint", "mlp", "mean", "before")
    assert "authors' settings" not in recipe.title
    assert recipe.answers.endswith("the authors ran L_CD alone")
    assert "--base SCT_MODEL --set preset=released" in path.read_text("utf8")
    config, arguments = SCT_DISTILL.configure({**recipe.options, "preset": "released"})
    assert (config.objective, config.head, config.reduction, config.enqueue) == ("alone", "none", "sum", "after")
    assert (config.queue_size, arguments["num_train_epochs"]) == (recipe.options["queue_size"], 20)


@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name.startswith("sct-")])
def test_every_run_of_every_recipe_can_be_configured(name: str):
    for variant in variants_of(read_recipe(shipped_recipes()[name])):
        method = METHODS[variant.recipe.method]
        method.configure(variant.recipe.options)
