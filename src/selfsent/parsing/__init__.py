"""Corpora with their parses: read from treebanks, or made by a parser."""
