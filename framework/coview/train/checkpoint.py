"""Checkpoints: written beside, synced and renamed, so that a kill at any moment leaves the ones before it whole.

``checkpoints/step-N/`` holds ``weights.safetensors`` (model and loss, parameters and buffers), ``state.pt`` (optimiser
and loop; loads with ``weights_only=True``) and ``manifest.json`` (size and SHA-256 of both, and its own).
``last`` and ``best`` are links to one of them: ``best`` to the one of the best score where there are scores, else to
the one of the lowest training loss.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from coview.data.disk_error import disk_error
from coview.data.json_object import read_json_object
from coview.errors import CoviewError

_DAMAGED = (OSError, ValueError, KeyError, TypeError, RecursionError)
"""What reading a manifest may raise, whatever it says."""

_WEIGHTS, _STATE, _MANIFEST = "weights.safetensors", "state.pt", "manifest.json"


@dataclass(frozen=True)
class Score:
    """What a checkpoint is worth by a curve.

    Attributes:
        metric: The curve.
        value: Its point at the checkpoint's step.
        better: Whether a higher value or a lower one is better.
    """

    metric: str
    value: float
    better: Literal["higher", "lower"]

    @property
    def rank(self) -> float:
        """The smaller, the better."""
        return self.value if self.better == "lower" else -self.value


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk.

    Attributes:
        path: ``step-N``.
        step: Optimiser steps taken.
        loss: Mean training loss since the checkpoint before it.
        score: By the curve that checkpoints are kept by, where it has a point at the step.
    """

    path: Path
    step: int
    loss: float
    score: Score | None = None

    def load_weights(self, modules: nn.Module) -> None:
        """Puts the weights into modules of the same structure."""
        load_model(modules, self.path / _WEIGHTS)

    def load_state(self) -> dict[str, Any]:
        """The state of the optimiser and the loop."""
        state: dict[str, Any] = torch.load(self.path / _STATE, map_location="cpu", weights_only=True)
        return state


def save_checkpoint(
    folder: Path,
    step: int,
    loss: float,
    modules: nn.Module,
    state: Mapping[str, Any],
    *,
    keep: int,
    keep_best: str | None = None,
    score: Score | None = None,
) -> Checkpoint:
    """Writes a checkpoint, points ``last`` (and ``best``, if it is the best) at it, and removes old ones.

    Args:
        folder: ``checkpoints/``.
        step: Optimiser steps taken.
        loss: Mean training loss since the checkpoint before it.
        modules: Whose weights and buffers are written.
        state: What else is needed to go on.
        keep: Latest checkpoints to keep, besides the one of the lowest loss and the one of the best score.
        keep_best: The curve by which a score counts; absent: none does.
        score: What this one is worth by it, where that was measured.

    Raises:
        CoviewError: If the disk refuses (full, read-only, over quota); nothing half-written stays.
    """
    beside = folder / f".tmp-{step}"
    final = folder / f"step-{step}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_half_written(folder)
        beside.mkdir()
        _write(beside, step, loss, modules, state, score)
        _remove(final)
        beside.rename(final)
        _sync(folder)
        checkpoint = Checkpoint(final, step, loss, score)
        _point(folder / "last", final)
        # one of a later step is a damaged one that this run has passed over
        known = sorted((c for c in _listed(folder) if c.step <= step), key=lambda c: c.step)
        lowest = min((c for c in known if c.loss == c.loss), key=lambda c: (c.loss, c.step), default=checkpoint)
        best = best_by(folder, keep_best, step) or lowest
        _point(folder / "best", best.path)
        for old in known[:-keep]:
            if old.path not in (best.path, lowest.path):
                _remove(old.path)
    except Exception as error:
        shutil.rmtree(beside, ignore_errors=True)
        refused = disk_error(error)
        if refused is None:
            raise
        raise CoviewError(
            f"the checkpoint of step {step} could not be written to {folder}: {refused.strerror or refused}; "
            f"{last_good(folder)}",
            hint="make room, then go on with --resume",
        ) from error
    return checkpoint


