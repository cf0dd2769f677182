"""``selfsent build``: documents in, a search with measured quality out."""

from selfsent.document_build.build_request import BuildRequest
from selfsent.document_build.starting import build

__all__ = ["BuildRequest", "build"]
