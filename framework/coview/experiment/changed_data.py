"""Whether the data of a run are still those that it was started with: a file may be replaced in place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from coview.data.dataset import Dataset
from coview.errors import CoviewError
from coview.evaluate.features import FeatureSplit
from coview.experiment.environment import read_environment
from coview.recipe.recipe import Recipe
from coview.track.run_folder import RunFolder


def data_of(recipe: Recipe, dataset: Dataset) -> dict[str, str]:
    """The data that a run trains on, as ``environment.json`` keeps it."""
    return {"use": " + ".join(table.written["use"] for table, _ in recipe.trains_on), "version": dataset.version}


def changed_data(folder: RunFolder, dataset: Dataset) -> str:
    """How the training data differ from those that a run was started with, in words; empty if they do not."""
    return changed_version(folder, dataset.version)


def changed_version(folder: RunFolder, now: str) -> str:
    """The same of the version that the data have now.

    Nothing where the run does not say what they were, as those of earlier versions do not.
    """
    environment: Mapping[str, Any] = read_environment(folder.environment) or {}
    recorded = environment.get("data")
    version = recorded.get("version") if isinstance(recorded, dict) else None
    if version is None or version == now:
        return ""
    return (
        f"the data have changed since {folder.path} was started on {environment.get('started')}: they were "
        f"{version}, and are {now}"
    )


def check_data(folder: RunFolder, dataset: Dataset) -> None:
    """Refuses to go on with a run on other data than it was started with: it would be of neither.

    Raises:
        CoviewError: If they have changed.
    """
    if change := changed_data(folder, dataset):
        raise CoviewError(change, hint="put the data back as they were, or start a new run, without --resume")


def rows_digest(features: FeatureSplit) -> str:
    """Which samples a split has, and what is known of each: ids, labels, scores, groups and judged pairs.

    So another column of labels, or another seed of the split, is another question, whatever the data's version says.
    """
    digest = hashlib.blake2b(digest_size=6)
    for name in ("ids_N", "labels_N", "scores_N", "groups_N", "pairs_P2", "pair_scores_P"):
        column: torch.Tensor | None = getattr(features, name)
        content = b"" if column is None else column.cpu().contiguous().numpy().tobytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def data_of_features(of: Mapping[str, Any], kept: Mapping[str, Any] | None, path: Path) -> str:
    """How the data differ from those that features in a file are of, in words; empty if they do not.

    Args:
        of: What features are wanted of.
        kept: What those in the file are of; None if there is none.
        path: The file.
    """
    if kept is None or kept.get("version") in (None, of["version"]):
        return ""
    made = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return f"they were {kept['version']} on {made}, and are {of['version']}"
