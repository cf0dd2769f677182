"""WordNet's own files, a handful of synsets of them, as a folder and inside nltk's archive."""

import zipfile
from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.views.wordnet import find_wordnet, read_wordnet

FILES = {
    "data.noun": (
        "  1 the licence begins with blanks\n"
        "00000100 06 n 02 car 0 auto 0 001 @ 00000200 n 0000 | a vehicle\n"
        "00000200 06 n 03 car 1 railcar 0 railway_car 0 000 | of a train\n"
        "00000300 06 n 02 can 0 tin 0 000 | a container\n"
        "00000400 18 n 02 run 0 tally 0 000 | a score\n"
        "00000500 15 n 02 capital 0 Paris 0 000 | a city\n"
    ),
    "index.noun": (
        "  1 the licence begins with blanks\n"
        "auto n 1 1 @ 1 1 00000100  \n"
        "can n 1 0 1 1 00000300  \n"
        "capital n 1 0 1 0 00000500  \n"
        "car n 2 1 @ 2 1 00000100 00000200  \n"
        "railway_car n 1 0 1 0 00000200  \n"
        "run n 1 0 1 1 00000400  \n"
    ),
    "data.verb": "00000100 38 v 02 run 0 sprint 0 000 01 + 01 00 | move fast\n",
    "index.verb": "run v 1 0 1 1 00000100  \n",
    "data.adj": "00000100 00 a 0b "
    + " ".join(f"w{letter} 0" for letter in "abcdefghi")
    + " big(a) 0 large 0 000 | size\n",
    "index.adj": "big a 1 0 1 1 00000100  \n",
    "data.adv": "",
    "index.adv": "",
    "cntlist.rev": "can%1:06:00:: 1 9\ncar%1:06:01:: 2 9\nrun%1:18:00:: 1 2\nrun%2:38:00:: 1 7\nbig%5:00:00:x:00 1 3\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    wordnet = tmp_path / "nltk_data" / "corpora" / "wordnet"
    wordnet.mkdir(parents=True)
    for name, content in FILES.items():
        (wordnet / name).write_text(content, encoding="utf8")
    return wordnet


def test_a_word_gets_the_single_words_of_its_most_frequent_sense(folder: Path):
    synonyms = dict(read_wordnet(folder).synonyms)
    assert synonyms.pop("big") == (*(f"w{letter}" for letter in "abcdefghi"), "large")
    assert synonyms == {"car": ("auto",), "auto": ("car",), "run": ("sprint",)}


def test_it_is_found_in_nltks_folder_and_in_its_archive(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("selfsent.views.wordnet._SYSTEM_FOLDERS", ())
    monkeypatch.setenv("NLTK_DATA", str(folder.parents[1]))
    unpacked = find_wordnet()
    assert unpacked == folder
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for name in FILES:
            archive.write(folder / name, f"wordnet/{name}")
            (folder / name).unlink()
    packed = find_wordnet()
    assert isinstance(packed, zipfile.Path)
    assert read_wordnet(packed).synonyms["car"] == ("auto",)


def test_its_own_variable_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WNSEARCHDIR", str(folder))
    assert find_wordnet() == folder


@pytest.mark.parametrize(
    ("name", "content"), [("data.noun", "00000100 06 n xx\n"), ("index.verb", "run v 1 0 1 1 9\n")]
)
def test_damaged_files_are_refused_in_one_line(folder: Path, name: str, content: str):
    (folder / name).write_text(content)
    with pytest.raises(UserError, match="a line is not in its format; install it again"):
        read_wordnet(folder)


def test_a_missing_file_is_refused_in_one_line(folder: Path):
    (folder / "data.adv").unlink()
    with pytest.raises(UserError, match="No such file"):
        read_wordnet(folder)
