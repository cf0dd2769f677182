"""The words of a text: what they are, where they stand, and what of a text matches a query."""

import pickle
import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.errors import UserError
from selfsent.words import RULES, Analyser, matched, whole_words

ENGLISH = Analyser("en")
TEXTS = st.text(max_size=60) | st.text(alphabet="aAbB_1 .éß\u0301東京ガスกีका", max_size=40)
ANALYSERS = st.sampled_from([Analyser(), ENGLISH, Analyser("de"), Analyser("tr"), Analyser("el"), Analyser("ar")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cats' CAT, catlike!", ["the", "cat", "cat", "catlik"]),
        ("read_csv(path)", ["read_csv", "read", "csv", "path"]),
        ("getHTTPResponse", ["gethttprespons", "get", "http", "respons"]),
        ("os.path.join", ["os", "path", "join"]),
        ("__init__ and _x_", ["init", "and", "x"]),
        ("the IDs of URLs", ["the", "id", "of", "url"]),
        ("BRCA1 p53", ["brca1", "p53"]),
        ("café cafe\u0301 naïve", ["cafe", "cafe", "naiv"]),
        ("\ufb01ne \uff21\uff22", ["fine", "ab"]),
        ("____ ... !", []),
    ],
)
def test_english_words_are_lower_case_stemmed_and_identifiers_whole_and_in_parts(text: str, words: list[str]):
    assert ENGLISH.analyse(text) == words


def test_without_a_language_nothing_is_stemmed_and_no_word_is_a_stop_word():
    assert Analyser().analyse("The running cats") == ["the", "running", "cats"]
    assert Analyser().query("the running cats") == ["the", "running", "cats"]


def test_a_script_without_spaces_gives_characters_and_pairs_of_neighbours():
    assert Analyser().analyse("東京都 2020年に") == ["東", "京", "都", "東京", "京都", "2020", "年", "に", "年に"]
    assert Analyser().analyse("猫") == ["猫"]
    assert Analyser().analyse("ที่นี่") == ["ที่", "นี่", "ที่นี่"]  # a vowel and a tone belong to their consonant
    assert Analyser().analyse("ｶﾞｽ") == Analyser().analyse("ガス")


def test_vowel_signs_do_not_cut_a_word():
    assert Analyser().analyse("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("de", "Häuser", "haus"),
        ("fr", "continuellement", "continuelle"),
        ("ru", "книгами", "книга"),
        ("pl", "książkami", "książka"),
        ("es", "canciones", "cancion"),
    ],
)
def test_forms_of_a_word_are_one_word_in_its_language(language: str, one: str, other: str):
    assert Analyser(language).analyse(one) == Analyser(language).analyse(other)
    assert Analyser().analyse(one) != Analyser().analyse(other)


def test_a_query_searches_for_its_stop_words_only_where_it_has_no_others():
    assert ENGLISH.query("What is the capital of France?") == ["capit", "franc"]
    assert ENGLISH.query("to be or not to be") == ["to", "be", "or", "not", "to", "be"]
    assert Analyser("fr").query("l'histoire de la ville") == Analyser("fr").analyse("histoire ville")


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("running dogs", "A dog ran; the DOGS run.", ["dog", "DOGS", "run"]),
        ("the dog of the house", "the end of the day", []),
        ("csv", "read_csv and readCsv", ["csv", "Csv"]),
        ("read csv", "read_csv, readCsv", ["read", "csv", "readCsv"]),
        ("read_csv", "pandas.read_csv", ["read_csv"]),
        ("東京都", "東京の都は京都", ["東京", "京都"]),
        ("猫", "黒い猫がいる", ["猫"]),
        ("cafe", "Le café", ["café"]),
        ("to be", "to be or not", ["to", "be"]),
        ("", "nothing is asked", []),
    ],
)
def test_marked_are_the_content_words_of_the_query(query: str, text: str, marked: list[str]):
    assert [text[start:end] for start, end in matched(query, text, ENGLISH)] == marked


@given(text=TEXTS, analyser=ANALYSERS)
def test_every_word_has_no_space_and_stands_where_it_is_said_to(text: str, analyser: Analyser):
    terms = list(analyser.terms(text))
    assert analyser.analyse(text) == [term.word for term in terms]
    for term in terms:
        assert term.word
        assert not re.search(r"\s", term.word)
        assert 0 <= term.start < term.end <= len(text)
        assert term.word in analyser.analyse(text[term.start : term.end])


