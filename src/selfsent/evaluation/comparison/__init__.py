"""Runs side by side: a table, a page, plots."""
