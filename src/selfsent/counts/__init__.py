"""Statistics of a corpus: token frequencies, co-occurrences, topics, spelling."""
