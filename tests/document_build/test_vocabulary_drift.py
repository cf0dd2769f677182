"""When the words of documents are no longer those of the vocabulary."""

from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from selfsent.document_build.vocabulary_drift import drift_notes, pieces_per_word
from selfsent.documents.corpus_file import write_corpus
from selfsent.documents.document import Document


def test_a_word_in_two_pieces_counts_twice(tmp_path: Path):
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "river": 1, "garden": 2, "##s": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue] its stub has no setter
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")
    corpus = write_corpus([Document(id="a", text="river rivers garden gardens")], tmp_path / "a.parquet")
    assert pieces_per_word(model, corpus) == 6 / 4


def test_a_few_pieces_more_are_no_drift_and_many_are_told():
    assert drift_notes(1.5, 1.6) == []
    (note,) = drift_notes(1.5, 1.8)
    assert "takes 1.80 pieces of the vocabulary, and took 1.50" in note
    assert "--retrain" in note
