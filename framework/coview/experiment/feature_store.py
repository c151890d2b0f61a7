"""The features of a run: embedded once for each split and kind, and kept in its folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from coview.data.augmentation import Augmentation
from coview.data.augmented_rows import AugmentedRows
from coview.data.batch import Batch, Skipped
from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.loader import worker_count
from coview.data.modality import Modality
from coview.data.present import present_of
from coview.data.several_values import check_ids_of, value_counts_of
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.evaluate.embedding import (
    ALL,
    Embedded,
    EmbeddedBatch,
    Share,
    Show,
    embed_raw,
    embed_share,
    joined,
    kept_of,
    read_embedded,
    write_embedded,
)
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.feature_rows import on_device, rows_of
from coview.evaluate.features import Features, FeatureSplit
from coview.evaluate.result import FeatureKind
from coview.experiment.augment_steps import augment_steps
from coview.experiment.changed_data import data_of_features, rows_digest
from coview.experiment.controls import kind_of_encoder, untrained_recipe
from coview.experiment.embedding_ranks import EmbeddingRanks, Wanted
from coview.experiment.measured_tower import MeasuredTower, tower_of
from coview.experiment.shared_work import SharedWork
from coview.experiment.splits import DataSource, Splits
from coview.experiment.start import start_weights
from coview.experiment.validation import carve_validation
from coview.model.context import in_context_of
from coview.model.topology import Topology, build_topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.metrics_file import read_metrics, split_lines
from coview.track.progress import track_items
from coview.track.run_folder import RunFolder


@dataclass
class FeatureStore:
    """Features of a recipe's data, or of other data, as one tower of the model sees it.

    Attributes:
        recipe, registry: What to build from.
        folder: Where features are kept.
        topology: The model that is measured.
        step: The optimiser step it is from.
        device: Where to compute.
        console: Where progress is shown.
        splits: The data of the run and of its evaluators.
        source: Which of them this is of; absent: the run's own.
        of: Which tower's features these are; absent: the first's, before its projector.
        skipped: Samples that could not be read, by split.
        on_disk: Whether features are kept in the folder, or only as long as this is.
        rows: By split, a digest of the samples that there are and what is known of them, once it was embedded; where
            some lack a modality, or have several values of it, of its rows by ``split/modality``.
        shared: Where features of the controls are taken from, and put, that other runs need alike.
        ranks: The ranks that embed together; by default this process alone.
    """

    recipe: Recipe
    registry: Registry
    folder: RunFolder
    topology: Topology
    step: int
    device: torch.device
    console: Console
    splits: Splits
    source: DataSource | None = None
    of: MeasuredTower | None = None
    on_disk: bool = True
    skipped: dict[str, tuple[Skipped, ...]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    shared: SharedWork | None = None
    ranks: EmbeddingRanks = field(default_factory=EmbeddingRanks)
    _others: dict[tuple[str, MeasuredTower], FeatureStore] = field(default_factory=dict)
    _in_memory: dict[tuple[str, str], Embedded] = field(default_factory=dict)
    _changes_said: set[str] = field(default_factory=set)
    _untrained: list[Topology] = field(default_factory=list)
    _raw: Callable[[Sequence[Any]], np.ndarray] | None = None

    def say(self, text: str) -> None:
        """A line where progress is shown."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @property
    def tower(self) -> MeasuredTower:
        """The tower that is evaluated."""
        return self.of or tower_of(self.recipe, None)

    @property
    def modality(self) -> str:
        """The modality that is evaluated."""
        return self.tower.modality

    @property
    def evaluated(self) -> str:
        """Whose encoder is evaluated."""
        teacher = self.topology.teacher
        return "teacher" if teacher is not None and teacher.table.evaluate else "student"

    @property
    def measured(self) -> FeatureKind:
        """What the encoder is that is evaluated; other kinds are its controls."""
        return kind_of_encoder(self.recipe, self.registry, self.modality)

    @property
    def data(self) -> DataSource:
        """The data whose features these are."""
        return self.source or self.splits.own

    @property
    def own_validation(self) -> bool:
        """Whether the data has a validation split of its own."""
        return self.splits.has(self.data, "validation")

    def dataset(self, split: str) -> Dataset:
        """The samples of a split of the data that have the modality that is evaluated."""
        return self.splits.having(self.data, split, self.modality)

    @property
    def reference(self) -> Dataset:
        """The split that says what classes there are, and that raw features are fitted to."""
        return self.splits.reference(self.data)

    def on(self, source: DataSource, tower: MeasuredTower | None = None) -> FeatureStore:
        """The same model's features of other data, or another tower's, or these."""
        key = source.key, tower or self.tower
        if key == (self.data.key, self.tower):
            return self
        if key not in self._others:
            empty: dict[str, Any] = {"skipped": {}, "rows": {}, "_others": {}, "_in_memory": {}, "_changes_said": set()}
            self._others[key] = replace(self, source=source, of=key[1], _raw=None, **empty)
        return self._others[key]

    @property
    def others(self) -> Collection[FeatureStore]:
        """Those of other data, and of other towers, that there are."""
        return self._others.values()

    def features(self, kind: FeatureKind, names: tuple[str, ...], *, labelled: bool = False) -> Features:
        """The features of some splits; a validation split that the data does not have is carved out of ``train``.

        Args:
            kind: Whose features.
            names: The splits.
            labelled: Whether only samples that have a class are wanted, where some of a split have none.
        """
        splits = {name: on_device(self._part(kind, name, names, labelled)[1], self.device) for name in names}
        return Features(splits, self.reference.classes, carved="validation" in names and not self.own_validation)

    def subject(self, kind: FeatureKind, names: tuple[str, ...], *, labelled: bool = False) -> EncoderSubject:
        """The encoder itself with the samples of some splits, and their features: see :meth:`features`."""

        def embed(dataset: Dataset) -> FeatureSplit:
            return on_device(self.embed(kind, dataset, "test", whole=False).features, self.device)

        def build_augmentation(use: str, parameters: Mapping[str, Any]) -> Augmentation:
            made: Augmentation = self.registry.build("augmentation", use, modality=self.modality, **parameters)
            return made

        return EncoderSubject(
            kind=kind,
            modality_name=self.modality,
            modality=self._modality(),
            features=self.features(kind, names, labelled=labelled),
            data={name: self._samples(kind, name, names, labelled) for name in names},
            steps=augment_steps(self.recipe, self.registry, self.modality),
            embed=embed,
            build_augmentation=build_augmentation,
            device=self.device,
            workers=worker_count(self.recipe.settings.workers),
            console=self.console,
            encoder=None if kind == "raw" else in_context_of(self._encoder(kind), self.reference, self.device),
            metrics=split_lines(read_metrics(self.folder.metrics))[0] if kind == self.measured else (),
        )

    def _part(
        self, kind: FeatureKind, name: str, names: tuple[str, ...], labelled: bool
    ) -> tuple[str, FeatureSplit, np.ndarray]:
        """The split that one of the names is a part of, its features, and their rows in the split."""
        split, features, rows = self._whole_part(kind, name, names)
        if features.labels_N is None or bool((features.labels_N >= 0).all()):
            return split, features, rows
        if not labelled:
            return split, replace(features, labels_N=None), rows
        chosen = np.flatnonzero(features.labels_N.numpy() >= 0)
        return split, rows_of(features, chosen), rows[chosen]

    def _whole_part(self, kind: FeatureKind, name: str, names: tuple[str, ...]) -> tuple[str, FeatureSplit, np.ndarray]:
        carved = "validation" in names and not self.own_validation and name in ("train", "validation")
        split = "train" if carved else name
        embedded = self.embedded(kind, split)
        if not carved:
            return split, embedded.features, embedded.rows
        labels, groups = embedded.features.labels_N, embedded.features.groups_N
        rest, held = carve_validation(
            len(embedded.features),
            None if labels is None else labels.numpy(),
            None if groups is None else groups.numpy(),
        )
        chosen = rest if name == "train" else held
        return split, rows_of(embedded.features, chosen), embedded.rows[chosen]

    def _samples(self, kind: FeatureKind, name: str, names: tuple[str, ...], labelled: bool) -> Dataset:
        split, _, rows = self._part(kind, name, names, labelled)
        return AugmentedRows(self.dataset(split), self.modality, rows.tolist())

    def embedded(self, kind: FeatureKind, split: str) -> Embedded:
        """The features of a whole split."""
        # raw features are kept with what tells equal samples: what was kept without is made again
        more = {"content": True} if kind == "raw" else {}
        return self.kept(
            self.folder_of(kind), split, self.modality, lambda dataset: self._shared(kind, dataset, split), **more
        )

    def _shared(self, kind: FeatureKind, dataset: Dataset, split: str) -> Embedded:
        """A split, of a control as another run has embedded it, if one has."""
        path, of = self.shared_at(kind, split)
        embedded = None if path is None else read_embedded(path, of)
        if embedded is None:
            embedded = self.embed(kind, dataset, split)
            if path is not None:
                try:
                    write_embedded(path, embedded, of)
                except (OSError, CoviewError) as error:  # a full disk
                    warnings.warn(f"the {kind} control's {split} features are not kept: {error}", stacklevel=2)
        return embedded

    def shared_at(self, kind: FeatureKind, split: str) -> tuple[Path | None, dict[str, Any]]:
        """The file that runs of one comparison have a split in, as a control sees it, and what it is of; no file where
        there are none, or the control cannot be told from others."""
        dataset = self.dataset(split)
        of = {
            "data": self.data.written_key,
            "split": split,
            "rows": len(dataset),
            "version": dataset.version,
            "modality": self.modality,
            "device": self.device.type,
        }
        if self.shared is None or kind == self.measured:
            return None, of
        encoder = None if kind == "raw" else self._encoder(kind)
        return self.shared.features(self.recipe, kind, of, encoder, projector=self.tower.projector), of

    def kept(
        self, folder: str, split: str, modality: str, embed: Callable[[Dataset], Embedded], **more: Any
    ) -> Embedded:
        """A split as it was embedded earlier; where it was not, as it is now, and is kept.

        Args:
            folder: The name of the folder that it is kept in, below that of its data.
            split: Which.
            modality: What of its samples is embedded.
            embed: Does it.
            more: What else has to be alike.
        """
        if not self.on_disk:
            key = folder, split
            if key not in self._in_memory:
                self._in_memory[key] = self._made(split, modality, embed)
            embedded = self._in_memory[key]
        else:
            path, of = self._kept_at(folder, split, modality, more)
            kept = read_embedded(path, of)
            if kept is None:
                self._say_change(of, path)
                kept = self._made(split, modality, embed)
                write_embedded(path, kept, of)
            embedded = kept
        self.skipped[split] = embedded.skipped
        dataset = self.splits(self.data, split)
        has_own_rows = modality in present_of(dataset) or modality in value_counts_of(dataset)
        if (name := f"{split}/{modality}" if has_own_rows else split) not in self.rows:
            self.rows[name] = rows_digest(embedded.features)
        return embedded

    def _made(self, split: str, modality: str, embed: Callable[[Dataset], Embedded]) -> Embedded:
        dataset = self.splits.having(self.data, split, modality)
        embedded = embed(dataset)
        check_ids_of(
            dataset, embedded.rows, embedded.features.ids_N.numpy(), f'data "{self.data.table.use}": the {split} split'
        )
        return embedded

    def kept_already(self, kind: FeatureKind, split: str) -> Embedded | None:
        """A split as it was embedded earlier, if these data by this encoder at this step have been."""
        return read_embedded(*self._kept_at(self.folder_of(kind), split, self.modality, {}))

    def _kept_at(self, folder: str, split: str, modality: str, more: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
        """The file that a split is kept in, and what it has to be of."""
        dataset = self.splits.having(self.data, split, modality)
        of = {
            "rows": len(dataset),
            "version": dataset.version,
            "recipe": self.recipe.hash,
            "modality": modality,
            **more,
        }
        return self.folder.features / self.data.folder_name / folder / f"{split}.safetensors", of

    def _say_change(self, of: Mapping[str, Any], path: Path) -> None:
        """Says once of each change that features of other content are not used."""
        change = data_of_features(of, kept_of(path), path)
        if change and of["version"] not in self._changes_said:
            self._changes_said.add(of["version"])
            self.say(
                f'warning: the data "{self.data.table.use}" have changed since their features were made: {change}. '
                "They are embedded again, and the numbers are of the data as they are now"
            )

    def folder_of(self, kind: FeatureKind) -> str:
        """The name of the folder of a kind of features: that of the first tower says no modality."""
        name = f"{kind}-step-{self.step}" if kind == self.measured else kind
        if self.tower.projector and kind != "raw":
            return f"{name}-projected-{self.modality}"
        return name if self.modality == self.recipe.modalities[0] else f"{name}-{self.modality}"

    def embed(self, kind: FeatureKind, dataset: Dataset, split: str, *, whole: bool = True) -> Embedded:
        """Embeds a split now, on all ranks; or, where it is not whole, other samples in the place of one, on this."""
        if kind == "raw":
            workers = worker_count(self.recipe.settings.workers)
            self._raw = self._raw or self._modality().fit_raw(readable_values(self.dataset("train"), self.modality))
            show = self._showing(f"embedding {split} (raw)", len(dataset))
            return embed_raw(dataset, split, self.modality, self._raw, workers=workers, show=show)

        def embed(share: Share) -> Iterator[EmbeddedBatch]:
            return self._embed_share(kind, dataset, split, share)

        wanted = Wanted(self.data, split, kind, self.tower)
        batches = self.ranks.together(wanted, embed) if whole else embed(ALL)
        return joined(batches, dataset, split)

    def share_of(self, wanted: Wanted, share: Share) -> Iterator[EmbeddedBatch]:
        """This rank's share of what the main process embeds on all of them."""
        of = self.on(wanted.source, wanted.tower)
        return of._embed_share(wanted.kind, of.dataset(wanted.split), wanted.split, share)

    def _embed_share(self, kind: FeatureKind, dataset: Dataset, split: str, share: Share) -> Iterator[EmbeddedBatch]:
        what = f"{'projecting' if self.tower.projector else 'embedding'} {split} ({kind})"
        return embed_share(
            self._encoder(kind),
            dataset,
            self.modality,
            self._modality(),
            device=self.device,
            workers=worker_count(self.recipe.settings.workers, share.ranks),
            show=self._showing(what, -(-len(dataset) // share.ranks)),
            share=share,
        )

    def _showing(self, what: str, total: int) -> Show:
        return lambda batches: track_items(batches, total, what, size=Batch.rows_read, console=self.console)

    def _modality(self) -> Modality:
        return build_modalities(self.recipe, self.registry)[self.modality]

    def model(self, kind: FeatureKind) -> Topology:
        """The model whose features are of a kind."""
        return self.topology if kind == self.measured else self._fresh()

    def _encoder(self, kind: FeatureKind) -> nn.Module:
        return self.model(kind).evaluated(self.modality, projector=self.tower.projector).to(self.device)

    def _fresh(self) -> Topology:
        """The untrained control, where there is one."""
        if not self._untrained:  # one for all data and towers: what it fits to data, it fits to the run's own
            recipe = untrained_recipe(self.recipe, self.registry, self.modality) or self.recipe
            start = start_weights(recipe, self.registry, self.folder)
            self._untrained.append(build_topology(recipe, self.registry, self.splits.training, start=start))
        return self._untrained[0]
