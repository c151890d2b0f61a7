"""Builds packages into wheels and installs these into a folder, as a stranger's package reaches a user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_BUILD = """
import os, sys
from hatchling.build import build_wheel
for folder in sys.argv[2:]:
    os.chdir(folder)
    build_wheel(sys.argv[1])
"""
_PIP = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")


def install_wheels(packages: Sequence[Path], root: Path) -> Path:
    """The folder below ``root`` into which pip has installed the wheels of some packages, without what these need.

    Args:
        packages: Their folders; hatchling writes into them.
        root: An existing folder.
    """
    wheels, target = root / "wheels", root / "installed"
    subprocess.run([sys.executable, "-c", _BUILD, wheels, *packages], check=True, capture_output=True)
    built = sorted(wheels.glob("*.whl"))
    subprocess.run([sys.executable, *_PIP, "--target", target, *built], check=True, capture_output=True)
    return target
