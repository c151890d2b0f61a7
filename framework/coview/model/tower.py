"""An encoder and its projector, one tower for each modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.contracts import Encoder, Projector
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Tower(nn.Module):
    """From a modality's batch to projections.

    Args:
        encoder: With a ``width``.
        projector: Built for that width.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, batch: Any) -> Tensor:
        """The projections ``(N, width)`` of a batch."""
        encoding = cast(Encoder, self.encoder)(batch)
        return cast(Projector, self.projector)(encoding.pooled_ND)


class Towers(nn.Module):
    """The model that is trained: from the views of a batch to ``z_VND``.

    Args:
        towers: One for each modality.
        of_view: The modality of each view.
    """

    def __init__(self, towers: Mapping[str, Tower], of_view: Sequence[str]) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(towers)
        self._of_view = tuple(of_view)

    def forward(self, inputs: Mapping[str, Any]) -> Tensor:
        """All views of a modality go through its tower at once, so that batch norm sees them together.

        Args:
            inputs: For each modality its batch, all its views below each other, view by view.

        Returns:
            ``z_VND``, in the order of the views.
        """
        by_modality: dict[str, list[Tensor]] = {}
        for name, batch in inputs.items():
            z = self.towers[name](batch)
            by_modality[name] = list(z.view(self._of_view.count(name), -1, z.shape[-1]))
        return torch.stack([by_modality[name].pop(0) for name in self._of_view])

    def encoder(self, modality: str) -> nn.Module:
        """The encoder of a modality."""
        return cast(Tower, self.towers[modality]).encoder


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
            supplied={"in_width": encoder.width},
            **projector_table.parameters,
        )
        towers[name] = Tower(encoder, projector)
    widths = {name: cast(Projector, tower.projector).width for name, tower in towers.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise CoviewError(f"{recipe.where('projector')}: the projections differ in width: {listed}")
    return Towers(towers, recipe.view_modalities)
