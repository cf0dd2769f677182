"""Groups get the words that set them apart; where there are no spaces between words, titles."""

import numpy as np

from selfsent.document_report.group_names import group_names


def named(groups: dict[str, list[str]], titles: list[str] | None = None) -> list[str]:
    """The names of groups of texts, all vectors equal."""
    texts = [text for texts in groups.values() for text in texts]
    group_of = np.repeat(np.arange(len(groups)), [len(texts) for texts in groups.values()])
    documents = [f"file{number}.txt" for number in range(len(texts))]
    return group_names(texts, titles or [""] * len(texts), documents, group_of, np.ones((len(texts), 2), np.float32))


def test_stop_words_of_other_languages_are_no_names_even_where_one_group_alone_has_them():
    german = ["Der Urlaub und die Tage sind nicht mehr als dreißig", "Die Tage und der Urlaub werden nicht übertragen"]
    english = ["Printers need paper and the toner", "The toner of printers is empty"]
    first, second = named({"german": german, "english": english})
    assert set(first.split(", ")) == {"urlaub", "tage", "dreißig"} or first.startswith(("urlaub, tage", "tage, urlaub"))
    assert second.startswith(("printers, toner", "toner, printers"))


def test_what_stands_in_most_texts_of_any_language_is_no_name():
    filler = "olin kanssa"
    one = [f"{filler} laiva satama {number}" for number in range(15)]
    other = [f"{filler} leipä uuni {number}" for number in range(15)]
    assert named({"one": one, "other": other}) == ["laiva, satama", "leipä, uuni"]


def test_forms_of_one_word_stand_once():
    assert named({"one": ["model models modelling bread"] * 2, "other": ["ships"] * 2})[0] == "bread, model"


def test_a_language_without_spaces_is_named_by_titles_and_these_by_files():
    chinese = ["员工每年有三十天假期", "请把假期一次休完"]
    english = ["printer paper", "printer paper"]
    groups = {"chinese": chinese, "english": english}
    assert named(groups, ["假期", "", "a", "b"]) == ["假期, file1.txt", "paper, printer"]


def test_texts_without_a_word_are_named_by_their_files():
    assert named({"numbers": ["1 2 3", "4 5"]}) == ["file0.txt, file1.txt"]


def test_a_long_title_is_cut():
    name = named({"one": ["员工"]}, ["t" * 60])[0]
    assert name == "t" * 39 + "…"
