"""Checkpoints: written beside, synced and renamed, so that a kill at any moment leaves the ones before it whole.

``checkpoints/step-N/`` holds ``weights.safetensors`` (model and loss, parameters and buffers), ``state.pt`` (optimiser
and loop; loads with ``weights_only=True``) and ``manifest.json`` (sizes and SHA-256 of both). ``last`` and ``best``
are links to one of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from coview.data.atomic import put_folder
from coview.errors import CoviewError

_WEIGHTS, _STATE, _MANIFEST = "weights.safetensors", "state.pt", "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk.

    Attributes:
        path: ``step-N``.
        step: Optimiser steps taken.
        loss: Mean training loss since the checkpoint before it.
    """

    path: Path
    step: int
    loss: float

    def load_weights(self, modules: nn.Module) -> None:
        """Puts the weights into modules of the same structure."""
        load_model(modules, self.path / _WEIGHTS)

    def load_state(self) -> dict[str, Any]:
        """The state of the optimiser and the loop."""
        state: dict[str, Any] = torch.load(self.path / _STATE, map_location="cpu", weights_only=True)
        return state


def save_checkpoint(
    folder: Path, step: int, loss: float, modules: nn.Module, state: Mapping[str, Any], *, keep: int
) -> Checkpoint:
    """Writes a checkpoint, points ``last`` (and ``best``, if its loss is the lowest) at it, and removes old ones.

    Args:
        folder: ``checkpoints/``.
        step: Optimiser steps taken.
        loss: Mean training loss since the checkpoint before it.
        modules: Whose weights and buffers are written.
        state: What else is needed to go on.
        keep: Latest checkpoints to keep, besides the best.

    Raises:
        CoviewError: If the disk refuses (full, read-only, over quota); nothing half-written stays.
    """
    beside = folder / f".tmp-{step}"
    final = folder / f"step-{step}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        _write(beside, step, loss, modules, state)
        put_folder(beside, final)
        _sync(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        if isinstance(error, SafetensorError) and "os error" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise CoviewError(
            f"the checkpoint of step {step} could not be written to {folder}: {reason}; {last_good(folder)}",
            hint="make room, then go on with --resume",
        ) from error
    checkpoint = Checkpoint(final, step, loss)
    _point(folder / "last", final)
    best = min((c for c in _listed(folder) if c.loss == c.loss), key=lambda c: (c.loss, c.step), default=checkpoint)
    _point(folder / "best", best.path)
    for old in sorted(_listed(folder), key=lambda c: c.step)[:-keep]:
        if old.path != best.path:
            shutil.rmtree(old.path, ignore_errors=True)
    return checkpoint


def whole_checkpoints(folder: Path, damaged: list[str] | None = None) -> Iterator[Checkpoint]:
    """The checkpoints whose files are all there and unchanged, the latest first.

    Args:
        folder: ``checkpoints/``.
        damaged: Gets a line for each that is not whole.
    """
    steps = (re.fullmatch(r"step-(\d+)", path.name) for path in (folder.iterdir() if folder.is_dir() else ()))
    for step in sorted((int(found[1]) for found in steps if found), reverse=True):
        path = folder / f"step-{step}"
        try:
            yield _verified(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if damaged is not None:
                damaged.append(f"{path}: {error}")


def last_good(folder: Path) -> str:
    """What is left to go on from, in words."""
    before = next(whole_checkpoints(folder), None)
    return f"the last good checkpoint is step {before.step:,}" if before else "there is no checkpoint before it"


def _write(folder: Path, step: int, loss: float, modules: nn.Module, state: Mapping[str, Any]) -> None:
    save_model(modules, str(folder / _WEIGHTS))
    with (folder / _STATE).open("wb") as file:
        torch.save(dict(state), file)
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
             for name in (_WEIGHTS, _STATE)}  # fmt: skip
    manifest = {"step": step, "loss": loss if loss == loss else None, "files": files}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    for name in (_WEIGHTS, _STATE, _MANIFEST, "."):
        _sync(folder / name)


def _verified(path: Path) -> Checkpoint:
    manifest = json.loads((path / _MANIFEST).read_text())
    for name, expected in manifest["files"].items():
        size = (path / name).stat().st_size
        if size != expected["bytes"]:
            raise ValueError(f"{name} has {size:,} bytes of {expected['bytes']:,}")
        if _sha256(path / name) != expected["sha256"]:
            raise ValueError(f"{name} has been changed or is damaged")
    loss = manifest["loss"]
    return Checkpoint(path, int(manifest["step"]), float("nan") if loss is None else float(loss))


def _listed(folder: Path) -> Iterator[Checkpoint]:
    """All checkpoints with a readable manifest; their other files are not looked at."""
    for path in folder.glob("step-*"):
        try:
            manifest = json.loads((path / _MANIFEST).read_text())
            loss = manifest["loss"]
            yield Checkpoint(path, int(manifest["step"]), float("nan") if loss is None else float(loss))
        except (OSError, ValueError, KeyError):
            continue


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _point(link: Path, target: Path) -> None:
    beside = link.with_name(f".tmp-{link.name}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target.name)
    if link.is_dir() and not link.is_symlink():  # a copy of the run that followed its links
        put_folder(beside, link)
    else:
        beside.replace(link)
