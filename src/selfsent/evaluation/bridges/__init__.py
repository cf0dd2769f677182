"""The suites as evaluators of sentence-transformers, and the tasks of mteb on the same texts."""
