"""The page's files, how the service is, and what can be asked of it."""

import re
from html.parser import HTMLParser

import httpx
import pytest

import selfsent


def test_the_page_and_its_files_are_served_with_what_a_browser_must_know(address):
    page = httpx.get(address)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    names = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
    assert names
    for name in names:
        assert httpx.get(f"{address}/{name}").status_code == 200, name
        assert httpx.get(f"{address}/assets/{name.removeprefix('page/')}").status_code == 200
    assert "javascript" in httpx.get(f"{address}/page/main.js").headers["content-type"]


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "__init__.py", "%2e%2e/app.py"])
def test_no_other_file_is_served(address, name):
    assert httpx.get(f"{address}/page/{name}").status_code == 404


def test_health_and_readiness(address):
    assert httpx.get(f"{address}/health").json() == {"status": "alive"}
    assert httpx.get(f"{address}/ready").json() == {"status": "ready"}


def test_counts_are_those_of_prometheus(address):
    from prometheus_client.parser import text_string_to_metric_families

    httpx.post(f"{address}/search", json={"query": "cat"})
    httpx.get(f"{address}/documents/../../etc/passwd")
    text = httpx.get(f"{address}/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    answered = {(one.labels["endpoint"], one.labels["status"]) for one in families["selfsent_requests"].samples}
    assert ("/search", "200") in answered
    assert "passwd" not in text
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    assert {one.labels["kind"] for one in families["selfsent_waiting_pieces"].samples} >= {"search"}


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"href", "src"}]


def test_the_list_of_endpoints_names_all_of_them_and_no_other_host(address):
    description = httpx.get(f"{address}/openapi.json").json()
    assert description["info"]["version"] == selfsent.__version__
    assert {"/search", "/documents/{document}", "/tree", "/similarity", "/map", "/facts", "/v1/embeddings"} <= set(
        description["paths"]
    )
    text = httpx.get(f"{address}/docs").text
    for path in description["paths"]:
        assert path in text
    parser = _Links()
    parser.feed(text)
    assert parser.links
    assert not [link for link in parser.links if "//" in link]
