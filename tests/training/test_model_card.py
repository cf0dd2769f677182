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
