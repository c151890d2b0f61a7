"""The data that a run trains on and that its evaluators look at: each split is built once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from coview.data.batch import Skipped
from coview.data.building import build_split, splits_of
from coview.data.dataset import Dataset, HasNegatives, HasNotes, KnowsUnreadable
from coview.data.dataset_checks import check_rows
from coview.data.lacking_labels import lacking_labels
from coview.data.mixture import Mixture
from coview.data.present import having, having_any, present_of
from coview.data.several_values import every_value, value_counts_of
from coview.data.skipped import SkippedSamples
from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.key import Key
from coview.recipe.needs import NEGATIVE
from coview.recipe.recipe import ComponentTable, Recipe

_FIRST: tuple[Key, ...] = (("data",), ("data", 0))
"""Where a recipe's own data stand: the only ones, or the first of several."""


@dataclass(frozen=True)
class DataSource:
    """A data set that a recipe names.

    Attributes:
        table: The data set and its parameters.
        at: Where in the recipe it stands: ``("data",)``, ``("data", 1)`` of several, or in an evaluator's table.
    """

    table: ComponentTable
    at: Key = ("data",)

    @property
    def key(self) -> str:
        """The same for the same data, wherever it is named; a recipe's own is the empty text."""
        return self._key(self.table.use, self.table.parameters)

    @property
    def written_key(self) -> str:
        """The same of the paths as they are written, wherever that is: what is kept of the data goes by it."""
        written = dict(self.table.written)
        return self._key(written.pop("use"), written)

    @property
    def folder_name(self) -> str:
        """The folder of its features in that of a run's features; a recipe's own have none of their own."""
        if not self.key:
            return ""
        digest = hashlib.blake2b(self.written_key.encode(), digest_size=4).hexdigest()
        return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{self.table.use}-{digest}")

    def _key(self, use: str, parameters: Mapping[str, Any]) -> str:
        own = self.at in _FIRST
        return "" if own else json.dumps([use, dict(parameters)], sort_keys=True, default=str)


