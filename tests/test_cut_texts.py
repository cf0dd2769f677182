"""Texts that a model cuts are counted, by its own tokenizer and limit."""

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.conftest import SENTENCES
from tests.modules.transformer_models import open_bert, write_bert

from selfsent.cut_texts import CutTexts


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = write_bert(tmp_path_factory.mktemp("bert"), SENTENCES)
    return SentenceTransformer(modules=[open_bert(folder, max_seq_length=12), Pooling(16)], device="cpu")


def test_as_many_texts_are_counted_as_have_more_tokens_than_the_model_reads(bert: SentenceTransformer):
    num_tokens = [len(bert.tokenizer(text)["input_ids"]) for text in SENTENCES]
    expected = sum(number > 12 for number in num_tokens)
    assert 0 < expected < len(SENTENCES), num_tokens
    cut = CutTexts(bert)
    cut.count(SENTENCES[:5])
    cut.count(SENTENCES[5:])
    assert (cut.num_cut, cut.num_texts) == (expected, len(SENTENCES))
    texts = f"{expected} of 12 texts ({100 * expected / 12:.1f}%)"
    assert cut.notes() == [f"{texts} are longer than the 12 tokens that the model reads; the rest is cut off"]
    assert bert.preprocess([" ".join(SENTENCES)])["input_ids"].shape[1] == 12, "counting does not lift the limit"


def test_nothing_is_said_where_nothing_is_cut(bert: SentenceTransformer, tiny_static_model: SentenceTransformer):
    for model in (bert, tiny_static_model, object()):
        cut = CutTexts(model)
        cut.count(["a cat", "", *([] if model is bert else [" ".join(SENTENCES * 20)])])
        assert (cut.num_cut, cut.notes()) == (0, [])
