"""Vectors, prompts and errors of models opened without torch are the host's."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tests.runtime.host_models import KINDS, all_saved, saved
from transformers import PreTrainedTokenizerFast

from selfsent.errors import UserError
from selfsent.kernels import greedy_merges
from selfsent.runtime import RuntimeModel, open_model

WORDS = ["the", "cat", "sleeps", "on", "a", "warm", "roof", ",", "ha", "café", "数", "\n", "  "]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def pairs(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[SentenceTransformer, RuntimeModel]]:
    """Each kind of model, opened by the host and without torch."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for kind, model in all_saved(tiny_tokenizer, folder):
        opened = open_model(folder / kind)
        assert opened is not None, kind
        found[kind] = (model, opened)
    return found


def same(ours: np.ndarray, host: np.ndarray) -> bool:
    """Whether vectors are equal to 1e-6 of their size; what is infinite in one is so in the other."""
    assert ours.dtype == np.float32
    scale = np.abs(host[np.isfinite(host)]).max(initial=1)
    return np.allclose(ours, host, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_vectors_are_the_hosts(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], kind: str, texts: list[str]
) -> None:
    host, ours = pairs[kind]
    assert same(ours.encode(texts), np.asarray(host.encode(texts)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_and_an_empty_one_have_the_hosts_vectors(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], kind: str
) -> None:
    host, ours = pairs[kind]
    texts = ["a cat sleeps on the warm roof. " * 60, "", "cat"]
    assert same(ours.encode(texts), np.asarray(host.encode(texts)))


@pytest.mark.parametrize("kind", ["tree", "static", "random", "neighbours"])
def test_order_and_batch_mates_change_nothing(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], kind: str, sentences: list[str]
) -> None:
    _, ours = pairs[kind]
    together = ours.encode(sentences)
    assert np.allclose(ours.encode(sentences[::-1])[::-1], together, atol=1e-6)
    assert np.allclose(np.stack([ours.encode(text) for text in sentences]), together, atol=1e-6)


def test_many_long_texts_are_encoded_batch_by_batch_as_each_alone(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]],
) -> None:
    _, ours = pairs["balanced"]
    texts = ["cat " * 9000, "", "rain " * 9000, "the cat", "roof " * 9000]
    assert np.array_equal(ours.encode(texts), np.stack([ours.encode(text) for text in texts]))


@pytest.mark.parametrize("kind", KINDS)
def test_dimension_and_limit_are_the_hosts(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], kind: str
) -> None:
    host, ours = pairs[kind]
    assert ours.dimension == ours.get_embedding_dimension() == host.encode("cat").shape[0]
    assert ours.max_tokens == (5 if kind == "cut" else None)
    assert ours.prompts == host.prompts == {"query": "", "document": ""}


def test_no_texts_give_no_rows(pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]]) -> None:
    assert pairs["tree"][1].encode([]).shape == (0, 24)


@pytest.mark.parametrize("kind", ["tree", "static", "cut"])
@pytest.mark.parametrize("default", [None, "title"])
def test_prompts_are_honoured(
    tiny_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, kind: str, default: str | None
) -> None:
    prompts = {"query": "dogs: ", "passage": "run ", "title": "the "}
    host = saved(kind, tiny_tokenizer, tmp_path, prompts, default_prompt_name=default)
    ours = open_model(tmp_path)
    assert ours is not None
    texts = ["cats sleep", "rain", ""]
    assert same(ours.encode(texts), np.asarray(host.encode(texts)))
    assert same(ours.encode(texts, "title"), np.asarray(host.encode(texts, prompt_name="title")))
    assert same(ours.encode(texts, prompt="on "), np.asarray(host.encode(texts, prompt="on ")))
    assert same(ours.encode_query(texts), np.asarray(host.encode_query(texts)))
    assert same(ours.encode_document(texts), np.asarray(host.encode_document(texts)))


def test_an_unknown_prompt_is_refused_as_the_host_refuses_it(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]],
) -> None:
    host, ours = pairs["tree"]
    with pytest.raises(ValueError, match="summary"):
        host.encode(["cat"], prompt_name="summary")
    with pytest.raises(UserError, match=r"prompt_name must be one of .*'query', 'document'.*got 'summary'"):
        ours.encode(["cat"], "summary")


def test_what_is_no_text_is_refused_as_the_host_refuses_it(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]],
) -> None:
    for kind in ("tree", "static"):
        for model in pairs[kind]:
            with pytest.raises(TypeError):
                model.encode(["\ud800"])


def test_the_tree_of_a_text_is_the_encoders(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], sentences: list[str]
) -> None:
    for kind in ("tree", "sum", "diagonal", "balanced", "cut"):
        host, ours = pairs[kind]
        for text in sentences:
            states = host[0](host[0].preprocess([text]))["trees"]
            tree, up = states[0]
            found = ours.tree_of(text)
            assert found.tree.left.tolist() == tree.left.tolist()
            assert found.tree.right.tolist() == tree.right.tolist()
            assert same(found.up, up.detach().numpy())
            assert text[slice(*found.offsets[0])] == text.split()[0][: found.offsets[0][1]]


def test_the_tree_over_words_is_the_encoders(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], sentences: list[str]
) -> None:
    for kind in ("tree", "random", "right"):
        host, ours = pairs[kind]
        for words in [text.split() for text in sentences]:
            ((left, right),) = host[0].word_trees([words])
            tree = ours.tree_over_words(words)
            assert (tree.left.tolist(), tree.right.tolist()) == (left.tolist(), right.tolist())


def test_a_model_without_trees_says_so(pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]]) -> None:
    with pytest.raises(UserError, match="builds no trees"):
        pairs["static"][1].tree_of("a cat")


def test_tokens_are_counted_uncut(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    texts = ["the cat sleeps on the warm roof", ""]
    expected = [len(ids) for ids in tiny_tokenizer(texts, add_special_tokens=False)["input_ids"]]
    for kind in ("tree", "cut", "static"):
        assert pairs[kind][1].num_tokens(texts) == expected


def test_one_sentence_waits_for_no_compilation(
    pairs: dict[str, tuple[SentenceTransformer, RuntimeModel]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, ours = pairs["tree"]
    sentence = "the cat sleeps on a warm roof"
    monkeypatch.setattr(greedy_merges, "has_run", lambda: False)
    monkeypatch.setattr(greedy_merges, "merge_greedily", None)
    assert same(ours.encode([sentence]), np.asarray(host.encode([sentence])))
    monkeypatch.setattr(greedy_merges, "has_run", lambda: True)
    with pytest.raises(TypeError):
        ours.encode([sentence])
