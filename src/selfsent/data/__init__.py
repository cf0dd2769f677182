"""Sources of texts in every format, the embedded corpus, tokenizers."""
