from collections.abc import Sequence
from pathlib import Path

import pytest

from selfsent.data import docs
from selfsent.data.docs import DocstringCorpus, is_heldout, open_docstrings
from selfsent.data.docstrings import Docstring
from selfsent.data.sources import open_source
from selfsent.errors import UserError


def docstring(*sentences: str, name: str = "pkg.mod.f") -> Docstring:
    return Docstring(package="pkg", qualified_name=name, sentences=sentences)


def drawn(heldout: bool, *later: str, start: int = 0) -> Docstring:
    """A docstring that the hash puts where it is wanted."""
    candidates = (
        docstring(f"The first sentence has number {number}.", *later) for number in range(start, start + 5000)
    )
    return next(candidate for candidate in candidates if is_heldout(candidate) == heldout)


def texts(corpus: DocstringCorpus, part: docs.Part) -> list[str]:
    return [row["text"] for row in corpus.sentences(part)]


def test_about_one_in_twenty_is_held_out_by_its_text_alone() -> None:
    many = [docstring(f"This is sentence number {number}.", name=str(number)) for number in range(4000)]
    share = sum(map(is_heldout, many)) / len(many)
    assert 0.03 < share < 0.07
    assert [is_heldout(docstring(*one.sentences, name="elsewhere")) for one in many] == [
        is_heldout(one) for one in many
    ]


def test_no_sentence_of_a_held_out_docstring_is_in_the_training_part() -> None:
    shared = "This sentence stands in both of them."
    train, heldout = drawn(False, shared, "Only in the training part."), drawn(True, shared)
    corpus = DocstringCorpus(docstrings=[train, heldout])
    assert texts(corpus, "train") == [train.sentences[0], "Only in the training part."]
    assert texts(corpus, "heldout") == [shared, heldout.sentences[0]]
    assert sorted(texts(corpus, "all")) == sorted(texts(corpus, "train") + texts(corpus, "heldout"))


def test_each_sentence_comes_once_with_its_provenance() -> None:
    corpus = DocstringCorpus(docstrings=[docstring("The same again."), docstring("The same again.", name="pkg.other")])
    assert list(corpus.sentences("all")) == [
        {"text": "The same again.", "package": "pkg", "qualified_name": "pkg.mod.f"}
    ]


def test_the_retrieval_task_pairs_a_first_sentence_with_the_rest() -> None:
    rest = ("It goes on with a second sentence.", "A third one ends it.")
    heldout, train = drawn(True, *rest), drawn(False, *rest)
    (item,) = DocstringCorpus(docstrings=[train, heldout]).heldout_retrieval()
    assert (item.query, item.document) == (heldout.sentences[0], " ".join(rest))
    assert (item.package, item.qualified_name) == ("pkg", "pkg.mod.f")


def heldout_with(rests: Sequence[str]) -> list[Docstring]:
    return [drawn(True, rest, start=5000 * number) for number, rest in enumerate(rests)]


def test_a_document_is_the_answer_to_one_query_only() -> None:
    corpus = DocstringCorpus(docstrings=heldout_with(["They all share this one long document."] * 3))
    assert len(corpus.heldout_retrieval()) == 1


def test_the_cap_takes_a_stable_part_whatever_the_order() -> None:
    held = heldout_with([f"This is the long document number {number}." for number in range(6)])
    some = DocstringCorpus(docstrings=held).heldout_retrieval(max_queries=4)
    assert len(some) == 4
    assert DocstringCorpus(docstrings=held[::-1]).heldout_retrieval(max_queries=4) == some
    assert DocstringCorpus(docstrings=held).heldout_retrieval(max_queries=None)[:4] == some


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    (folder / "pkg-1.0.dist-info").mkdir(parents=True)
    (folder / "pkg-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
    (folder / "pkg.py").write_text(
        '"""The package has one docstring."""\ndef f():\n    """The package has one docstring."""'
    )
    return folder


def test_the_second_time_comes_from_the_cache(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_docstrings([site], cache_dir=tmp_path / "cache")
    monkeypatch.setattr(docs, "extract", None)
    assert open_docstrings([site], cache_dir=tmp_path / "cache") == first
    assert len(first.docstrings) == 1


def test_another_version_of_a_package_is_read_anew(site: Path, tmp_path: Path) -> None:
    open_docstrings([site], cache_dir=tmp_path / "cache")
    (site / "pkg.py").write_text('"""The package has another docstring."""')
    (site / "pkg-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pkg\nVersion: 1.1\n")
    assert texts(open_docstrings([site], cache_dir=tmp_path / "cache"), "all") == ["The package has another docstring."]


def test_a_damaged_or_unwritable_cache_does_no_harm(site: Path, tmp_path: Path) -> None:
    first = open_docstrings([site], cache_dir=tmp_path / "cache")
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:-20])
    assert open_docstrings([site], cache_dir=tmp_path / "cache") == first
    (tmp_path / "a-file").write_text("")
    assert open_docstrings([site], cache_dir=tmp_path / "a-file") == first


def test_files_that_do_not_parse_are_noted(site: Path, tmp_path: Path) -> None:
    (site / "bad.py").write_text('def f(:\n"""x"""')
    assert open_docstrings([site], cache_dir=tmp_path / "c").notes == [
        "docs: left out 1 Python files that do not parse"
    ]


def test_an_environment_without_docstrings_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="docs: is empty: no docstring in the 0 Python files of"):
        open_docstrings([tmp_path], cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("part", ["", "train", "heldout"])
def test_the_corpus_is_a_source(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    corpus = DocstringCorpus(docstrings=[drawn(True), drawn(False)], notes=["a note"])
    monkeypatch.setattr(docs, "open_docstrings", lambda: corpus)
    source = open_source(f"docs:{part}")
    assert source.columns == ("text",)
    assert source.provenance_columns == ("package", "qualified_name")
    assert source.notes == ["a note"]
    assert list(source) == list(corpus.sentences(part or "all"))  # pyright: ignore[reportArgumentType]
    assert len(list(source.texts())) == (1 if part else 2)
