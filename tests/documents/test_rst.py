from selfsent.documents.document import Document
from selfsent.documents.rst import read_rst

FILE = """.. _target:

=====
Title
=====

Intro with :func:`~a.foo` and ``code``. See
`the link <http://x>`_::

    x = 1

    y = 2

Section
-------

.. note:: Be careful
   with this.

   .. code-block:: python
      :linenos:

      print(1)

   After.

.. image:: x.png
   :alt: a picture

- item one
  goes on
- item two

:Author: Ann
:orphan:

>>> 1 + 1
2

+---+----+
| a | bc |
+===+====+
| 1 | 2  |
+---+----+

.. a comment
   of two lines

Sub
~~~

====  ===
Col   Two
====  ===
x     y z
====  ===

.. [1] A footnote.

Last
words
"""


def read(text: str) -> Document:
    return read_rst(text.encode()).document(id="a.rst", file="a.rst")


def test_restructuredtext_is_text_without_marks() -> None:
    assert read(FILE).title == "Title"
    assert read(FILE).text.split("\n\n") == [
        "Intro with a.foo and code. See\nthe link:",
        "x = 1",
        "y = 2",
        "Section",
        "Be careful\nwith this.",
        "print(1)",
        "After.",
        "item one\ngoes on",
        "item two",
        "Author: Ann",
        ">>> 1 + 1\n2",
        "a\tbc\n1\t2",
        "Sub",
        "Col\tTwo\nx\ty z",
        "A footnote.",
        "Last\nwords",
    ]


def test_headings_have_the_level_of_their_underline() -> None:
    document = read(FILE)
    assert [(document.text[one.start : one.end], one.level) for one in document.headings] == [
        ("Section", 2),
        ("Sub", 3),
    ]


def test_blocks_of_code_are_known() -> None:
    document = read(FILE)
    spans = [document.text[start:end] for start, end in document.code_spans]
    assert spans == ["x = 1\n\ny = 2", "print(1)", ">>> 1 + 1\n2"]


def test_each_place_knows_its_line_in_the_file() -> None:
    document = read(FILE)
    lines = FILE.splitlines()
    for word in (
        "Intro",
        "the link",
        "x = 1",
        "y = 2",
        "Section",
        "with this",
        "print",
        "item two",
        "bc",
        "Last",
        "words",
    ):
        assert word in lines[document.line_at(document.text.index(word)) - 1], word


def test_a_directive_nobody_knows_is_text() -> None:
    assert read(".. something:: Read\n   :option: x\n\n   this.\n").text == "Read\n\nthis."


def test_two_dots_alone_do_not_swallow_what_follows() -> None:
    assert read("a\n\n..\n\n  b").text == "a\n\nb"
    assert read("a\n\n..\n  b").text == "a"
