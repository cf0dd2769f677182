"""The objectives: pure functions in ``functional``, one loss a file."""
