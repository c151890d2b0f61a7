"""A valid recipe, with every default in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.recipe.merge import Layers
from coview.recipe.read import Key
from coview.recipe.snapshot import recipe_hash
from coview.recipe.tables import DataSettings, SweepTable, TrainTable


@dataclass(frozen=True)
class ComponentTable:
    """A component and its parameters, as the recipe has them.

    Attributes:
        use: Its name.
        parameters: What the recipe gives; the component's own defaults fill in the rest.
    """

    use: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A valid recipe.

    Attributes:
        name, seed: As in the recipe.
        data: The data set.
        settings: The rest of ``[data]``.
        view_modalities: The modality of each view, V of them.
        modality, augment, encoder, projector: For each modality.
        loss: The loss.
        train: ``[train]``.
        evaluate: The evaluators.
        sweep: The values to try; empty for a single run.
        tables: The resolved recipe: nothing extended, every default written out.
        layers: Where each value came from.
        warnings: Settings that have no effect.
    """

    name: str
    seed: int
    data: ComponentTable
    settings: DataSettings
    view_modalities: tuple[str, ...]
    modality: Mapping[str, Mapping[str, Any]]
    augment: Mapping[str, tuple[ComponentTable, ...]]
    encoder: Mapping[str, ComponentTable]
    projector: Mapping[str, ComponentTable]
    loss: ComponentTable
    train: TrainTable
    evaluate: tuple[ComponentTable, ...]
    sweep: SweepTable
    tables: Mapping[str, Any]
    layers: Layers = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that have an encoder."""
        return tuple(self.encoder)

    @property
    def hash(self) -> str:
        """Of everything that can change a result."""
        return recipe_hash(self.tables)

    def where(self, *path: str | int) -> str:
        """``file:line: dotted.path``, for a message about what only a run can find out."""
        key: Key = path
        origin = self.layers.where(key)
        return f"{origin}: {'.'.join(map(str, path))}" if origin else ".".join(map(str, path))
