"""Embedded splits as they are kept, in a run's folder or for as long as they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from coview.evaluate.embedding import Embedded, kept_of, read_embedded, write_embedded
from coview.experiment.changed_data import data_of_features


@dataclass
class KeptFeatures:
    """What was embedded of one data set.

    Attributes:
        folder: Where it is kept; None: in memory.
        data: What the data is called.
        say: Gets a line where the data have changed.
    """

    folder: Path | None
    data: str
    say: Callable[[str], None]
    _in_memory: dict[tuple[str, str], tuple[Mapping[str, Any], Embedded]] = field(default_factory=dict)
    _changes_said: set[str] = field(default_factory=set)

    def get(self, folder: str, name: str, of: Mapping[str, Any], make: Callable[[], Embedded]) -> Embedded:
        """What is there, or else is made, and kept.

        Args:
            folder: Of one kind of features.
            name: Of the split.
            of: What it has to be of.
            make: Embeds it.
        """
        there = self.there(folder, name, of)
        if there is not None:
            return there
        if self.folder is None:
            made = make()
            self._in_memory[folder, name] = of, made
            return made
        path = self.folder / folder / f"{name}.safetensors"
        self._say_change(of, path)
        made = make()
        write_embedded(path, made, dict(of))
        return made

    def there(self, folder: str, name: str, of: Mapping[str, Any], *, bare: bool = False) -> Embedded | None:
        """What is kept, if it is of the same; bare: from a file without its representations."""
        if self.folder is not None:
            return read_embedded(self.folder / folder / f"{name}.safetensors", dict(of), bare=bare)
        was_of, embedded = self._in_memory.get((folder, name), (None, None))
        return embedded if was_of == of else None

    def _say_change(self, of: Mapping[str, Any], path: Path) -> None:
        """Says once of each change that features of other content are not used."""
        change = data_of_features(of, kept_of(path), path)
        if change and of["version"] not in self._changes_said:
            self._changes_said.add(of["version"])
            self.say(
                f'warning: the data "{self.data}" have changed since their features were made: {change}. '
                "They are embedded again, and the numbers are of the data as they are now"
            )


def said_of_rows(rows: np.ndarray | None) -> dict[str, str]:
    """What is kept of some rows, in terms of what it is of; nothing of whole splits."""
    return {} if rows is None else {"only": hashlib.sha256(rows.astype(np.int64).tobytes()).hexdigest()}
