import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.evaluation import baselines
from selfsent.evaluation.baselines import (
    averaged_table,
    baselines_for,
    cooccurrences,
    positive_pmi,
    tfidf_svd,
    untrained,
    word_vectors,
)


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


def test_tfidf_svd_has_the_cosines_of_scikit_learn(sentences: list[str]):
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b")
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0)
    theirs = svd.fit_transform(vectorizer.fit_transform(sentences))
    new = ["The dogs sleep on the roof", "rain in the hills", "words unseen: the guitar"]
    theirs = np.concatenate([theirs, svd.transform(vectorizer.transform(new))])
    ours = tfidf_svd(sentences, dimension=4).encode([*sentences, *new])
    np.testing.assert_allclose(cosine_similarity(ours), cosine_similarity(theirs), atol=1e-4)


def test_cooccurrences_equal_a_naive_count():
    texts = ["a b a c", "b c", "d", "a d b"]
    tokenizer = baselines._word_tokenizer(texts, 100)
    naive = np.zeros((5, 5))
    for text in texts:
        words = [tokenizer.token_to_id(word) for word in text.split()]
        for i, one in enumerate(words):
            for j, other in enumerate(words):
                naive[one, other] += 0 < abs(i - j) <= 2
    np.testing.assert_array_equal(cooccurrences(texts, tokenizer, window=2).toarray(), naive)


def test_positive_pmi_of_a_hand_worked_table():
    counts = csr_array(np.array([[4.0, 0.0], [2.0, 2.0]]))
    # p(w) = 1/2, 1/2; p(c) = 6/8, 2/8; log(p(w, c) / p(w) p(c))
    expected = [[np.log(0.5 / (0.5 * 0.75)), 0], [0, np.log(0.25 / (0.5 * 0.25))]]
    np.testing.assert_allclose(positive_pmi(counts, smoothing=1.0).toarray(), expected)


def test_words_that_share_contexts_get_similar_vectors():
    generator = np.random.default_rng(0)
    animals, tools = ["cat", "dog", "fox"], ["saw", "nail", "drill"]
    texts = [f"{generator.choice(['furry', 'wild', 'tame'])} {generator.choice(animals)} runs" for _ in range(100)] + [
        f"{generator.choice(['steel', 'sharp', 'heavy'])} {generator.choice(tools)} cuts" for _ in range(100)
    ]
    model = word_vectors(texts, dimension=4)
    similarity = cosine_similarity(model.encode([*animals, *tools]))
    assert similarity[:3, :3].min() > similarity[:3, 3:].max()


def test_unseen_words_count_for_nothing(sentences: list[str]):
    model = tfidf_svd(sentences, dimension=4)
    seen, padded, unseen = model.encode(["the guitar", "zyx the guitar !!", "zyx"])
    np.testing.assert_allclose(seen, padded, atol=1e-6)
    assert not unseen.any()


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


@pytest.mark.parametrize("texts", [[], ["one text only here"], ["a", "a b"]])
def test_a_corpus_too_small_is_refused(texts: list[str]):
    for fit in (tfidf_svd, word_vectors):
        with pytest.raises(UserError, match="too small"):
            fit(texts)