@dataclass
class Splits:
    """Every split that has been asked for.

    Attributes:
        recipe: Whose data.
        registry: Where data sets come from.
    """

    recipe: Recipe
    registry: Registry
    _built: dict[tuple[str, str], Dataset] = field(default_factory=dict)
    _having: dict[tuple[str, str, str], Dataset] = field(default_factory=dict)

    @property
    def own(self) -> DataSource:
        """What the recipe trains on, of several the first: what is measured on unless an evaluator says otherwise."""
        return DataSource(*self.recipe.trains_on[0])

    @cached_property
    def training(self) -> Dataset:
        """The samples that are trained on: the train split, or those of several data sets as a mixture.

        Raises:
            CoviewError: If the data is not there, is empty, or does not keep its promises, no sample has a modality
                that the recipe is of, or a weight leaves a data set unused; with file and line.
        """
        sources = [DataSource(table, at) for table, at in self.recipe.trains_on]
        # samples that have none of the modalities that the recipe is of are none of its samples
        parts = [having_any(self(source, "train"), self.recipe.modalities) for source in sources]
        for name in self.recipe.modalities:
            if not any(len(having(part, [name])) for part in parts):
                at = self.recipe.where(*sources[0].at, "use")
                raise CoviewError(f"{at}: no sample of {self.recipe.data_named} has a {name}")
        if len(parts) == 1:
            return parts[0]
        weights = [table.weight for table in self.recipe.mixture if table.weight is not None]
        mixture = Mixture(parts, weights or None)
        for count, part, source in zip(mixture.counts, parts, sources, strict=True):
            if count == 0:
                raise CoviewError(
                    f"{self.recipe.where(*source.at, 'weight')}: none of the {len(part):,} samples "
                    f'of "{source.table.use}" comes in an epoch of {mixture.samples_per_epoch:,}',
                    hint="give it a larger weight, or remove it",
                )
        return mixture

    def source_of(self, evaluator: int) -> DataSource:
        """The data that an evaluator of the recipe looks at."""
        table = self.recipe.evaluate[evaluator].data
        return self.own if table is None else DataSource(table, ("evaluate", evaluator, "data"))

    def has(self, source: DataSource, split: str) -> bool:
        """Whether the data has such a split of its own."""
        return split in splits_of(source.table, self.registry)

    def reference(self, source: DataSource) -> Dataset:
        """The split that says what classes there are, and that raw features are fitted to: ``train`` where it is."""
        names = splits_of(source.table, self.registry)
        return self(source, "train" if "train" in names else names[0])

    @property
    def notes(self) -> list[str]:
        """What to say about the data sets that were built, each sentence once."""
        found: dict[str, None] = {}
        if isinstance(self.training, Mixture):
            found |= dict.fromkeys(_shares(self.recipe, self.training))
        for (_, split), dataset in self._built.items():
            if isinstance(dataset, HasNotes):
                found |= dict.fromkeys(dataset.notes)
            for name, has_N in present_of(dataset).items():
                if name in self.recipe.modalities:
                    found[f"{len(dataset) - has_N.sum():,} of {len(dataset):,} {split} samples have no {name}"] = None
            if NEGATIVE in self.recipe.roles and isinstance(dataset, HasNegatives) and split == "train":
                modality = self.recipe.view_modalities[self.recipe.roles.index(NEGATIVE)]
                has = sum(map(bool, (dataset.negatives or {}).get(modality, ())))
                found[f"{has:,} of {len(dataset):,} {split} samples have a hard negative of {modality}"] = None
            for name, count_N in value_counts_of(dataset).items():
                if name in self.recipe.modalities:
                    found[_several(split, name, count_N)] = None
            if lacking := lacking_labels(dataset):
                share = f"{lacking:,} of {len(dataset):,} {split} samples"
                found[f"{share} have no class: parts that need one leave them out"] = None
        return list(found)

    def having(self, source: DataSource, split: str, modality: str) -> Dataset:
        """The samples of a split that have a modality, with a row for each of several values of it.

        Raises as :meth:`__call__`.
        """
        key = source.key, split, modality
        if key not in self._having:
            self._having[key] = every_value(self(source, split), modality)
        return self._having[key]

    def __call__(self, source: DataSource, split: str) -> Dataset:
        """A split, of which a few rows are read to see that it keeps its promises.

        Raises:
            CoviewError: If the data is not there, is empty, or does not keep them; with the line of the recipe that
                asks for it.
        """
        key = source.key, split
        if key not in self._built:
            dataset = build_split(self.recipe, split, self.registry, table=source.table, at=source.at)
            check_rows(dataset, f'{self.recipe.where(*source.at, "use")}: "{source.table.use}", the {split} split')
            if isinstance(dataset, KnowsUnreadable):
                known = (Skipped(row, error.what, error.reason) for row, error in dataset.unreadable.items())
                SkippedSamples(len(dataset), split).add(known)
            self._built[key] = dataset
        return self._built[key]


def _several(split: str, modality: str, count_N: np.ndarray) -> str:
    """How many values of a modality the samples of a split have, in a sentence."""
    several = f"{(count_N > 1).sum():,} of {len(count_N):,} {split} samples have several values of {modality}"
    return f"{several}, up to {count_N.max()}: each epoch of training draws one, and an evaluation has all of them"


def _shares(recipe: Recipe, mixture: Mixture) -> list[str]:
    """What an epoch of a mixture is, in a sentence."""
    whole = mixture.samples_per_epoch
    parts = [
        f"{count:,} of {len(part):,} of {table.use} ({count / whole:.0%})"
        for count, part, (table, _) in zip(mixture.counts, mixture.parts, recipe.trains_on, strict=True)
    ]
    return [f"an epoch has {whole:,} samples: {', '.join(parts)}"]
