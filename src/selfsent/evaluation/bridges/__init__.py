"""The suites as the host's evaluators, and the tasks of mteb on the same texts."""
