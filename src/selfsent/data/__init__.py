"""Where texts come from: sources of every format, the embedded corpus, tokenizers."""
