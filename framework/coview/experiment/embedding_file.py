"""Representations in a file, with what is known of each sample: ``.npz``, ``.npy`` with a table beside it, or
``.safetensors``."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from coview.data.atomic import replacing
from coview.data.dataset import Dataset, KnowsGroups, KnowsIds, KnowsLabels
from coview.data.ids import ids_as_int64
from coview.errors import CoviewError
from coview.evaluate.embedding import Embedded

SUFFIXES = (".npz", ".npy", ".safetensors")


@dataclass(frozen=True)
class KnownSamples:
    """What is known of the samples that were embedded, in the order of their representations.

    Attributes:
        ids: As the data set gave them.
        labels_N: int64 places in ``classes``, -1 where a sample has none; None where no sample has one.
        classes: The names of all classes, in the data set's order; empty where it has none.
        groups: As the data set gave them, None where a sample has none; None where no sample has one.
    """

    ids: Sequence[int | str]
    labels_N: np.ndarray | None
    classes: tuple[str, ...]
    groups: Sequence[int | str | None] | None

    @classmethod
    def of(cls, embedded: Embedded, dataset: Dataset) -> KnownSamples:
        """Those of an embedded split. The samples are read once more where the data set does not know their ids ahead:
        what was kept of them are numbers."""
        rows, labels_N = embedded.rows.tolist(), embedded.features.labels_N
        classes = dataset.classes or ()
        groups: Sequence[int | str | None] | None = None
        if _is_known_ahead(dataset, embedded):
            assert isinstance(dataset, KnowsIds)
            known = dataset.ids  # asked once: it may be a property that goes through all rows
            assert known is not None
            ids: list[int | str] = [known[row] for row in rows]
            if isinstance(dataset, KnowsGroups) and (of_rows := dataset.groups) is not None:
                groups = [of_rows[row] for row in rows]
            return cls(ids, None if labels_N is None else _labels(labels_N.numpy()), classes, groups)
        facts = [(sample.id, sample.label, sample.group) for sample in map(dataset.__getitem__, rows)]
        of_N = np.array([-1 if label is None else label for _, label, _ in facts], dtype=np.int64)
        if any(group is not None for _, _, group in facts):
            groups = [group for _, _, group in facts]
        return cls([name for name, _, _ in facts], _labels(of_N), classes, groups)

    def class_of(self, row: int) -> str:
        """The name of a sample's class; empty where it has none."""
        label = -1 if self.labels_N is None else int(self.labels_N[row])
        return self.classes[label] if 0 <= label < len(self.classes) else ""


def write_embedding(out: Path, x_ND: torch.Tensor, known: KnownSamples, about: Mapping[str, str]) -> list[Path]:
    """Writes representations and what is known of their samples.

    Args:
        out: Ends in one of ``SUFFIXES``.
        x_ND: float32, on the CPU.
        known: Of the samples.
        about: What the representations are of; only ``.safetensors`` has a place for it.

    Returns:
        The files that were written.

    Raises:
        CoviewError: If they cannot be written.
    """
    files = [out]
    try:
        if out.suffix == ".npy":
            table = out.with_suffix(".samples.csv")
            with replacing(table) as beside:
                _write_table(beside, known)
            files.append(table)
        with replacing(out) as beside:
            if out.suffix == ".npy":
                np.save(beside, x_ND.numpy())
            elif out.suffix == ".npz":
                np.savez(beside, x=x_ND.numpy(), **_arrays(known))
            else:
                save_file({"x_ND": x_ND.contiguous(), **_tensors(known)}, beside, metadata={**about, **_texts(known)})
    except OSError as error:
        raise CoviewError(f"{out} cannot be written: {error.strerror or error}") from error
    return files


def _is_known_ahead(dataset: Dataset, embedded: Embedded) -> bool:
    """Whether the data set and what was kept say all of the samples that these themselves would."""
    knows_ids = isinstance(dataset, KnowsIds) and dataset.ids is not None
    knows_labels = isinstance(dataset, KnowsLabels) and dataset.labels is not None
    knows_groups = isinstance(dataset, KnowsGroups) and dataset.groups is not None
    features = embedded.features
    return (
        knows_ids
        and (features.labels_N is not None or dataset.classes is None or knows_labels)
        and (features.groups_N is None or knows_groups)
    )


def _labels(labels_N: np.ndarray | None) -> np.ndarray | None:
    return labels_N if labels_N is not None and bool((labels_N >= 0).any()) else None


def _write_table(path: Path, known: KnownSamples) -> None:
    """A row for each representation; what is not UTF-8 in a file's name is written by its code."""
    named = {"id": list(known.ids)}
    if known.labels_N is not None:
        named["label"] = known.labels_N.tolist()
        named["class"] = [known.class_of(row) for row in range(len(known.ids))]
    if known.groups is not None:
        named["group"] = ["" if group is None else group for group in known.groups]
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(named)
        rows.writerows(zip(*named.values(), strict=True))


def _arrays(known: KnownSamples) -> dict[str, Any]:
    """What numpy reads without pickle: texts are arrays of texts."""
    arrays: dict[str, Any] = {"ids": np.array(known.ids)}
    if known.labels_N is not None:
        arrays["labels"] = known.labels_N
        arrays["classes"] = np.array(known.classes, dtype=np.str_)
    if known.groups is not None:
        arrays["groups"] = np.array(["" if group is None else str(group) for group in known.groups])
    return arrays


def _tensors(known: KnownSamples) -> dict[str, torch.Tensor]:
    tensors = {"ids_N": torch.from_numpy(ids_as_int64(known.ids))}
    if known.labels_N is not None:
        tensors["labels_N"] = torch.from_numpy(known.labels_N)
    return tensors


def _texts(known: KnownSamples) -> dict[str, str]:
    """What is not a tensor, as JSON."""
    texts = {"ids": json.dumps(list(known.ids))}
    if known.labels_N is not None:
        texts["classes"] = json.dumps(known.classes)
    if known.groups is not None:
        texts["groups"] = json.dumps(list(known.groups))
    return texts
