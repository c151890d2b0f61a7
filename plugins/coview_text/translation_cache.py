"""Translations kept on disk: made once, in batches, and read by any number of loader processes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path


class TranslationCache:
    """Texts to their translations, for one engine, model and direction.

    Args:
        path: The database, which all engines and directions share; made when first written to.
        direction: Engine, model and languages: what makes a translation another one.
    """

    def __init__(self, path: Path, direction: str) -> None:
        self._path = path
        self._direction = direction
        self._reader: tuple[int, sqlite3.Connection] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_reader": None}

    def get(self, text: str) -> str | None:
        """The translation, if it has been made and kept whole."""
        connection = self._connection()
        if connection is None:
            return None
        try:
            row = connection.execute("SELECT text FROM translations WHERE key = ?", (self._key(text),)).fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise
            self._reader = None  # damaged, or empty: what is added next makes it anew
            return None
        return None if row is None else str(row[0])

    def add(self, translations: Mapping[str, str]) -> None:
        """Keeps translations, all of them or none, at once. A database that is damaged is made anew."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write(translations)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._reader = None
            self._path.unlink()
            self._write(translations)

    def _write(self, translations: Mapping[str, str]) -> None:
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            with connection:
                connection.execute("CREATE TABLE IF NOT EXISTS translations (key BLOB PRIMARY KEY, text TEXT NOT NULL)")
                connection.executemany(
                    "INSERT OR REPLACE INTO translations VALUES (?, ?)",
                    [(self._key(text), translation) for text, translation in translations.items()],
                )
        finally:
            connection.close()

    def _connection(self) -> sqlite3.Connection | None:
        # a connection must not be carried into a forked process
        if self._reader is None or self._reader[0] != os.getpid():
            if not self._path.is_file():
                return None
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._reader = os.getpid(), sqlite3.connect(uri, uri=True, timeout=60, check_same_thread=False)
        return self._reader[1]

    def _key(self, text: str) -> bytes:
        return hashlib.blake2b(f"{self._direction}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()
