"""Encoder, projector and predictor: one tower for each modality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.encoder import Projector
from coview.model.widths import encode, project, width_of
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Projected(NamedTuple):
    """What the student makes of a batch.  V view · N sample · D width.

    Attributes:
        projections: ``z_VND``.
        predictions: After the predictor; the projections where there is none.
    """

    projections: Tensor
    predictions: Tensor


class Tower(nn.Module):
    """From a modality's batches to projections, and to predictions of the target's projections.

    Args:
        encoder: With a ``width``.
        projector: Built for that width.
        predictor: From the projector's width to the same; absent: none.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module, predictor: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector
        self.predictor = predictor

    def forward(self, batches: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Projections and predictions ``(N, width)`` of all batches below each other.

        Batches of other sizes (local crops) are encoded apart, and projected with the rest.

        Raises:
            CoviewError: If a part makes something of another width than it says.
        """
        pooled_ND = torch.cat([encode(self.encoder, batch).pooled_ND for batch in batches])
        width = cast(Projector, self.projector).width
        z_ND = project(self.projector, pooled_ND, width, "projector")
        return z_ND, z_ND if self.predictor is None else project(self.predictor, z_ND, width, "predictor")


class Towers(nn.Module):
    """The model that is trained: from the views of a batch to ``z_VND``.

    Args:
        towers: One for each modality.
        of_view: The modality of each view, the global views before the local ones.
        global_views: How many views are global.
    """

    def __init__(self, towers: Mapping[str, Tower], of_view: Sequence[str], global_views: int) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(towers)
        self.of_view = tuple(of_view)
        self.global_views = global_views

    def forward(self, inputs: Mapping[str, Any], local_inputs: Mapping[str, Any] | None = None) -> Projected:
        """All views of a modality go through its tower at once, so that batch norm sees them together.

        Args:
            inputs: For each modality its batch, all its global views below each other, view by view.
            local_inputs: The same of the local views; without them only global views come out.

        Returns:
            Projections and predictions, in the order of the views.
        """
        of_view = self.of_view if local_inputs else self.of_view[: self.global_views]
        both = (inputs, local_inputs or {})
        by_modality: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
        for name, tower in self.towers.items():
            batches = [part[name] for part in both if name in part]
            if batches:
                views = of_view.count(name)
                z, p = (list(rows.unflatten(0, (views, -1))) for rows in tower(batches))
                by_modality[name] = z, p
        pairs = [tuple(views.pop(0) for views in by_modality[name]) for name in of_view]
        z_VND = torch.stack([z for z, _ in pairs])
        return Projected(z_VND, torch.stack([p for _, p in pairs]) if self.predicts else z_VND)

    @property
    def predicts(self) -> bool:
        """Whether there is a predictor."""
        return any(cast(Tower, tower).predictor is not None for tower in self.towers.values())

    def encoder(self, modality: str) -> nn.Module:
        """The encoder of a modality."""
        return cast(Tower, self.towers[modality]).encoder

    @property
    def width(self) -> int:
        """Of the projections."""
        return cast(Projector, next(iter(cast(Iterable[Tower], self.towers.values()))).projector).width


def build_towers(recipe: Recipe, registry: Registry) -> Towers:
    """The model of a recipe, initialised by its seed.

    Raises:
        CoviewError: If a part cannot be built, or the towers end in different widths.
    """
    torch.manual_seed(recipe.seed)
    towers: dict[str, Tower] = {}
    for name in recipe.modalities:
        encoder_table, projector_table = recipe.encoder[name], recipe.projector[name]
        encoder = registry.build("encoder", encoder_table.use, modality=name, **encoder_table.parameters)
        projector = registry.build(
            "projector",
            projector_table.use,
            supplied={"in_width": width_of(encoder, f"{recipe.where('encoder', 'use')}: the encoder")},
            **projector_table.parameters,
        )
        width = width_of(projector, f"{recipe.where('projector', 'use')}: the projector")
        predictor = None
        if name in recipe.predictor:
            table = recipe.predictor[name]
            supplied = {"in_width": width, "width": width}
            predictor = registry.build("predictor", table.use, supplied=supplied, **table.parameters)
        towers[name] = Tower(encoder, projector, predictor)
    widths = {name: cast(Projector, tower.projector).width for name, tower in towers.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise CoviewError(f"{recipe.where('projector')}: the projections differ in width: {listed}")
    return Towers(towers, recipe.view_modalities, recipe.global_views)
