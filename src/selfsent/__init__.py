"""Learn sentence embeddings from raw text alone, and search with them."""
