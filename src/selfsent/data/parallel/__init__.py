"""Translations: their formats, filters, sampling and pools."""
