"""The main job: a person's documents in, a measured search out."""

from selfsent.document_build.building import BuildRequest, build

__all__ = ["BuildRequest", "build"]
