"""The main job: a person's documents in, a measured search out."""

from selfsent.document_build.build_request import BuildRequest
from selfsent.document_build.building import build

__all__ = ["BuildRequest", "build"]
