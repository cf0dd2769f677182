"""A store of texts and vectors on disk, and queries on it."""
