import pytest

from selfsent.durations import about


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds"),
        (9.9, "a few seconds"),
        (44, "about 40 seconds"),
        (90, "about 2 minutes"),
        (400, "about 7 minutes"),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds: float, words: str):
    assert about(seconds) == words
