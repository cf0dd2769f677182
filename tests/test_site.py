"""The documentation site's own tools: what is put into pages, formulas, the check of links. `make check` builds it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("latex2mathml")

from tools.site.blocks import included
from tools.site.formulas import with_mathml
from tools.site.links import problems_of
from tools.site.pages import ROOT, assemble, drawn_in_page, sources

from selfsent import losses
from selfsent.methods import METHODS


def pages_of(nav: Any) -> list[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_of(part)]


def test_every_page_is_in_the_navigation_once_and_there_are_forty():
    config = tomllib.loads((ROOT / "zensical.toml").read_text("utf8"))
    named = pages_of(config["project"]["nav"])
    assert sorted(named) == sorted(sources())
    assert len(named) >= 40


def test_pages_are_assembled_without_a_dead_link_or_an_unfilled_include(tmp_path: Path):
    assemble(tmp_path)
    texts = {path.relative_to(tmp_path).as_posix(): path.read_text("utf8") for path in tmp_path.rglob("*.md")}
    assert {name for name in texts if not name.startswith("files/")} == set(sources())
    assert [name for name, text in texts.items() if "<!-- include" in text] == []
    assert "examples/sct.py" in texts["methods/sct.md"]
    assert "| sct | 3 | 67.41" in texts["methods/sct.md"]


def test_every_method_and_every_loss_has_its_place():
    methods = "".join(path.read_text("utf8") for path in (ROOT / "docs" / "methods").glob("*.md"))
    shown = {method.config for name, method in METHODS.items() if f"options {name} " in methods}
    assert [name for name, method in METHODS.items() if method.config not in shown] == []
    page = (ROOT / "docs" / "losses.md").read_text("utf8")
    assert [name for name in losses.__all__ if page.count(f"selfsent.losses.{name}") < 2] == []


def test_every_example_is_shown():
    pages = "".join(path.read_text("utf8") for path in (ROOT / "docs").rglob("*.md"))
    examples = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert {name for name in examples if not re.search(rf"(\[|\$ python )examples/{name}", pages)} == set()


def test_a_link_alone_to_a_file_becomes_the_file_and_one_in_a_sentence_stays(tmp_path: Path):
    found = {path: path.read_text("utf8") for path in (ROOT / "docs" / "guides").glob("*.md")}
    assemble(tmp_path)
    page = (tmp_path / "guides" / "own-script.md").read_text("utf8")
    assert '```python title="examples/loss_in_your_script.py"' in page
    assert "](../../examples/loss_in_your_script.py)" in found[ROOT / "docs" / "guides" / "own-script.md"]
    assert "(../../examples/" not in page


@pytest.mark.parametrize(
    "wrong", ["file examples/absent.py", "table results/sct-wiki/table.md columns=absent", "methdos", "options sctt"]
)
def test_an_include_that_leads_nowhere_ends_the_build(wrong: str):
    with pytest.raises(SystemExit, match="include: "):
        included(wrong)


def test_a_table_is_cut_to_the_columns_and_rows_that_are_asked_for():
    made = included("table results/sct-wiki/table.md columns=run,sts7 rows=delete-20 names=view,score")
    assert "| view | score |\n| --- | --- |\n| delete-20 | 57.69 |" in made


def test_formulas_become_mathml_and_code_stays():
    made = with_mathml("a $`x_i * y`$ b\n\n$$\n\\frac{1}{2}\n$$\n\n```\n$`x`$\n```\n")
    assert "<mfrac>" in made
    assert '<span class="inline-formula"><math' in made
    assert made.endswith("```\n$`x`$\n```\n")
    assert "*" not in made.partition("```")[0]


def test_a_drawing_in_a_page_has_no_style_of_its_own(tmp_path: Path):
    made = drawn_in_page(ROOT / "docs" / "pictures" / "tree.svg", 'a "tree"')
    assert "<style>" not in made
    assert "currentColor" in made
    assert 'aria-label="a &quot;tree&quot;"' in made


def test_dead_links_and_anchors_and_assets_of_other_hosts_are_found(tmp_path: Path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#here">x</a><a href="https://example.org">x</a><img src="p.png">', "utf8"
    )
    (tmp_path / "b.html").write_text(
        '<p id="here"><a href="a.html#gone">x</a><a href="c.html">x</a>'
        '<script src="https://cdn.example.org/a.js"></script><link rel="canonical" href="https://example.org/b">',
        "utf8",
    )
    (tmp_path / "p.png").touch()
    assert problems_of(tmp_path) == [
        "b.html: loads https://cdn.example.org/a.js from another host",
        "b.html: a.html#gone leads nowhere",
        "b.html: c.html leads nowhere",
    ]
