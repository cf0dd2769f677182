import pytest

from selfsent.data.languages import is_language_code


@pytest.mark.parametrize("name", ["en", "rw", "pt-BR", "zh_Hans", "sr-Latn-RS", "hau_Latn", "deu", "pcm", "es-419"])
def test_codes_of_languages_are_known(name: str) -> None:
    assert is_language_code(name)


@pytest.mark.parametrize("name", ["", "EN", "qq", "the", "english", "text", "en de", "e", "en-", "12"])
def test_other_words_are_not(name: str) -> None:
    assert not is_language_code(name)
