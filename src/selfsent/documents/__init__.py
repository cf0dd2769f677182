"""Files, tables and docstrings as documents, and documents as passages."""

from selfsent.documents.document import Document, Heading
from selfsent.documents.documents import Documents, Unit, open_documents
from selfsent.documents.passages import Passage, passages
from selfsent.documents.skipped import REASONS, Reason, Skipped

__all__ = [
    "REASONS",
    "Document",
    "Documents",
    "Heading",
    "Passage",
    "Reason",
    "Skipped",
    "Unit",
    "open_documents",
    "passages",
]
