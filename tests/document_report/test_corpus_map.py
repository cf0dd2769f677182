"""The map keeps neighbours together, is the same for the same seed, and takes every corpus."""

from typing import Any

import numpy as np
import pytest

from selfsent.document_report import corpus_map

TOPICS = {
    "leave": "The holiday of the staff is thirty days, and leave is taken in one piece",
    "printers": "The printer needs paper, and the toner of it is in the cupboard",
    "ships": "The harbour has a crane, and the ships of it wait for the tide",
    "bread": "The dough of the bread rests for an hour, and the oven is hot",
}


def corpus(num_each: int, seed: int = 0) -> tuple[np.ndarray, list[str], list[str], list[str], np.ndarray]:
    """Passages of four topics, each topic near a direction of its own; and the topic of each passage."""
    generator = np.random.default_rng(seed)
    topic_of = np.repeat(np.arange(4), num_each)
    vectors = 3 * np.eye(4, 16)[topic_of] + 0.3 * generator.standard_normal((len(topic_of), 16))
    topics = list(TOPICS.items())
    texts = [f"{topics[topic][1]} {number}." for number, topic in enumerate(topic_of)]
    return vectors, texts, [topics[topic][0] for topic in topic_of], [f"d{one}" for one in range(len(texts))], topic_of


def test_neighbours_on_the_map_are_neighbours_in_the_corpus():
    *made, topic_of = corpus(30)
    points = corpus_map(*made, seed=0)["points"]
    places = np.array([(one["x"], one["y"]) for one in points])
    far = ((places[:, None] - places[None]) ** 2).sum(-1) + 9 * np.eye(len(places))
    assert (topic_of[far.argmin(1)] == topic_of).all()
    assert places.min() >= 0
    assert places.max() <= 1
    assert points[0]["title"] == "leave"
    assert points[0]["document"] == "d0"


def test_groups_are_named_by_the_words_that_set_them_apart_and_by_no_stop_word():
    *made, _ = corpus(8)
    made_map = corpus_map(*made, seed=0)
    names = {word for group in made_map["groups"] for word in group["name"].split(", ")}
    assert not names & {"the", "and", "of", "is", "it", "for", "an", "in", "one"}
    group_of = {point["title"]: point["group"] for point in made_map["points"]}
    for title, words in {
        "ships": {"harbour", "crane", "ships", "tide", "wait"},
        "leave": {"holiday", "leave", "days", "staff", "thirty", "piece", "taken"},
    }.items():
        assert set(made_map["groups"][group_of[title]]["name"].split(", ")) <= words


def test_the_same_seed_gives_the_same_map_and_another_one_another():
    *made, _ = corpus(10)
    assert corpus_map(*made, seed=3) == corpus_map(*made, seed=3)
    assert corpus_map(*made, seed=3) != corpus_map(*made, seed=4)


def test_of_many_passages_as_many_as_asked_for_are_drawn():
    *made, _ = corpus(30)
    made_map = corpus_map(*made, seed=0, max_points=50)
    assert len(made_map["points"]) == sum(group["size"] for group in made_map["groups"]) == 50
    assert made_map["passages"] == 120
    assert len({point["document"] for point in made_map["points"]}) == 50


@pytest.mark.parametrize("num_passages", [0, 1, 2, 3, 5, 13])
def test_a_corpus_of_few_passages_has_a_map(num_passages: int):
    vectors, texts, titles, *_ = corpus(4)
    chosen = np.random.default_rng(0).permutation(16)[:num_passages]
    made = corpus_map(
        vectors[chosen], [texts[row] for row in chosen], [titles[row] for row in chosen], [""] * num_passages, seed=0
    )
    assert_apart(made, num_passages)
    sizes = [group["size"] for group in made["groups"]]
    assert sum(sizes) == num_passages
    assert sizes == sorted(sizes, reverse=True)
    assert all(group["name"] for group in made["groups"])


def assert_apart(made: dict[str, Any], num_points: int) -> None:
    places = {(one["x"], one["y"]) for one in made["points"]}
    assert len(places) == num_points
    assert all(0 <= value <= 1 for place in places for value in place)


@pytest.mark.parametrize("vector", [np.ones(8), np.zeros(8)])
@pytest.mark.parametrize("num_passages", [2, 40])
def test_equal_vectors_are_one_group_whose_points_stand_apart(vector: np.ndarray, num_passages: int):
    texts = [f"red door {number}" for number in range(num_passages)]
    made = corpus_map(np.tile(vector, (num_passages, 1)), texts, texts, texts, seed=0)
    assert_apart(made, num_passages)
    assert [group["size"] for group in made["groups"]] == [num_passages]


def test_copies_among_other_passages_stand_apart():
    vectors, texts, titles, documents, _ = corpus(10)
    vectors[:12] = vectors[0]
    vectors[20:25] = 0
    assert_apart(corpus_map(vectors, texts, titles, documents, seed=0), 40)


def test_vectors_of_one_value_have_a_map():
    texts = ["one door", "two doors", "three windows"]
    assert_apart(corpus_map(np.array([[1.0], [-1.0], [0.0]]), texts, texts, texts, seed=0), 3)


def test_a_text_is_cut_to_what_the_map_shows():
    made = corpus_map(np.ones((1, 4)), ["word " * 100], [""], ["d"], seed=0)
    assert len(made["points"][0]["text"]) == 160
