"""Tree arrays, builders and entangled graphs."""
