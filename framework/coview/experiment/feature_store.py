"""The features of a run: embedded once for each split and kind, and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
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
from coview.data.some_rows import SomeRows
from coview.data.values import readable_values
from coview.evaluate.embedding import (
    ALL,
    Embedded,
    EmbeddedBatch,
    Share,
    Show,
    embed_raw,
    embed_share,
    joined,
)
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.feature_rows import bare, filled_up, on_device, with_or_without_labels
from coview.evaluate.features import Features, FeatureSplit
from coview.evaluate.result import FeatureKind
from coview.experiment.augment_steps import augment_steps
from coview.experiment.changed_data import rows_digest
from coview.experiment.controls import kind_of_encoder, untrained_recipe
from coview.experiment.embedding_ranks import EmbeddingRanks, Wanted
from coview.experiment.kept_features import KeptFeatures, said_of_rows
from coview.experiment.measured_tower import MeasuredTower, tower_of
from coview.experiment.shared_work import SharedWork, there_or_made
from coview.experiment.splits import DataSource, Splits
from coview.experiment.start import start_weights
from coview.experiment.validation import carved_part
from coview.model.context import in_context_of
from coview.model.topology import Topology, build_topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.metrics_file import read_metrics, split_lines
from coview.track.progress import track_items
from coview.track.run_folder import RunFolder

SomeOf = Mapping[str, np.ndarray]
"""Of splits of the data, the rows that are needed, ascending; of others all."""

ALL_ROWS: SomeOf = MappingProxyType({})

_OF_RAW = {"content": True}
"""Raw features are kept with what tells equal samples: what was kept without is made again."""


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
    _kept: KeptFeatures | None = None
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
            empty: dict[str, Any] = {"skipped": {}, "rows": {}, "_others": {}}
            self._others[key] = replace(self, source=source, of=key[1], _raw=None, _kept=None, **empty)
        return self._others[key]

    @property
    def others(self) -> Collection[FeatureStore]:
        """Those of other data, and of other towers, that there are."""
        return self._others.values()

    def features(
        self, kind: FeatureKind, names: tuple[str, ...], *, labelled: bool = False, only: SomeOf = ALL_ROWS
    ) -> Features:
        """The features of some splits; a validation split that the data does not have is carved out of ``train``.

        Args:
            kind: Whose features.
            names: The splits.
            labelled: Whether only samples that have a class are wanted, where some of a split have none.
            only: Of splits of the data, the rows that are needed: those of an encoder have no others.
        """
        splits = {name: on_device(self.part(kind, name, names, labelled, only)[1], self.device) for name in names}
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

    def part(
        self, kind: FeatureKind | None, name: str, names: tuple[str, ...], labelled: bool, only: SomeOf = ALL_ROWS
    ) -> tuple[str, FeatureSplit, np.ndarray]:
        """The split that one of the names is a part of, its features, and their rows in the split; of no kind, what is
        known of its samples."""
        carved = "validation" in names and not self.own_validation and name in ("train", "validation")
        split = "train" if carved else name
        if kind is None:
            embedded = self._known(split)
        elif kind != "raw" and split in only:
            embedded = self._some_embedded(kind, split, only[split])
        else:
            embedded = self.embedded(kind, split)
        features, rows = carved_part(embedded, name) if carved else (embedded.features, embedded.rows)
        return split, *with_or_without_labels(features, rows, labelled=labelled)

    def _samples(self, kind: FeatureKind, name: str, names: tuple[str, ...], labelled: bool) -> Dataset:
        split, _, rows = self.part(kind, name, names, labelled)
        return AugmentedRows(self.dataset(split), self.modality, rows.tolist())

    def embedded(self, kind: FeatureKind, split: str, only: np.ndarray | None = None) -> Embedded:
        """The features of a whole split, or of some rows of it."""
        embed, more = partial(self._shared, kind, split=split, only=only), _OF_RAW if kind == "raw" else {}
        return self.kept(self.folder_of(kind), split, self.modality, embed, only, **more)

    def _known(self, split: str) -> Embedded:
        """What is known of the samples of a split, by its raw features, without these.

        Raises:
            CoviewError: If raw features cannot be made.
        """
        of = {**self._what(split, self.modality), **_OF_RAW}
        there = self._keeping.there(self.folder_of("raw"), split, of, bare=True)
        return bare(self.embedded("raw", split)) if there is None else self._noted(there, split, self.modality)

    def _some_embedded(self, kind: FeatureKind, split: str, rows: np.ndarray) -> Embedded:
        """A split of which only some rows are embedded, and the others' representations are NaN."""
        if (whole := self.kept_already(kind, split)) is not None:
            return whole
        known, part = self._known(split), self.embedded(kind, split, rows)
        # what could be read for the raw features, and not now, is left out of a whole split
        return self.embedded(kind, split) if part.skipped else filled_up(known, rows, part)

    def _checked(self, made: Embedded, dataset: Dataset, split: str, rows: np.ndarray | None = None) -> Embedded:
        """The same, of rows whose ids are those that the data has said ahead."""
        rows = made.rows if rows is None else np.delete(rows, [sample.row for sample in made.skipped])
        check_ids_of(dataset, rows, made.features.ids_N.numpy(), f'data "{self.data.table.use}": the {split} split')
        return made

    def _shared(self, kind: FeatureKind, dataset: Dataset, split: str, only: np.ndarray | None) -> Embedded:
        """A split, or some of its rows, of a control as another run has embedded it, if one has."""
        path, of = self.shared_at(kind, split, only)
        made = partial(self.embed, kind, dataset, split, only=only)
        return made() if path is None else there_or_made(path, of, made, f"the {kind} control's {split} features")

    def shared_at(
        self, kind: FeatureKind, split: str, only: np.ndarray | None = None
    ) -> tuple[Path | None, dict[str, Any]]:
        """The file that runs of one comparison have a split in, as a control sees it, and what it is of; no file where
        there are none, or the control cannot be told from others."""
        dataset = self.dataset(split)
        of: dict[str, Any] = {
            "data": self.data.written_key,
            "split": split,
            "rows": len(dataset),
            "version": dataset.version,
            "modality": self.modality,
            "device": self.device.type,
            **said_of_rows(only),
        }
        if self.shared is None or kind == self.measured:
            return None, of
        encoder = None if kind == "raw" else self._encoder(kind)
        return self.shared.features(self.recipe, kind, of, encoder, projector=self.tower.projector), of

    def kept(
        self,
        folder: str,
        split: str,
        modality: str,
        embed: Callable[[Dataset], Embedded],
        only: np.ndarray | None = None,
        **more: Any,
    ) -> Embedded:
        """A split as it was embedded earlier; where it was not, as it is now, and is kept.

        Args:
            folder: The name of the folder that it is kept in, below that of its data.
            split: Which.
            modality: What of its samples is embedded.
            embed: Does it.
            only: Some rows of it; absent: all.
            more: What else has to be alike.
        """
        having = self.splits.having(self.data, split, modality)
        of = {**self._what(split, modality), **more, **said_of_rows(only)}
        name = split if only is None else f"{split}-some"

        def make() -> Embedded:
            asked = having if only is None else SomeRows(having, only.tolist())
            return self._checked(embed(asked), having, split, only)

        embedded = self._keeping.get(folder, name, of, make)
        return embedded if only is not None else self._noted(embedded, split, modality)

    def _noted(self, embedded: Embedded, split: str, modality: str) -> Embedded:
        """The same, of whose samples results say which they were."""
        self.skipped[split] = embedded.skipped
        dataset = self.splits(self.data, split)
        has_own_rows = modality in present_of(dataset) or modality in value_counts_of(dataset)
        if (name := f"{split}/{modality}" if has_own_rows else split) not in self.rows:
            self.rows[name] = rows_digest(embedded.features)
        return embedded

    def kept_already(self, kind: FeatureKind, split: str) -> Embedded | None:
        """A split as it was embedded earlier, if these data by this encoder at this step have been."""
        return self._keeping.there(self.folder_of(kind), split, self._what(split, self.modality))

    def _what(self, split: str, modality: str) -> dict[str, Any]:
        """What a split that is kept has to be of."""
        dataset = self.splits.having(self.data, split, modality)
        return {"rows": len(dataset), "version": dataset.version, "recipe": self.recipe.hash, "modality": modality}

    @property
    def _keeping(self) -> KeptFeatures:
        if self._kept is None:
            folder = self.folder.features / self.data.folder_name if self.on_disk else None
            self._kept = KeptFeatures(folder, self.data.table.use, self.say)
        return self._kept

    def folder_of(self, kind: FeatureKind) -> str:
        """The name of the folder of a kind of features: that of the first tower says no modality."""
        name = f"{kind}-step-{self.step}" if kind == self.measured else kind
        if self.tower.projector and kind != "raw":
            return f"{name}-projected-{self.modality}"
        return name if self.modality == self.recipe.modalities[0] else f"{name}-{self.modality}"

    def embed(
        self, kind: FeatureKind, dataset: Dataset, split: str, *, whole: bool = True, only: np.ndarray | None = None
    ) -> Embedded:
        """Embeds a split, or some rows of it, now, on all ranks; or, where it is not whole, other samples in the place
        of one, on this."""
        if kind == "raw":
            workers = worker_count(self.recipe.settings.workers)
            self._raw = self._raw or self._modality().fit_raw(readable_values(self.dataset("train"), self.modality))
            show = self._showing(f"embedding {split} (raw)", len(dataset))
            return embed_raw(dataset, split, self.modality, self._raw, workers=workers, show=show)

        def embed(share: Share) -> Iterator[EmbeddedBatch]:
            return self._embed_share(kind, dataset, split, share)

        wanted = Wanted(self.data, split, kind, self.tower, None if only is None else tuple(only.tolist()))
        batches = self.ranks.together(wanted, embed) if whole else embed(ALL)
        return joined(batches, dataset, split)

    def share_of(self, wanted: Wanted, share: Share) -> Iterator[EmbeddedBatch]:
        """This rank's share of what the main process embeds on all of them."""
        of = self.on(wanted.source, wanted.tower)
        dataset = of.dataset(wanted.split)
        asked = dataset if wanted.rows is None else SomeRows(dataset, wanted.rows)
        return of._embed_share(wanted.kind, asked, wanted.split, share)

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
