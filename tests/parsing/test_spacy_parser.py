import sys
from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.parsing.dependencies import depths_of_heads
from selfsent.parsing.spacy_parser import SpacyParser

TEXTS = ["The cat sat on mats.", "A dog sleeps.", "She gave him books."]
HEADS = [[1, 2, 2, 2, 3, 2], [1, 2, 2, 2], [1, 1, 1, 1, 1]]


def test_without_spacy_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match=r"pip install 'selfsent\[parse\]'"):
        SpacyParser("en_core_web_sm")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real pipeline: a tokenizer and a parser that has learned three sentences by heart."""
    spacy = pytest.importorskip("spacy")
    from spacy.training import Example

    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("parser", config={"min_action_freq": 1})
    examples = [
        Example.from_dict(
            nlp.make_doc(text), {"heads": heads, "deps": ["ROOT" if i == h else "dep" for i, h in enumerate(heads)]}
        )
        for text, heads in zip(TEXTS, HEADS, strict=True)
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(25):
        nlp.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("spacy") / "tiny"
    nlp.to_disk(folder)
    return folder


def test_an_unknown_pipeline_is_one_line():
    pytest.importorskip("spacy")
    with pytest.raises(UserError, match="no pipeline 'no_such_model' here") as caught:
        SpacyParser("no_such_model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("num_processes", [1, 2])
def test_texts_get_the_trees_of_the_pipelines_heads_in_order(pipeline: Path, num_processes: int):
    parsed = list(SpacyParser(str(pipeline), num_processes=num_processes).parse(TEXTS))
    for parse, text, heads in zip(parsed, TEXTS, HEADS, strict=True):
        assert parse.text == text
        own = [-1 if head == word else head for word, head in enumerate(heads)]
        assert parse.split_depths.tolist() == depths_of_heads(own).tolist()
    assert [TEXTS[0][start] for start in parsed[0].word_starts] == list("Tcsom.")


def test_white_space_in_a_text_is_no_word(pipeline: Path):
    (parse,) = SpacyParser(str(pipeline)).parse(["The cat  sat on mats."])
    assert len(parse.word_starts) == 6
    assert len(parse.split_depths) == 5


def test_a_pipeline_that_does_not_parse_is_refused(tmp_path: Path):
    spacy = pytest.importorskip("spacy")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(UserError, match="does not parse"):
        list(SpacyParser(str(tmp_path / "blank")).parse(TEXTS))


def test_a_text_too_long_for_spacy_is_refused_by_its_start(pipeline: Path):
    with pytest.raises(UserError, match=r"1,000,001 characters \('aaa"):
        list(SpacyParser(str(pipeline)).parse(["a" * 1_000_001]))


def test_the_identity_names_pipeline_and_version(pipeline: Path):
    assert str(pipeline) in SpacyParser(str(pipeline)).identity