def best_by(folder: Path, metric: str | None, step: int) -> Checkpoint | None:
    """The checkpoint with the best point of a curve, the earliest of equals; None if none has one.

    Args:
        folder: ``checkpoints/``.
        metric: The curve; None: none.
        step: Only checkpoints up to this step count.
    """
    scored = [(c.score.rank, c.step, c) for c in _listed(folder) if c.score is not None and c.step <= step
              and c.score.metric == metric]  # fmt: skip
    return min(scored, key=lambda found: found[:2])[2] if scored else None


def remove_half_written(folder: Path) -> None:
    """Removes what a process that was killed has begun, or begun to remove. Only who writes the run may ask for it."""
    for path in folder.glob(".tmp-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def whole_checkpoints(folder: Path, damaged: list[str] | None = None) -> Iterator[Checkpoint]:
    """The checkpoints whose files are all there and unchanged, the latest first.

    Args:
        folder: ``checkpoints/``.
        damaged: Gets a line for each that is not whole.
    """
    for step in sorted(_steps(folder), reverse=True):
        path = folder / f"step-{step}"
        try:
            yield _verified(path)
        except _DAMAGED as error:
            if damaged is not None and path.exists():  # else the process that trains has taken it away
                damaged.append(f"{path}: {error}")


def load_latest(folder: Path, modules: nn.Module, damaged: list[str]) -> Checkpoint | None:
    """Puts the weights of the latest complete checkpoint into modules, for who does not hold the run.

    The process that trains may take a checkpoint away while it is read: there is a later one then.

    Args:
        folder: ``checkpoints/``.
        modules: Of the same structure.
        damaged: Gets a line for each that is not whole.

    Returns:
        The checkpoint; None if there is no whole one.
    """
    while True:
        seen, lines = _steps(folder), list[str]()
        checkpoint = next(whole_checkpoints(folder, lines), None)
        if checkpoint is None and _steps(folder) - seen:
            continue
        if checkpoint is not None:
            try:
                checkpoint.load_weights(modules)
            except (OSError, SafetensorError):
                if checkpoint.path.exists():
                    raise
                continue
        damaged += lines
        return checkpoint


def checkpoint_at(path: Path) -> tuple[Path, dict[str, Tensor]]:
    """The weights of a checkpoint that somebody names: its folder, or the file of weights in it.

    Returns:
        The checkpoint's folder, links followed, and what :func:`tensors_of` gives.

    Raises:
        CoviewError: If it is none, or not whole.
    """
    folder = path.resolve()
    folder = folder.parent if folder.name == _WEIGHTS else folder
    if not os.path.lexists(path):
        raise CoviewError(f"{path}: there is no such file or folder")
    if not (folder / _MANIFEST).is_file():
        raise CoviewError(
            f"{path} is not a checkpoint of a run",
            hint="one is a folder such as runs/NAME/STAMP-HASH/checkpoints/step-100",
        )
    try:
        _verified(folder)
    except _DAMAGED as error:
        raise CoviewError(f"{path} is not a complete checkpoint: {error}") from error
    return folder, tensors_of(folder)


def tensors_of(checkpoint: Path) -> dict[str, Tensor]:
    """Everything that the weights of a complete checkpoint hold, by name; a tensor of two names by both."""
    with safe_open(checkpoint / _WEIGHTS, framework="pt") as opened:
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
        shared = opened.metadata() or {}  # safetensors notes there which name stands for which
    return found | {name: found[other] for name, other in shared.items() if other in found}


def load_step(folder: Path, step: int, modules: nn.Module) -> Checkpoint:
    """Puts the weights of one checkpoint into modules of the same structure.

    Raises:
        CoviewError: If it is damaged, or is not kept, with those that are.
    """
    path = folder / f"step-{step}"
    try:
        checkpoint = _verified(path)
        checkpoint.load_weights(modules)
    except (*_DAMAGED, SafetensorError) as error:
        if path.exists():
            raise CoviewError(f"{path} is damaged: {error}") from error
        raise _not_kept(folder, step) from error
    return checkpoint


def best_step(folder: Path, keep_best: str | None) -> int:
    """The step of the best checkpoint by a curve.

    Raises:
        CoviewError: If no checkpoint is kept by one.
    """
    best = best_by(folder, keep_best, max(_steps(folder), default=0))
    if best is None:
        why = f"no checkpoint has a point of {keep_best}" if keep_best else "the recipe has no train.keep_best"
        raise CoviewError(f"there is no best checkpoint in {folder}: {why}", hint=_kept(folder))
    return best.step


def check_kept(folder: Path, step: int) -> None:
    """Raises :class:`CoviewError` if there is no checkpoint of a step, with those that there are."""
    if step not in _steps(folder):
        raise _not_kept(folder, step)


def _not_kept(folder: Path, step: int) -> CoviewError:
    return CoviewError(f"the checkpoint of step {step:,} is not kept in {folder}", hint=_kept(folder))


def _kept(folder: Path) -> str:
    steps = ", ".join(map(str, sorted(_steps(folder))))
    return f"kept are the steps {steps}; train.keep says how many of the latest are" if steps else "none is kept"


def last_good(folder: Path) -> str:
    """What is left to go on from, in words."""
    before = next(whole_checkpoints(folder), None)
    return f"the last good checkpoint is step {before.step:,}" if before else "there is no checkpoint before it"


def _write(
    folder: Path, step: int, loss: float, modules: nn.Module, state: Mapping[str, Any], score: Score | None
) -> None:
    save_model(modules, str(folder / _WEIGHTS))
    with (folder / _STATE).open("wb") as file:
        torch.save({**state, "step": step}, file)
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
             for name in (_WEIGHTS, _STATE)}  # fmt: skip
    manifest: dict[str, Any] = {"step": step, "loss": loss if math.isfinite(loss) else None, "files": files}
    if score is not None:
        manifest["score"] = asdict(score)
    manifest["sha256"] = _digest(manifest)
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n")
    for name in (_WEIGHTS, _STATE, _MANIFEST, "."):
        _sync(folder / name)


