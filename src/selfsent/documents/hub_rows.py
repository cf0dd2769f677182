"""Rows of a data set of the Hugging Face hub as documents."""

from collections.abc import Callable, Iterator

from selfsent.data.hub import hub_records
from selfsent.documents.document import Document
from selfsent.documents.file_reader import FileOptions, read_table
from selfsent.documents.reading import Reading
from selfsent.documents.skipped import UnreadableError
from selfsent.errors import UserError


def hub_documents(spec: str, options: FileOptions) -> Callable[[Reading], Iterator[Document]]:
    """Open a data set of the hub.

    Args:
        spec: ``hf:NAME[:config][:split]``.
        options: Columns that hold the text, and those that are kept.

    Raises:
        UserError: It does not exist or cannot be reached; while iterating also that its columns are not known.
    """
    records = hub_records(spec)

    def read(reading: Reading) -> Iterator[Document]:
        try:
            with reading.progress(None) as progress:
                for document in read_table(lambda: records(None), spec.removeprefix("hf:"), options, reading):
                    progress.update()
                    yield document
        except UnreadableError as error:
            raise UserError(f"{spec}: {error}") from error

    return read
