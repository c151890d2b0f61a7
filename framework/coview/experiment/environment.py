"""What a run ran on, written beside its results."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from coview import __version__
from coview.data.atomic import write_atomically
from coview.data.json_object import read_json_object
from coview.plugins.registry import Registry

_LIBRARIES = ("torch", "torchvision", "torchaudio", "numpy", "scipy", "scikit-learn", "accelerate", "safetensors",
              "albumentations", "opencv-python-headless", "pillow", "timm", "transformers", "tensorboard")  # fmt: skip


def describe_environment(
    registry: Registry, code: Mapping[str, str], *, device: Any, precision: str, ranks: int
) -> dict[str, Any]:
    """Versions, git revision and dirty flag, device, ranks, command line, and the code of every component."""
    return {
        "coview": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "started": now(),
        "ended": None,  # when its numbers were there
        "finished": None,  # when everything was
        "device": device_name(device),
        "precision": precision,
        "ranks": ranks,
        "command": sys.argv,
        "git": _git(),
        "libraries": library_versions(),
        "code": dict(code),
        "plugins": {p.name: f"{p.distribution} {p.version}" for p in registry.plugins if p.status == "ok"},
    }


def write_environment(path: Path, environment: Mapping[str, Any]) -> None:
    """Writes ``environment.json``."""
    write_atomically(path, json.dumps(environment, indent=1, ensure_ascii=False) + "\n")


def read_environment(path: Path) -> dict[str, Any] | None:
    """What ``environment.json`` says; None if it is lost or damaged."""
    try:
        return read_json_object(path)
    except (OSError, ValueError):
        return None


def library_versions() -> dict[str, str]:
    """The installed versions of what a result can depend on."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def device_name(device: Any) -> str:
    """The device in words: the card's name, or the CPU's and its threads."""
    import torch  # torch costs start-up time

    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    if device.type == "cpu":
        name = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
        threads = torch.get_num_threads()
        return f"{name}, {threads} thread{'s' if threads > 1 else ''} (cpu)"
    return str(device.type)


def now() -> str:
    """The time, to the second, with its zone."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git() -> dict[str, Any] | None:
    """The revision of the working folder, where it is a git checkout."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"revision": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
