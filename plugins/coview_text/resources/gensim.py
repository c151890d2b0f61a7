"""Judged pairs of documents (Lee) and of words (WordSim-353), from the test data in gensim's wheel."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import coview

SOURCE = "gensim 4.4.0"


def fetch_lee(folder: Path) -> None:
    """50 documents, the judgements on each pair of them, and 300 background documents."""
    _fetch(folder, ("lee.cor", "lee_background.cor", "similarities0-1.txt"))


def fetch_wordsim353(folder: Path) -> None:
    """353 judged pairs of words."""
    _fetch(folder, ("wordsim353.tsv",))


def _fetch(folder: Path, names: Sequence[str]) -> None:
    # one build of several with the same data; nothing of it is run
    wheel = coview.pypi_file(
        "gensim==4.4.0",
        sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
        python="3.11",
        platform="manylinux_2_28_x86_64",
    )
    with wheel as path, zipfile.ZipFile(path) as archive:
        for name in names:
            (folder / name).write_bytes(archive.read(f"gensim/test/test_data/{name}"))
