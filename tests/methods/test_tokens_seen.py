"""What a run counts and times."""

import itertools
import json
from pathlib import Path

import pytest

from selfsent.loading import load
from selfsent.runs.train import train

TRAINING = {"num_train_epochs": 2, "per_device_train_batch_size": 4, "use_cpu": True, "eval_strategy": "no"}


def test_tokens_seen_are_those_of_the_texts_and_not_of_their_padding(
    tmp_path: Path, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SELFSENT_DATA", raising=False)
    texts = [*sentences[:11], " ".join(sentences[:3]), "A cat and a dog"]  # of very different lengths
    (tmp_path / "corpus.txt").write_text("\n".join(texts), encoding="utf8")
    training = {**TRAINING, "dataloader_drop_last": False, "save_strategy": "no"}
    train("self-strae", tmp_path / "corpus.txt", tmp_path / "run", vocab_size=300, training=training)
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf8"))
    tokenizer = load(tmp_path / "run")[0].tokenizer
    lengths = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    num_trained = record["num_rows_seen"] // 2  # two texts of the thirteen are kept out of training
    possible = {2 * (sum(lengths) - sum(pair)) for pair in itertools.combinations(lengths, 2)}
    assert num_trained == len(texts) - 2
    assert record["num_tokens_seen"] in possible
    assert 0 < record["training_seconds"] <= record["seconds"]
    assert record["tokens_per_second"] == pytest.approx(
        record["num_tokens_seen"] / record["training_seconds"], rel=0.01
    )
