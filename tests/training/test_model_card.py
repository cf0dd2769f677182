"""What the card of a model says of a run."""

import os
from pathlib import Path

from sentence_transformers import SentenceTransformer

from selfsent.training.model_card import CARD_FILE, write_model_card


def test_a_source_whose_name_is_not_utf8_is_written_with_escapes(
    tmp_path: Path, tiny_static_model: SentenceTransformer
):
    name = os.fsdecode(b"caf\xe9.txt")
    write_model_card(tmp_path, tiny_static_model, {"recipe": {"data": name}, "data_hashes": {name: "0" * 64}})
    assert "- caf\\udce9.txt: SHA-256" in (tmp_path / CARD_FILE).read_text("utf8")


def test_a_card_names_files_without_their_folders(tmp_path: Path, tiny_static_model: SentenceTransformer):
    data = "/home/me/secret/notes.txt"
    recipe = {
        "data": data,
        "base": "google/bert_uncased_L-2_H-128_A-2",
        "options": {"teacher": "~/models/teacher", "texts": "parallel:en=/home/me/a.txt,de=/home/me/b.txt"},
        "link": "https://example.org/a/b",
    }
    write_model_card(tmp_path, tiny_static_model, {"recipe": recipe, "data_hashes": {data: "0" * 64}})
    card = (tmp_path / CARD_FILE).read_text("utf8")
    assert "/me/" not in card
    assert "models/teacher" not in card
    for kept in (
        '"data": "notes.txt"',
        '"base": "google/bert_uncased_L-2_H-128_A-2"',
        '"teacher": "teacher"',
        '"texts": "parallel:en=a.txt,de=b.txt"',
        '"link": "https://example.org/a/b"',
        "- notes.txt: SHA-256",
    ):
        assert kept in card
