"""What the cache of translations finds, keeps and refuses."""

from pathlib import Path

import pytest

from selfsent.errors import UserError
from selfsent.views.translation_cache import TranslationCache


def test_what_was_kept_is_found_by_translator_and_text(tmp_path: Path):
    cache = TranslationCache(path=tmp_path / "folder" / "cache.sqlite")
    cache.keep("one", {"a": "A", "b": "B"})
    cache.keep("two", {"a": "other", 'it\'s "quoted"\n日本': ""})
    assert cache.find("one", ["a", "b", "c"]) == {"a": "A", "b": "B"}
    assert TranslationCache(path=cache.path).find("two", ["b", "a", 'it\'s "quoted"\n日本']) == {
        "a": "other",
        'it\'s "quoted"\n日本': "",
    }


def test_a_batch_is_kept_as_a_whole_or_not_at_all(tmp_path: Path):
    cache = TranslationCache(path=tmp_path / "cache.sqlite")
    with pytest.raises(UserError):
        cache.keep("one", {"a": "A", "b": object()})  # pyright: ignore[reportArgumentType]
    assert cache.find("one", ["a", "b"]) == {}


def test_a_file_that_is_no_cache_and_a_place_that_cannot_be_are_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a data base, but long enough to be mistaken for the head of one" * 20)
    with pytest.raises(UserError, match="delete it, or name another file"):
        TranslationCache(path=tmp_path / "notes.txt").find("one", ["a"])
    with pytest.raises(UserError, match="cannot use"):
        TranslationCache(path=tmp_path / "notes.txt" / "cache.sqlite").keep("one", {})
