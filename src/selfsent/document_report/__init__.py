"""The report of a build: a page that opens anywhere, with a map of the corpus, and the same in the terminal."""

from selfsent.document_report.corpus_map import corpus_map
from selfsent.document_report.page import write_page
from selfsent.document_report.terminal import render

__all__ = ["write_page", "corpus_map", "render"]
