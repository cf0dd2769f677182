"""What a corpus is counted for: token frequencies, co-occurrences, topics, spelling."""