def _verified(path: Path) -> Checkpoint:
    """The checkpoint in a folder, every byte of it looked at.

    Raises:
        OSError, ValueError: If it is not what :func:`save_checkpoint` has written.
    """
    manifest = _manifest(path)
    for name in (_WEIGHTS, _STATE):
        expected = manifest["files"][name]
        size = (path / name).stat().st_size
        if size != expected["bytes"]:
            raise ValueError(f"{name} has {size:,} bytes of {expected['bytes']:,}")
        if _sha256(path / name) != expected["sha256"]:
            raise ValueError(f"{name} has been changed or is damaged")
    return _described(path, manifest)


def _steps(folder: Path) -> set[int]:
    """Those that there is a folder of."""
    found = (re.fullmatch(r"step-(\d+)", path.name) for path in (folder.iterdir() if folder.is_dir() else ()))
    return {int(match[1]) for match in found if match}


def _listed(folder: Path) -> Iterator[Checkpoint]:
    """All checkpoints with a whole manifest; their other files are not looked at."""
    for path in folder.glob("step-*"):
        with suppress(*_DAMAGED):
            yield _described(path, _manifest(path))


def _manifest(path: Path) -> dict[str, Any]:
    """What the manifest in a folder says, which its own digest vouches for: whoever has that right wrote the rest."""
    try:
        manifest = read_json_object(path / _MANIFEST)
    except ValueError as error:
        raise ValueError(f"{_MANIFEST} is damaged: {error}") from error
    if manifest.pop("sha256", None) != _digest(manifest):
        raise ValueError(f"{_MANIFEST} has been changed or is damaged")
    if path.name != f"step-{manifest['step']}":
        raise ValueError(f"{_MANIFEST} is of step {manifest['step']}")
    return manifest


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _described(path: Path, manifest: Mapping[str, Any]) -> Checkpoint:
    loss, score = manifest["loss"], manifest.get("score")
    scored = None if score is None else Score(score["metric"], score["value"], score["better"])
    return Checkpoint(path, manifest["step"], math.nan if loss is None else loss, scored)


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
        _remove(link)
    beside.replace(link)


def _remove(path: Path) -> None:
    """Takes a checkpoint away at once, so that a kill leaves no half of it under its name."""
    if path.exists():
        beside = path.with_name(f".tmp-old-{path.name}")
        shutil.rmtree(beside, ignore_errors=True)
        path.rename(beside)
        shutil.rmtree(beside, ignore_errors=True)
