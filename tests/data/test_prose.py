import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsent.data.prose import sentences_of, split_sentences

NUMPY_STYLE = """
    Compute the weighted mean of an array along one axis.

    The weights are normalised first, so that they
    sum to one, as in [1]_. Pass ``axis=None`` to flatten the array first.

    Parameters
    ----------
    values : array_like
        Values that are going to be averaged in some way.

    Returns
    -------
    float
        The mean of all of the values given.

    Notes
    -----
    The algorithm makes two passes over the data.

    Examples
    --------
    >>> mean([1, 2])
    1.5
    """

GOOGLE_STYLE = """Open a connection to the server and keep it alive.

    Args:
        host (str): The name of the host that we connect to.
        port: The number of the port on that very host.

    Raises:
        OSError: The server could not be reached at all.

    The connection is closed when the program ends.

    Example::

        connect("localhost") and then do a few things.

    Use :func:`~net.close` to close it earlier than that.
    """

SPHINX_STYLE = """
    Send the *message* to **every** member of a `group`.

    :param group: The group which the message is sent to.
    :returns: The number of members that have received it.

    .. note:: Members who left the group get no message.

    .. code-block:: python

        send("hello") to all of the members now.

    See `the manual <https://example.org>`_ for more about groups.
    """


@pytest.mark.parametrize(
    ("docstring", "sentences"),
    [
        (
            NUMPY_STYLE,
            [
                "Compute the weighted mean of an array along one axis.",
                "The weights are normalised first, so that they sum to one, as in.",
                "The algorithm makes two passes over the data.",
            ],
        ),
        (
            GOOGLE_STYLE,
            [
                "Open a connection to the server and keep it alive.",
                "The connection is closed when the program ends.",
                "Use net.close to close it earlier than that.",
            ],
        ),
        (
            SPHINX_STYLE,
            [
                "Send the message to every member of a group.",
                "Members who left the group get no message.",
                "See the manual for more about groups.",
            ],
        ),
    ],
    ids=["numpy", "google", "sphinx"],
)
def test_prose_is_kept_and_tables_code_and_fields_are_not(docstring: str, sentences: list[str]) -> None:
    assert sentences_of(docstring) == sentences


def test_output_of_a_doctest_goes_with_it() -> None:
    docstring = (
        "Say a few words of greeting.\n\n>>> greet()\nHello to all of the world.\n\nThen go home and sleep well."
    )
    assert sentences_of(docstring) == ["Say a few words of greeting.", "Then go home and sleep well."]


def test_fenced_code_is_dropped_even_with_blank_lines() -> None:
    docstring = "Do it with some care.\n\n```py\nrun it all day\n\nagain and again.\n```\nThis is how it ends."
    assert sentences_of(docstring) == ["Do it with some care.", "This is how it ends."]


def test_items_of_a_list_are_sentences_of_their_own() -> None:
    docstring = "Two things are done here:\n\n- The first one takes\n  rather long.\n- The second one is quick."
    assert sentences_of(docstring)[-2:] == ["The first one takes rather long.", "The second one is quick."]


def test_a_summary_without_its_full_stop_gets_one() -> None:
    assert sentences_of("Return the number of rows") == ["Return the number of rows."]


@pytest.mark.parametrize("docstring", ["", "\n  \n", "Too short.", "x = f(y) | g(z) and more of it.", "A | B | C | D"])
def test_what_is_no_prose_gives_nothing(docstring: str) -> None:
    assert sentences_of(docstring) == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One is here. Two is there! Is it? Yes.", ["One is here.", "Two is there!", "Is it?", "Yes."]),
        ("Some, e.g. Tom, i.e. John et al. Miller.", ["Some, e.g. Tom, i.e. John et al. Miller."]),
        ("By J. R. Smith. He wrote 3.5 books.", ["By J. R. Smith.", "He wrote 3.5 books."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("in lower case. not split here.", ["in lower case. not split here."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_thinks_they_do(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences


@given(st.text())
def test_any_text_gives_clean_single_lines(docstring: str) -> None:
    for sentence in sentences_of(docstring):
        assert sentence == " ".join(sentence.split())
        assert len(sentence.split()) >= 4


@given(st.lists(st.sampled_from(["One.", "two", "Mr.", "Three!", "4", "e.g.", '"Five?"']), max_size=20))
def test_splitting_loses_no_word(words: list[str]) -> None:
    assert " ".join(split_sentences(" ".join(words))).split() == words