@given(text=TEXTS, analyser=ANALYSERS)
def test_the_case_of_plain_words_and_the_form_of_accents_do_not_matter(text: str, analyser: Analyser):
    lower = text.lower()
    assert analyser.analyse(unicodedata.normalize("NFD", lower)) == analyser.analyse(
        unicodedata.normalize("NFC", lower)
    )


@given(query=TEXTS, text=TEXTS, analyser=ANALYSERS)
def test_marked_spans_are_apart_in_order_and_cover_exactly_the_content_words(query: str, text: str, analyser: Analyser):
    spans = matched(query, text, analyser)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    content = analyser.content(query)
    wanted = [term for term in analyser.terms(text) if term.word in content]
    assert covered == {place for term in wanted for place in range(term.start, term.end)}
    assert all(start < end for start, end in spans)


@given(text=TEXTS, analyser=ANALYSERS)
def test_a_text_matches_itself_where_it_has_words(text: str, analyser: Analyser):
    assert bool(matched(text, text, analyser)) == bool(analyser.analyse(text))


@pytest.mark.parametrize("analyser", [Analyser(), ENGLISH])
def test_an_analyser_survives_pickle_and_json(analyser: Analyser):
    assert pickle.loads(pickle.dumps(analyser)) == analyser
    assert Analyser.from_json(analyser.to_json()) == analyser


def test_an_index_of_other_rules_is_refused():
    with pytest.raises(UserError, match=rf"version {RULES} of the analysis, got {RULES + 1}; index again"):
        Analyser.from_json(f'{{"rules": {RULES + 1}, "language": "en"}}')


@pytest.mark.parametrize("language", ["zz", "klingon", "", "ja"])
def test_a_language_without_a_stemmer_is_refused(language: str):
    with pytest.raises(UserError, match=f"two-letter code of one of .*english.*, got '{language}'"):
        Analyser(language)


CORPORA = {
    "en": ["The committee approved the new budget today.", "Dogs are running along the beach in the morning."],
    "de": ["Der Ausschuss hat heute den neuen Haushalt beschlossen.", "Die Hunde laufen morgens am Strand entlang."],
    "fi": ["Valiokunta hyväksyi tänään uuden talousarvion.", "Koirat juoksevat aamulla pitkin rantaa."],
    None: ["委員会は今日新しい予算を承認した。", "犬たちは朝に浜辺を走っている。"],
}


@pytest.mark.parametrize("language", CORPORA)
def test_the_language_of_a_corpus_is_found(language: str | None):
    assert Analyser.of_corpus(iter(CORPORA[language])) == Analyser(language)


def test_a_corpus_of_no_main_language_and_an_empty_one_get_no_language():
    assert Analyser.of_corpus([text for texts in CORPORA.values() for text in texts]) == Analyser()
    assert Analyser.of_corpus([]) == Analyser()


def test_one_long_foreign_preface_does_not_decide_for_a_corpus():
    corpus = [*CORPORA["de"] * 150, *CORPORA["en"] * 1000]  # the first 300 texts of 2,300
    assert Analyser.of_corpus(corpus) == ENGLISH


def test_texts_without_words_do_not_outvote_the_language_of_a_corpus():
    assert Analyser.of_corpus([*CORPORA["de"], *["", "-", "12"] * 20]) == Analyser("de")
    assert Analyser.of_corpus(["", "!"]) == Analyser()


@pytest.mark.parametrize(
    ("text", "part", "whole"),
    [
        ("an unbelievable roof", "believable ro", "unbelievable roof"),
        ("an unbelievable roof", "unbelievable", "unbelievable"),
        ("they don't know", "t kn", "don't know"),
        ("read_csv and os.path.join", "csv and os", "read_csv and os.path.join"),
        ("the roof.The cat", "the roof", "the roof"),
        ("le caf\u0065\u0301 noir", "le cafe", "le caf\u0065\u0301"),
        ("\u6cb3\u5ddd\u5f88\u53e4\u8001", "\u5ddd\u5f88", "\u5ddd\u5f88"),
        ("\u6cb3\u5dddGPT\u5f88\u53e4", "PT\u5f88", "GPT\u5f88"),
    ],
)
def test_a_part_of_a_text_is_widened_to_whole_words(text: str, part: str, whole: str):
    start = text.index(part)
    first, last = whole_words(text, start, start + len(part))
    assert text[first:last] == whole


@given(st.text("ab '.\u6cb3", min_size=1), st.data())
def test_a_part_is_only_widened_and_what_is_whole_stays(text: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    first, last = whole_words(text, start, end)
    assert first <= start
    assert end <= last
    assert whole_words(text, first, last) == (first, last)
    assert " " not in text[first:start] + text[end:last]
