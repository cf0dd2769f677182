"""Translations kept on disk: a killed run continues, and only new texts of a grown corpus are translated."""

import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfsent.errors import UserError

_TABLE = (
    "CREATE TABLE IF NOT EXISTS translations"
    " (translator TEXT, text TEXT, translation TEXT, PRIMARY KEY (translator, text)) WITHOUT ROWID"
)


@dataclass(frozen=True, kw_only=True)
class TranslationCache:
    """A SQLite file of translations by translator and text; translations that were kept survive a kill at any moment.

    Args:
        path: The file. It and its folder are made when something is kept.
    """

    path: Path

    def find(self, translator: str, texts: Iterable[str]) -> dict[str, str]:
        """Give the translations that are there.

        Args:
            translator: The hash of a translator.
            texts: What was translated.

        Raises:
            UserError: The file cannot be read, or is not such a cache.
        """
        query = "SELECT translation FROM translations WHERE translator = ? AND text = ?"
        with self._opened() as connection:
            found = ((text, connection.execute(query, (translator, text)).fetchone()) for text in texts)
            return {text: row[0] for text, row in found if row is not None}

    def keep(self, translator: str, translations: Mapping[str, str]) -> None:
        """Write translations, all of them or, where the process is killed meanwhile, none.

        Args:
            translator: The hash of the translator.
            translations: Text to translation.

        Raises:
            UserError: The file cannot be written.
        """
        rows = [(translator, text, translation) for text, translation in translations.items()]
        with self._opened() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?, ?)", rows)

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute(_TABLE)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"cannot use {self.path} as a cache of translations: {error}; delete it, or name another file"
            ) from error
