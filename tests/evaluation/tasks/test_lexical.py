"""Word similarity: gold as numbers, and words that the tokenizer does not know."""

import pytest
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.evaluation.evaluation_data import Table, write_tsv
from tokenizers import Tokenizer, models, pre_tokenizers

from selfsent.errors import UserError
from selfsent.evaluation import evaluate
from selfsent.evaluation.tasks.lexical import unknown_words

PAIRS = [["tiger", "cat", "7.35"], ["old", "new", "10"], ["car", "cup", "9"], ["sun", "sea", "2.5"]]


@pytest.fixture
def folder(tmp_path):
    for task in ("simlex999", "wordsim353_similarity", "wordsim353_relatedness"):
        write_tsv(tmp_path / f"lexical/{task}.tsv", [["word1", "word2", "score"], *PAIRS])
    return tmp_path


def test_gold_scores_are_ranked_as_numbers_and_not_as_text(folder):
    model = Table({"tiger": [1, 0], "cat": [1, 1], "old": [1, 0], "new": [1, 0.1], "car": [1, 0], "cup": [1, 0.5]})
    model.vectors |= {"sun": [1, 0], "sea": [-1, 0]}
    report = evaluate(model, "lexical", folder)
    assert report.score("simlex999").value == pytest.approx(1.0)
    assert list(report.averages()) == ["lexical"]


def word_model(words: list[str]) -> SentenceTransformer:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0} | {w: i + 1 for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")


def test_pairs_with_an_unknown_word_are_counted_and_get_similarity_zero(folder):
    model = word_model(["tiger", "cat", "old", "new", "car", "sun", "sea"])
    score = evaluate(model, "lexical", folder).score("simlex999")
    assert (score.also["num_unknown_words"], score.also["num_unknown_pairs"], score.num_items) == (1, 1, 4)
    assert score.items[2, 0] == 0.0
    known = score.items[[0, 1, 3]]
    assert score.also["spearman_known_pairs"] == pytest.approx(spearmanr(*known.T).statistic)


def test_a_word_is_unknown_only_if_all_its_pieces_are(tiny_static_model):
    assert unknown_words(tiny_static_model, ["cat", "guitar"]) == set()
    assert unknown_words(tiny_static_model, ["猫"]) <= {"猫"}
    assert unknown_words(word_model(["a"]), ["a", "b", "a b", "b c"]) == {"b", "b c"}
    assert unknown_words(Table(), ["b"]) == set()


def test_a_score_that_is_no_number_names_file_and_line(folder):
    write_tsv(folder / "lexical/simlex999.tsv", [["word1", "word2", "score"], *PAIRS, ["a", "b", "high"]])
    with pytest.raises(UserError, match=r"simlex999\.tsv, line 6: score is 'high'"):
        evaluate(Table(), "lexical", folder)


def test_a_missing_column_names_those_there_are(folder):
    write_tsv(folder / "lexical/simlex999.tsv", [["word1", "word2", "rating"], *PAIRS])
    with pytest.raises(UserError, match=r"no column score; the columns there are word1, word2, rating"):
        evaluate(Table(), "lexical", folder)


def test_without_a_folder_the_layout_is_named():
    with pytest.raises(UserError, match=r"lexical/simlex999\.tsv"):
        evaluate(Table(), "lexical")
