"""The features of a run: embedded once for each split and kind, and kept in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from rich.console import Console

from coview.data.batch import Batch, Skipped
from coview.data.building import build_modalities, build_split, splits_of
from coview.data.contracts import Dataset
from coview.data.loader import worker_count
from coview.data.split import seeded_split
from coview.data.values import readable_values
from coview.evaluate.embedding import Embedded, embed_raw, embed_split, read_embedded, write_embedded
from coview.evaluate.features import FeatureSplit
from coview.model.topology import Topology, build_topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.progress import track_items
from coview.track.run_folder import RunFolder

FeatureKind = Literal["pretrained", "untrained", "raw"]

VALIDATION_FRACTION = 0.1
VALIDATION_SEED = 0


@dataclass
class FeatureStore:
    """Features of a recipe's data, of the first of its modalities.

    Attributes:
        recipe, registry: What to build from.
        folder: Where features are kept.
        topology: The pretrained model.
        step: The optimiser step it is from.
        device: Where to compute.
        console: Where progress is shown.
        datasets: Splits that are built already.
        skipped: Samples that could not be read, by split.
    """

    recipe: Recipe
    registry: Registry
    folder: RunFolder
    topology: Topology
    step: int
    device: torch.device
    console: Console
    datasets: dict[str, Dataset] = field(default_factory=dict)
    skipped: dict[str, tuple[Skipped, ...]] = field(default_factory=dict)
    _untrained: Topology | None = None

    @property
    def modality(self) -> str:
        """The modality that is evaluated."""
        return self.recipe.modalities[0]

    @property
    def evaluated(self) -> str:
        """Whose encoder is evaluated."""
        teacher = self.topology.teacher
        return "teacher" if teacher is not None and teacher.table.evaluate else "student"

    @property
    def own_validation(self) -> bool:
        """Whether the data has a validation split of its own."""
        return "validation" in splits_of(self.recipe.data, self.registry)

    def dataset(self, split: str) -> Dataset:
        """A split of the data."""
        if split not in self.datasets:
            self.datasets[split] = build_split(self.recipe, split, self.registry)
        return self.datasets[split]

    def splits(self, kind: FeatureKind, names: tuple[str, ...]) -> dict[str, FeatureSplit]:
        """The features of some splits; a validation split that the data has not is carved out of ``train``."""
        found = {}
        carved = "validation" in names and not self.own_validation
        for name in names:
            if carved and name in ("train", "validation"):
                found[name] = self._carved(self._embedded(kind, "train").features)[name]
            else:
                found[name] = self._embedded(kind, name).features
        return {name: _to(split, self.device) for name, split in found.items()}

    @staticmethod
    def _carved(train: FeatureSplit) -> dict[str, FeatureSplit]:
        labels = None if train.labels_N is None else train.labels_N.numpy()
        groups = None if train.groups_N is None else train.groups_N.numpy()
        rest, held = seeded_split(
            len(train), fraction=VALIDATION_FRACTION, seed=VALIDATION_SEED, labels=labels, groups=groups
        )
        return {"train": _rows(train, rest), "validation": _rows(train, held)}

    def _embedded(self, kind: FeatureKind, split: str) -> Embedded:
        dataset = self.dataset(split)
        name = f"{kind}-step-{self.step}" if kind == "pretrained" else kind
        path = self.folder.features / name / f"{split}.safetensors"
        of = {
            "rows": len(dataset),
            "version": dataset.version,
            "recipe": self.recipe.hash,
            "modality": self.modality,
        }
        embedded = read_embedded(path, of)
        if embedded is None:
            embedded = self._embed(kind, dataset, split)
            write_embedded(path, embedded, of)
        self.skipped[split] = embedded.skipped
        return embedded

    def _embed(self, kind: FeatureKind, dataset: Dataset, split: str) -> Embedded:
        workers = worker_count(self.recipe.settings.workers)
        modality = build_modalities(self.recipe, self.registry)[self.modality]

        def show(batches: Iterator[Batch]) -> Iterable[Batch]:
            return track_items(batches, len(dataset), f"embedding {split} ({kind})", size=_size, console=self.console)

        if kind == "raw":
            features_of = modality.fit_raw(readable_values(self.dataset("train"), self.modality))
            return embed_raw(dataset, split, self.modality, features_of, workers=workers, show=show)
        if kind == "untrained":
            self._untrained = self._untrained or build_topology(self.recipe, self.registry, self.dataset("train"))
        topology = self.topology if kind == "pretrained" else self._untrained
        assert topology is not None
        encoder = topology.evaluated_encoder(self.modality).to(self.device)
        return embed_split(
            encoder, dataset, split, self.modality, modality, device=self.device, workers=workers, show=show
        )


def _size(batch: Batch) -> int:
    return len(batch) + len(batch.skipped)


def _rows(split: FeatureSplit, indices: Any) -> FeatureSplit:
    rows = torch.from_numpy(indices)
    names = ("x_ND", "ids_N", "labels_N", "scores_N", "groups_N")
    parts: dict[str, Any] = {name: None if (t := getattr(split, name)) is None else t[rows] for name in names}
    return FeatureSplit(**parts)


def _to(split: FeatureSplit, device: torch.device) -> FeatureSplit:
    labels = split.labels_N
    return replace(split, x_ND=split.x_ND.to(device), labels_N=None if labels is None else labels.to(device))
