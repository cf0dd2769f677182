"""A report as a service shows it."""

import json

from selfsent.serving.shown_report import shown_report


def test_of_places_on_the_disk_the_names_are_left(tmp_path):
    build = tmp_path / "my & notes"
    build.mkdir()
    source = tmp_path / "papers"
    report = {
        "source": str(source),
        "paths": {"model": str(build / "model"), "page": str(build / "report.html")},
    }
    (build / "report.json").write_text(json.dumps(report), "utf8")
    page = f"<p>{source}, {tmp_path}/my &amp; notes/model, {tmp_path}/my &amp; notes; docs/guide</p>"
    (build / "report.html").write_text(page, "utf8")
    shown = shown_report(build / "report.html", show_paths=False).decode()
    assert str(tmp_path) not in shown
    assert shown == "<p>papers, model, my &amp; notes; docs/guide</p>"
    assert shown_report(build / "report.html", show_paths=True).decode() == page


def test_a_report_of_which_nothing_else_is_known_is_shown(tmp_path):
    (tmp_path / "report.html").write_text(f"<p>{tmp_path}</p>", "utf8")
    (tmp_path / "report.json").write_text("[]", "utf8")
    assert str(tmp_path) not in shown_report(tmp_path / "report.html", show_paths=False).decode()
