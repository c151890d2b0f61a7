"""Trying a recipe out: the model on the meta device, one small batch through it, and the loss on what comes out."""

from __future__ import annotations

from typing import Any

import torch

from coview.data.batch import map_tensors
from coview.data.building import build_dataset, build_modalities, build_view_maker
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.errors import CoviewError
from coview.experiment.evaluating import plan_evaluators
from coview.model.tower import build_towers
from coview.model.views import Views
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.length import Length

_SAMPLES = 4


def try_out(recipe: Recipe, registry: Registry) -> str:
    """Builds all that a run needs, without memory for the model, and says what the run would be.

    Raises:
        CoviewError: If something does not fit.
    """
    dataset = build_dataset(recipe.data, "train", registry)
    plan_evaluators(recipe, registry, dataset)
    length = Length.of(recipe, len(dataset))
    size = min(_SAMPLES, len(dataset))
    batches = view_loader(
        dataset,
        build_view_maker(recipe, registry),
        build_modalities(recipe, registry),
        RankBatches(Order(len(dataset), size, recipe.seed), 0, 1),
        workers=0,
    )
    batch = next(iter(batches))
    with torch.device("meta"):
        model = build_towers(recipe, registry)
        inputs: dict[str, Any] = {
            name: map_tensors(lambda tensor: tensor.to("meta"), value) for name, value in batch.inputs.items()
        }
        try:
            z_VND = model(inputs)
        except RuntimeError as error:
            shapes = {name: _shapes(value) for name, value in inputs.items()}
            raise CoviewError(f"the encoder does not take the batch {shapes}: {error}") from error
    loss = registry.build("loss", recipe.loss.use, **recipe.loss.parameters)
    generator = torch.Generator().manual_seed(recipe.seed)
    views = Views.of(
        torch.randn(z_VND.shape, generator=generator),
        modalities=recipe.view_modalities,
        ids=batch.ids,
        labels=batch.labels,
    )
    value = loss(views)
    if not torch.isfinite(value["loss"] if isinstance(value, dict) else value):
        raise CoviewError(f"the loss {recipe.loss.use} is not finite on random projections")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return (
        f"{len(dataset):,} samples, {length.total_steps:,} steps, {parameters:,} parameters, "
        f"projections {' × '.join(map(str, z_VND.shape))}"
    )


def _shapes(value: Any) -> Any:
    shapes: list[tuple[int, ...]] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(tensor.shape))
        return tensor

    map_tensors(note, value)
    return shapes[0] if len(shapes) == 1 else shapes
