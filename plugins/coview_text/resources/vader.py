"""Snippets whose valence twenty people have judged, from the source archive of VADER."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import coview

FILES = {
    "tweets": "tweets_GroundTruth.txt",
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
    "news": "nytEditorialSnippets_GroundTruth.txt",
}
"""Kind of snippet to its file."""

_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"


def fetch(folder: Path) -> None:
    """Writes one file for each kind of snippet."""
    sdist = coview.pypi_file(
        "vaderSentiment==3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        sdist=True,
    )
    with sdist as path, tarfile.open(path) as outer:
        inner = io.BytesIO(_read(outer, _INNER))
    with tarfile.open(fileobj=inner) as archive:
        for kind, name in FILES.items():
            (folder / f"{kind}.tsv").write_bytes(_read(archive, f"hutto_ICWSM_2014/{name}"))


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, "the archive's hash has been checked, and it has this file"
    return file.read()
