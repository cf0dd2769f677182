"""Tree arrays, builders, bracketed forms and drawings."""
