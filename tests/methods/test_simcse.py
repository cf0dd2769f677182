"""SimCSE by the command line: from a transformer and a file to a model that the host opens alone; every mistake."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tests.command_line import Outcome, refused, typed
from tests.conftest import SENTENCES
from tests.methods.one_run import built
from tests.modules.transformer_models import write_bert
from tests.views.tiny_language_models import save_masked_lm, save_translator
from torch import nn

from selfsent.data.sources import open_source
from selfsent.errors import UserError
from selfsent.loading import load
from selfsent.methods.simcse import SIMCSE, SIMCSE_SUP, SimcseConfig, SupervisedSimcseConfig
from selfsent.options import configure
from selfsent.training.run import Ingredients
from selfsent.views import VIEWS

TEXTS = [f"{sentence} {ending}".strip() for sentence in SENTENCES for ending in ("", "So it was.", "It rained on.")]
SHORT = ("--device", "cpu", "--max-steps", "3", "--batch-size", "6", "--learning-rate", "0.01")
LABELS = ("entailment", "neutral", "contradiction", "-")
NLI = [
    {"premise": premise, "hypothesis": hypothesis, "label": LABELS[number % 4]}
    for premise in SENTENCES[:6]
    for number, hypothesis in enumerate(SENTENCES[6:] + SENTENCES[:6])
    if premise != hypothesis
]

HOST_ALONE = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer

texts, *folders = json.load(sys.stdin)
for folder in folders:
    model = SentenceTransformer(folder, device="cpu")
    np.save(folder + "/host.npy", model.encode(texts))
    print([type(module).__module__.split(".")[0] + ":" + type(module).__name__ for module in model])
print([name for name in sys.modules if name.split(".")[0] == "selfsent"])
"""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Files to train on, a base, and what the runs of the fixture said.

    Args:
        folder: Holds ``base/``, the sources, and the trained ``unsupervised/`` and ``supervised/``.
        said: Outcome of each run.
    """

    folder: Path
    said: Mapping[str, Outcome]

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def record(self, name: str) -> dict[str, Any]:
        return json.loads((self[name] / "run.json").read_text("utf8"))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf8")
    return path


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("simcse")
    write_bert(folder / "base", SENTENCES)
    (folder / "texts.txt").write_text("\n".join([*TEXTS, TEXTS[3], " ".join(SENTENCES)]) + "\n", encoding="utf8")
    write_rows(folder / "nli.jsonl", NLI)
    pairs = zip(SENTENCES[::2], SENTENCES[1::2], strict=True)
    write_rows(folder / "pairs.jsonl", [{"anchor": one, "positive": other} for one, other in pairs])
    runs = {"unsupervised": ("simcse", "texts.txt"), "supervised": ("simcse-sup", "nli.jsonl")}
    said = {
        name: typed(
            *("train", method, "--data", folder / data, "--base", folder / "base", "--output", folder / name),
            *SHORT,
        )
        for name, (method, data) in runs.items()
    }
    assert [outcome.code for outcome in said.values()] == [0, 0], said
    return Workshop(folder=folder, said=said)


# From the command to a model -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_new_process_opens_the_models_with_the_host_alone_and_equal_embeddings(workshop: Workshop):
    folders = [str(workshop[name]) for name in ("unsupervised", "supervised")]
    asked = json.dumps([SENTENCES, *folders])
    done = subprocess.run(
        [sys.executable, "-c", HOST_ALONE], input=asked, capture_output=True, encoding="utf8", check=True
    )
    one, other, ours = done.stdout.splitlines()
    host = "sentence_transformers:"
    assert one == str([f"{host}Transformer", f"{host}Pooling"])
    assert other == str([f"{host}Transformer", f"{host}Pooling", f"{host}Dense"])
    assert ours == "[]"
    for folder in folders:
        here = SentenceTransformer(folder, device="cpu").encode(SENTENCES)
        np.testing.assert_allclose(np.load(f"{folder}/host.npy"), here, atol=1e-6)


def test_a_trained_model_reads_as_many_tokens_as_its_base_and_not_only_those_of_training(workshop: Workshop):
    long = " ".join(SENTENCES)  # more than the 32 tokens of training
    for name in ("unsupervised", "supervised"):
        model = load(workshop[name], device="cpu")
        assert model.max_seq_length == 64
        whole = model.encode(long)
        model.max_seq_length = 32
        assert not np.allclose(whole, model.encode(long))


def test_training_moves_the_model_and_leaves_the_head_of_unsupervised_training_behind(workshop: Workshop):
    tensors = SentenceTransformer(str(workshop["unsupervised"]), device="cpu").state_dict()
    untrained = SentenceTransformer(str(workshop["base"]), device="cpu").state_dict()
    assert tensors.keys() == untrained.keys()
    table = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    assert not torch.equal(tensors[table], untrained[table])
    checkpoint = workshop["unsupervised"] / "checkpoints" / "checkpoint-3"
    assert (checkpoint / "loss.safetensors").is_file(), "the head is in the checkpoint, for resuming"
    assert not [path for path in workshop["unsupervised"].glob("*") if path.name.startswith("loss")]


def test_repeated_and_cut_texts_are_counted_and_said_once(workshop: Workshop):
    said = workshop.said["unsupervised"]
    notes = [note for note in said.notes if "repeated" in note or "longer than" in note]
    assert notes[0] == "37 rows of text; 1 repeated rows left out"
    assert notes[1].startswith("1 of 37 texts (2.7%) are longer than 32 tokens and are cut; raise max_seq_length")
    assert len(notes) == 2
    assert set(notes) <= set(workshop.record("unsupervised")["sources"])


def test_premises_give_triplets_and_it_is_said_how_many(workshop: Workshop):
    (note,) = [note for note in workshop.said["supervised"].notes if "premises" in note]
    assert note.startswith("6 of 6 premises have an entailed and a contradicting sentence")


def test_equal_texts_of_a_batch_are_counted_in_the_metrics(workshop: Workshop, tmp_path: Path):
    # Six pairs whose positives are all one text: five candidates a row say the same as its own positive.
    rows = [{"anchor": text, "positive": "It rained."} for text in TEXTS]
    data = write_rows(tmp_path / "same.jsonl", rows)
    done = train("simcse-sup", workshop, data, tmp_path / "model", *SHORT)
    assert done.code == 0, done
    lines = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text("utf8").splitlines()]
    assert [line["num_false_negatives"] for line in lines if "num_false_negatives" in line][-1] == 3 * 6 * 5


def train(method: str, workshop: Workshop, data: Path | str, output: Path, *more: object) -> Outcome:
    base = () if "--base" in more else ("--base", workshop["base"])
    return typed("train", method, "--data", workshop.folder / data, *base, "--output", output, *SHORT, *more)


def test_the_head_starts_as_in_the_released_code_where_that_is_asked_for(workshop: Workshop, tmp_path: Path):
    parts = ingredients(SIMCSE, workshop, tmp_path, "texts.txt", head_init="normal")
    (linear,) = [module for module in parts.loss.head.modules() if isinstance(module, nn.Linear)]
    assert linear.bias.abs().max() == 0
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.15)  # of 256 weights


def test_the_last_batch_is_kept_where_that_is_asked_for_unless_it_is_one_text(workshop: Workshop, tmp_path: Path):
    for num_rows, kept in ((9, 8), (10, 10)):
        data = tmp_path / f"{num_rows}.txt"
        data.write_text("\n".join(f"text {number} of some" for number in range(num_rows)) + "\n", encoding="utf8")
        done = typed(
            *("train", "simcse", "--data", data, "--base", workshop["base"], "--output", tmp_path / f"m{num_rows}"),
            *("--set", "preset=released", "--set", "training.best=none", "--batch-size", "4", "--device", "cpu"),
        )
        assert done.code == 0, done
        assert any(note.startswith("1 row is left out") for note in done.notes) == (kept < num_rows)


# What is put together ------------------------------------------------------------------------------------------------


def ingredients(method: Any, workshop: Workshop, tmp_path: Path, data: str, **options: Any) -> Ingredients:
    base = options.pop("base", workshop["base"])
    config = configure(method.config, options, method=method.name)
    return built(method.build, config, open_source(workshop[data]), tmp_path / "model", base=str(base))


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_masked_lm(tmp_path_factory.mktemp("masked-lm"), SENTENCES)


@pytest.mark.parametrize("view", [*VIEWS, "crop-20+delete-one"])
def test_every_view_of_the_papers_table_gives_rows_the_loss_takes(
    view: str, workshop: Workshop, masked_lm: Path, tmp_path: Path
):
    (tmp_path / "synonyms.tsv").write_text("man\tperson\ncat\tkitten\ndogs\thounds\nrain\tdrizzle\n", encoding="utf8")
    options = {"view": view, "lexicon": str(tmp_path / "synonyms.tsv"), "masked_lm": str(masked_lm)}
    if view == "back-translation":
        there, back = (save_translator(tmp_path / str(seed), SENTENCES, seed=seed) for seed in range(2))
        options |= {"translators": f"{there},{back}", "translations": str(tmp_path / "kept.sqlite")}
    parts = ingredients(SIMCSE, workshop, tmp_path, "texts.txt", **options)
    rows = parts.dataset[: len(TEXTS)]
    if view == "repeat":
        assert rows == {"text": TEXTS}
    else:
        assert list(rows) == ["view_a", "view_b"]
        assert rows["view_a"] == TEXTS
        changed = sum(one != other for one, other in zip(*rows.values(), strict=True))
        assert all(rows["view_b"])
        assert changed > len(TEXTS) // 4 if view == "synonym" else changed > len(TEXTS) // 2
    features = [parts.model.preprocess(texts[:4]) for texts in rows.values()]
    assert parts.loss(features).isfinite()


@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "mean-first-last", "mean-top2"])
def test_every_pooling_is_kept_in_the_saved_model(pooling: str, workshop: Workshop, tmp_path: Path):
    parts = ingredients(SIMCSE, workshop, tmp_path, "texts.txt", pooling=pooling)
    features = parts.model.eval().preprocess(SENTENCES[:4])
    states = parts.model[0].model(**features, output_hidden_states=True).hidden_states
    layers = {"mean-first-last": (states[1] + states[-1]) / 2, "mean-top2": (states[-2] + states[-1]) / 2}
    tokens = layers.get(pooling, states[-1])
    mask = features["attention_mask"][:, :, None]
    expected = {"cls": tokens[:, 0], "max": tokens.masked_fill(mask == 0, -torch.inf).amax(1)}.get(
        pooling, (tokens * mask).sum(1) / mask.sum(1)
    )
    parts.model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    found = SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(SENTENCES[:4], convert_to_tensor=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("head", "num_modules"), [("training-only", 2), ("kept", 3), ("none", 2)])
def test_the_head_is_in_the_loss_in_the_model_or_nowhere(
    head: str, num_modules: int, workshop: Workshop, tmp_path: Path
):
    parts = ingredients(SIMCSE, workshop, tmp_path, "texts.txt", head=head)
    assert len(list(parts.model)) == num_modules
    assert isinstance(parts.loss.head, nn.Module) is (head == "training-only")


def test_options_reach_base_and_loss(workshop: Workshop, tmp_path: Path):
    options = {"num_layers": 1, "dropout": 0.25, "max_seq_length": 20, "temperature": 0.1, "symmetric": True}
    parts = ingredients(SIMCSE_SUP, workshop, tmp_path, "nli.jsonl", hard_negative_weight=0.5, **options)
    body = parts.model[0].model
    assert len(body.encoder.layer) == body.config.num_hidden_layers == 1
    assert {module.p for module in body.modules() if isinstance(module, nn.Dropout)} == {0.25}
    assert (parts.max_seq_length, parts.model.max_seq_length) == (20, 64)
    assert (parts.loss.options.temperature, parts.loss.options.symmetric) == (0.1, True)
    assert parts.loss.options.hard_negative_weight == 0.5


def test_supervised_triplets_are_of_one_premise_and_pairs_are_taken_as_they_are(workshop: Workshop, tmp_path: Path):
    parts = ingredients(SIMCSE_SUP, workshop, tmp_path, "nli.jsonl")
    label = {(row["premise"], row["hypothesis"]): row["label"] for row in NLI}
    assert len(parts.dataset) == sum(row["label"] == "entailment" for row in NLI)
    for row in parts.dataset:
        assert label[row["anchor"], row["positive"]] == "entailment"
        assert label[row["anchor"], row["negative"]] == "contradiction"
    (tmp_path / "pairs").mkdir()
    pairs = ingredients(SIMCSE_SUP, workshop, tmp_path / "pairs", "pairs.jsonl")
    assert pairs.dataset[:] == {"anchor": SENTENCES[::2], "positive": SENTENCES[1::2]}


@pytest.mark.parametrize("base", ["tree", "static"])
def test_a_model_from_scratch_learns_too(base: str, workshop: Workshop, tmp_path: Path):
    parts = ingredients(SIMCSE, workshop, tmp_path, "texts.txt", base=base)
    loss = parts.loss([parts.model.preprocess(TEXTS[:6])])
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in parts.model.parameters())


def test_the_papers_settings_are_the_defaults():
    for method, config, rate, batch_size, epochs in (
        (SIMCSE, SimcseConfig(), 3e-5, 64, 1),
        (SIMCSE_SUP, SupervisedSimcseConfig(), 5e-5, 512, 3),
    ):
        arguments = method.training(config)
        found = [arguments[name] for name in ("learning_rate", "per_device_train_batch_size", "num_train_epochs")]
        assert found == [rate, batch_size, epochs]
        assert (config.temperature, config.pooling, config.max_seq_length) == (0.05, "cls", 32)
        assert not config.symmetric
    assert (SimcseConfig().head, SupervisedSimcseConfig().head) == ("training-only", "kept")


# Mistakes ------------------------------------------------------------------------------------------------------------


def test_a_dozen_texts_are_enough(workshop: Workshop, tmp_path: Path):
    (tmp_path / "few.txt").write_text("\n".join(SENTENCES), encoding="utf8")
    done = train("simcse", workshop, tmp_path / "few.txt", tmp_path / "model")
    assert done.code == 0, done


def static_model(folder: Path, tokenizer: Any) -> Path:
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    embedding = StaticEmbedding(tokenizer.backend_tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[embedding], device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def damaged(base: Path, folder: Path, *, keep: float = 1.0, config: str | None = None, without: str = "") -> Path:
    """A copy of a base, with part of its weights, another configuration, or files left out."""
    shutil.copytree(base, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: int(keep * weights.stat().st_size)])
    if config is not None:
        (folder / "config.json").write_text(config, encoding="utf8")
    for path in folder.glob(f"*{without}*") if without else ():
        path.unlink()
    return folder


BASES = {
    "not there": ("nowhere", "the folder does not exist"),
    "an empty folder": ("empty", "holds no model (no config.json)"),
    "a binary file": ("binary", "is a file, not a model folder"),
    "a static model": ("static", "holds a model without a transformer"),
    "weights cut short": ("cut", "cannot open the base model"),
    "no tokenizer": ("speechless", "has no tokenizer"),
    "a configuration of another kind": ("odd", "cannot open the base model"),
    "a configuration with a wrong type": ("wide", "hidden_size"),
}


@pytest.fixture(scope="module")
def bases(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Path:
    """Folders and files that are no base."""
    folder, base = tmp_path_factory.mktemp("bases"), workshop["base"]
    (folder / "empty").mkdir()
    (folder / "binary").write_bytes(b"\x7fELF\x00\x01\x02" * 50)
    static_model(folder / "static", tiny_tokenizer)
    damaged(base, folder / "cut", keep=0.5)
    damaged(base, folder / "speechless", without="token")
    damaged(base, folder / "odd", config='{"model_type": "nonsense"}')
    whole = json.loads((base / "config.json").read_text("utf8"))
    damaged(base, folder / "wide", config=json.dumps(whole | {"hidden_size": "wide"}))
    return folder


@pytest.mark.parametrize("name", BASES)
def test_a_base_that_cannot_be_used_is_one_line(name: str, workshop: Workshop, bases: Path, tmp_path: Path):
    folder, problem = BASES[name]
    outcome = train("simcse", workshop, "texts.txt", tmp_path / "model", "--base", bases / folder)
    refused(outcome, problem, str(bases / folder))
    assert not (tmp_path / "model" / "modules.json").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--base", ""), ["--base is empty"]),
        (("--batch-size", "1"), ["a batch of one", "--batch-size"]),
        (("--batch-size", "99"), ["fewer than one batch of 99", "--batch-size"]),
        (("--learning-rate", "1e38", "--set", "training.save_steps=1"), ["nan at step 2", "checkpoint-1", "look at"]),
        (("--set", "view=crop-15"), ["view='crop-15'", "crop-10, crop-20"]),
        (("--set", "view=masked-lm"), ["is not a masked LM"]),
        (("--set", "pooling=last"), ["pooling='last'", "cls, mean, max"]),
        (("--set", "max_seq_length=65"), ["max_seq_length=65", "64 positions"]),
        (("--set", "max_seq_length=1"), ["max_seq_length=1"]),
        (("--set", "num_layers=3"), ["num_layers=3", "which has 2"]),
        (("--set", "dropout=1"), ["dropout=1"]),
        (("--set", "temperature=0"), ["temperature=0"]),
        (("--set", "masked_weight=-1"), ["masked_weight=-1"]),
        (("--base", "tree", "--set", "masked_weight=0.1"), ["needs a transformer", "TreeEncoder"]),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_leaves_no_model(
    more: tuple[str, ...], words: list[str], workshop: Workshop, tmp_path: Path
):
    refused(train("simcse", workshop, "texts.txt", tmp_path / "model", *more), *words)
    assert not (tmp_path / "model" / "modules.json").exists()


@pytest.mark.parametrize(
    ("method", "rows", "words"),
    [
        ("simcse-sup", [{"text": "Only one text."}], ["learns from anchor, positive", "holds text"]),
        ("simcse-sup", [{"anchor": "a b", "positive": "c d", "negative": "e"}, {"anchor": "f g"}], ["line 2"]),
        ("simcse-sup", [*NLI[:3], {**NLI[0], "label": "maybe"}], ["line 4", "got 'maybe'", "entailment"]),
        ("simcse-sup", [*NLI[:3], {**NLI[0], "label": 3}], ["line 4", "got 3"]),
        ("simcse-sup", [{**NLI[0], "label": "neutral"}], ["no row to train on"]),
        ("sbert-triplet", [{"anchor": "a b", "positive": "c d"}], ["anchor, positive, negative", "--columns"]),
        ("sbert-classification", [*NLI[:3], {**NLI[0], "label": "maybe"}], ["line 4", "got 'maybe'"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_that_does_not_fit_is_one_line(
    method: str, rows: list[dict[str, Any]], words: list[str], workshop: Workshop, tmp_path: Path
):
    data = write_rows(tmp_path / "rows.jsonl", rows)
    refused(train(method, workshop, data, tmp_path / "model", "--set", "max_seq_length=32"), *words)


def test_bad_labels_are_skipped_and_counted_where_asked(workshop: Workshop, tmp_path: Path):
    data = write_rows(tmp_path / "rows.jsonl", [*NLI, {**NLI[0], "label": "maybe"}])
    done = train("simcse-sup", workshop, data, tmp_path / "model", "--on-bad-row", "skip")
    assert done.code == 0, done
    assert any(note.startswith("1 bad row left out") and f"line {len(NLI) + 1}" in note for note in done.notes)


def test_an_unknown_view_is_refused_before_anything_is_read(workshop: Workshop, tmp_path: Path):
    with pytest.raises(UserError, match=r"view='nothing' must be one of"):
        ingredients(SIMCSE, workshop, tmp_path, "texts.txt", view="nothing")
