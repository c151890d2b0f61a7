"""The floors in pyproject.toml: written down once more for ``make test-lowest``, and safe where safety rests on them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def floors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    found = (re.match(r"([A-Za-z0-9._-]+)(\[[^]]*\])?\s*(>=|==)\s*([0-9.]+)", line) for line in listed)
    return {match[1]: match[4] for match in found if match}


def test_the_lowest_constraints_are_the_floors():
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    assert dict(line.split("==") for line in lines if not line.startswith("#")) == floors()


def test_no_dependency_is_without_a_floor():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    assert [line for line in listed if not line.startswith("coview[") and not re.search(r">=|==", line)] == []


@pytest.fixture
def oldest(tmp_path):
    """Runs a script with the oldest release of a package that is admitted."""

    def run(package, script, *arguments):
        target = tmp_path / "site"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
        installed = subprocess.run([*command, f"{package}=={floors()[package]}"], capture_output=True, text=True)
        if installed.returncode:
            pytest.skip(f"pip cannot install it: {installed.stderr[-200:]}")
        return subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(target), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.slow
def test_the_oldest_sentence_transformers_runs_no_code_of_a_folder_unasked(oldest, tmp_path):
    """By itself: coview looks into the folder before."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'EXECUTED')!r}, 'w')")
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]))
    (folder / "config_sentence_transformers.json").write_text("{}")
    script = "import sys, sentence_transformers as s; print(s.__version__); s.SentenceTransformer(sys.argv[1])"
    done = oldest("sentence-transformers", script, folder)
    assert done.stdout.strip().startswith(floors()["sentence-transformers"])
    assert "trust_remote_code" in done.stderr
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["FileLock", "SoftFileLock"])
def test_the_oldest_filelock_follows_no_link(oldest, tmp_path, kind):
    (tmp_path / "precious").write_text("content")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    script = (
        "import sys, filelock as f; print(f.__version__); getattr(f, sys.argv[1])(sys.argv[2], timeout=1).acquire()"
    )
    done = oldest("filelock", script, kind, tmp_path / ".lock")
    assert done.stdout.strip() == floors()["filelock"]
    assert done.returncode != 0
    assert (tmp_path / "precious").read_text() == "content"
