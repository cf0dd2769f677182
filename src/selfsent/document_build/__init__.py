"""The main job: a person's documents in, a measured search out."""

from selfsent.document_build.build import BuildRequest, build

__all__ = ["BuildRequest", "build"]
