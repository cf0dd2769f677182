"""Views by name."""

from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.views import VIEWS, Crop, Delete, DeleteOne, Repeat, Synonyms, make_view
from selfsent.views import wordnet as wordnet_module


@pytest.fixture(autouse=True)
def without_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet_module, "find_wordnet", lambda: None)


def test_the_names_are_those_of_the_papers_table():
    views = {name: make_view(name) for name in VIEWS if name not in {"synonym", "masked-lm", "back-translation"}}
    assert views == {
        "repeat": Repeat(),
        "crop-10": Crop(percent=10),
        "crop-20": Crop(percent=20),
        "crop-30": Crop(percent=30),
        "delete-10": Delete(percent=10),
        "delete-20": Delete(percent=20),
        "delete-30": Delete(percent=30),
        "delete-one": DeleteOne(),
    }


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(
        UserError,
        match=r"unknown view 'crop-15' \(did you mean 'crop-10'\?\); the views are repeat, .*, back-translation",
    ):
        make_view("crop-15")


def test_a_lexicon_of_the_user_comes_first(tmp_path: Path):
    (tmp_path / "mine.tsv").write_text("car\tauto\n")
    view = make_view("synonym", lexicon=tmp_path / "mine.tsv", texts=[])
    assert isinstance(view, Synonyms)
    assert view(["my car"]) == ["my auto"]


def test_then_wordnet_then_the_corpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    frequent = [f"{one}{other}" for one in "bcdfghk" for other in "lmnprstv"] * 30  # these count as stop words
    texts = [f"a {word} runs" for word in ("cat", "dog", "fox", "elk")] * 25
    assert "neighbours-" in repr(make_view("synonym", texts=iter([*texts, *frequent])))
    monkeypatch.setattr(wordnet_module, "find_wordnet", lambda: tmp_path)
    with pytest.raises(UserError, match="cannot read WordNet"):
        make_view("synonym", texts=texts)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("synonym", "WordNet is not installed"),
        ("masked-lm", "needs a masked LM"),
        ("back-translation", "needs two models, there and back.*translators=THERE,BACK"),
    ],
)
def test_a_view_without_what_it_needs_says_so(name: str, needed: str):
    with pytest.raises(UserError, match=needed):
        make_view(name)
