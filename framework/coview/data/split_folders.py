"""Folders that are splits by their name: one rule for pictures, texts and sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coview.errors import CoviewError, few

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Split to the names that its folder may have, in small letters or capitals."""


@dataclass(frozen=True)
class SplitFolders:
    """The subfolders of a folder that are splits.

    Attributes:
        of_split: Split to the name of its subfolder, with "train" and "test" always among them.
        beside: Other subfolders, which belong to no split.
    """

    of_split: dict[str, str]
    beside: Sequence[str] = ()

    @property
    def said(self) -> str:
        """Which folder is which split."""
        listed = ", ".join(f"{name}/ ({split})" for split, name in self.of_split.items())
        others = f"; left out: {few([f'{name}/' for name in self.beside])}" if self.beside else ""
        return f"the splits are the folder's own: {listed}{others}"


def find_split_folders(root: Path, what: str) -> SplitFolders | None:
    """The splits that a folder has as subfolders; None where its subfolders are no splits, but classes.

    ``train`` with a ``test`` is a split, and a validation folder beside them is the split ``validation``; without a
    ``test`` it is what is tested on. ``train`` among other names is a class (of vehicles, say).

    Args:
        root: The folder.
        what: What messages call it.

    Raises:
        CoviewError: If two folders are of one split, or one to be tested on lies there without one to train on.
    """
    folders = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith(".") and entry.is_dir())
    found = {split: [name for name in folders if name.lower() in names] for split, names in NAMES.items()}
    named = {name for names in found.values() for name in names}
    others = [name for name in folders if name not in named]
    held_out = found["test"] or found["validation"]
    if not held_out:
        if found["train"] and not others:
            raise CoviewError(
                f"{what} has the split {found['train'][0]}/ alone, and nothing to test on",
                hint=f"add test/, or give {root / found['train'][0]}, of which a share is held out",
            )
        return None
    if not found["train"]:
        if found["test"] or not others:
            raise CoviewError(
                f"{what} has {held_out[0]}/ and no train/: it is not clear what to train on",
                hint=f"rename the folder to train on to train/, or give {root / held_out[0]} to train on a part of it "
                "and test on the rest; a class needs another name",
            )
        return None
    for split, names in found.items():
        if len(names) > 1:
            raise CoviewError(f"{what} has {' and '.join(f'{name}/' for name in names)}: both are the {split} split")
    of_split = {"train": found["train"][0], "test": held_out[0]}
    if found["test"] and found["validation"]:
        of_split["validation"] = found["validation"][0]
    return SplitFolders(of_split, others)
