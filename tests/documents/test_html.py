from selfsent.documents.document import Document
from selfsent.documents.html import read_html

PAGE = """<!doctype html><html><head><title>Guide &mdash; The Site</title>
<style>p {}</style><script>var x;</script></head>
<body><nav>Home | About</nav><header>The Site</header>
<div role="main"><h1>Guide<a class="headerlink" href="#g">¶</a></h1>
<ul><li><a href="#one">One</a></li><li><a href="#two">Two</a></li><li><a href="#three">Three</a></li></ul>
<p>First <b>bold</b>,\n    and <a href="x">a link</a>.<br>Next&nbsp;line.</p>
<pre>x = 1
    y = 2</pre>
<h2>Part</h2><ul><li>one</li><li>two</li></ul>
<table><tr><th>Key</th><th>Value</th></tr><tr><td><p>a</p></td><td>1</td></tr></table>
<aside>advertisement</aside><p hidden>secret</p><p aria-hidden="true">icon</p>
<div role="navigation">prev next</div></div>
<footer>Copyright</footer></body></html>"""


def read(html: str) -> Document:
    return read_html(html.encode()).document(id="a.html", file="a.html")


def test_a_page_is_its_main_part_without_navigation_scripts_and_footers() -> None:
    document = read(PAGE)
    assert document.title == "Guide"
    assert document.text == (
        "First bold, and a link.\nNext line.\n\nx = 1\n    y = 2\n\nPart\n\none\n\ntwo\n\nKey\tValue\na\t1"
    )
    assert [document.text[start:end] for start, end in document.code_spans] == ["x = 1\n    y = 2"]
    assert [(document.text[one.start : one.end], one.level) for one in document.headings] == [("Part", 2)]


def test_the_title_is_the_pages_where_no_heading_says_it_in_short() -> None:
    document = read("<title>The Site</title><h1>News</h1><p>Text.")
    assert (document.title, document.text) == ("The Site", "News\n\nText.")


def test_the_title_of_a_drawing_is_not_the_pages() -> None:
    assert read("<h1>News</h1><svg><title>icon</title></svg><p>Text.").title == "News"


def test_a_header_inside_an_article_is_text() -> None:
    assert (
        read("<article><header><h1>News</h1><p>By Ann</p></header><p>Text.</article><footer>c").text
        == "By Ann\n\nText."
    )


def test_a_page_that_is_all_boilerplate_is_read_all_the_same() -> None:
    assert read("<body><header><p>All there is.</p></header><script>x</script>").text == "All there is."


def test_a_table_that_only_places_things_is_read_as_paragraphs() -> None:
    document = read("<table><tr><td><h2>Left</h2>one</td><td>two</td></tr></table>")
    assert (document.title, document.text) == ("Left", "one\n\ntwo")


def test_a_list_of_links_elsewhere_is_text() -> None:
    html = "<ul>" + "".join(f"<li><a href='{name}.html'>{name}</a>" for name in ("one", "two", "three")) + "</ul>"
    assert read(html).text == "one\n\ntwo\n\nthree"


def test_a_page_nested_very_deeply_is_read() -> None:
    assert read("<div>" * 20_000 + "deep").text == "deep"


def test_broken_html_is_read_as_browsers_read_it() -> None:
    assert read("<p>one<p>two <b>three</p></i> four").text == "one\n\ntwo three\n\nfour"
