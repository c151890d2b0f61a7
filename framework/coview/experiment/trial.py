"""Trying a recipe out: the model on the meta device, one small batch through it, and the loss on what comes out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from coview.data.batch import Batch, map_tensors, to_device
from coview.data.building import build_collators, build_view_maker
from coview.data.dataset import Dataset
from coview.data.loader import view_loader
from coview.data.mixture import samples_of_epoch
from coview.data.order import Order, RankBatches
from coview.data.sampler import build_order
from coview.errors import CoviewError
from coview.experiment.callbacks import build_callbacks
from coview.experiment.evaluators import build_evaluated, plan_evaluators
from coview.experiment.plan_curves import plan_curves
from coview.experiment.splits import Splits
from coview.experiment.start import start_weights
from coview.model.batch_augment import build_batch_augment
from coview.model.context import InContext, build_contexts
from coview.model.encodable import encodable
from coview.model.encoder_hooks import collators
from coview.model.loss_terms import LossTerms, build_loss, check_extras, check_labels, check_negatives
from coview.model.meta_device import tried_out
from coview.model.parameter_groups import parameter_groups
from coview.model.start import StartWeights
from coview.model.topology import Topology, build_topology
from coview.model.views import Views
from coview.model.widths import encode
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.check_batch_norm import batch_norm_notes, check_batch_norm
from coview.train.check_lengths import check_lengths
from coview.train.check_mixture import check_mixture
from coview.train.check_parts import check_parts
from coview.train.length import Length
from coview.train.optimizer import build_optimizer
from coview.train.scheduled_values import scheduled_values

_SAMPLES = 4


def try_out(recipe: Recipe, registry: Registry) -> str:
    """Builds all that a run needs, without memory for the model, and says what the run would be.

    Where the model needs real numbers (tokens are hidden, whose number depends on the batch; an encoder asks for values
    of a tensor) it is real, on the CPU, fitted as a run fits it, and encodes a few samples.

    Raises:
        CoviewError: If something does not fit.
    """
    build_callbacks(recipe, registry)
    splits = Splits(recipe, registry)
    dataset = splits.training
    build_evaluated(splits, plan_evaluators(splits))
    plan_curves(splits)
    start = start_weights(recipe, registry)
    how = ""
    if recipe.mask is None:
        tried, why = tried_out(lambda device: _Tried.on(device, recipe, registry, dataset, start))
        how = " (tried with real numbers, on the CPU)" if why else ""
    else:
        tried = _Tried.on(torch.device("cpu"), recipe, registry, dataset, start)
    check_labels(recipe, tried.loss, dataset)
    if recipe.trains and not torch.isfinite(tried.loss(tried.views)["loss"]):
        raise CoviewError(f"{recipe.where('loss')}: the loss is not finite on random projections")
    parameters = sum(parameter.numel() for parameter in tried.topology.student.parameters())
    of_epoch = samples_of_epoch(dataset)
    in_an_epoch = f", {of_epoch:,} in an epoch" if of_epoch < len(dataset) else ""
    for note in batch_norm_notes(recipe, tried.topology.student):
        warnings.warn(note.removeprefix("warning: "), stacklevel=2)
    return (
        f"{len(dataset):,} samples{in_an_epoch}, {tried.length.total_steps:,} steps, {parameters:,} parameters, "
        f"projections {' × '.join(map(str, tried.views.student.shape))}{how}"
    )


@dataclass(frozen=True)
class _Tried:
    """A recipe, built, and what the loss sees of a small batch."""

    topology: Topology
    loss: LossTerms
    length: Length
    views: Views

    @classmethod
    def on(
        cls,
        device: torch.device,
        recipe: Recipe,
        registry: Registry,
        dataset: Dataset,
        start: Mapping[str, StartWeights],
    ) -> _Tried:
        """Built on a device: "meta" has no memory, and no numbers."""
        with device:
            topology = build_topology(recipe, registry, dataset, start=start)
        student = topology.student
        loss = build_loss(recipe, registry, student.width, student.token_width, student.encoders)
        if recipe.trains:
            build_optimizer(recipe, registry, parameter_groups(recipe, registry, topology.student, loss))
        length = Length.of(recipe, samples_of_epoch(dataset), loss.smallest_batch)
        if recipe.trains:
            check_lengths(recipe, length)
            scheduled_values(recipe, registry, length)
            check_mixture(recipe, dataset, build_order(recipe, registry, dataset), length)
        check_extras(recipe, loss, dataset)
        check_negatives(recipe, dataset)
        check_parts(recipe, registry, dataset, topology.student, ranks=1)
        check_batch_norm(recipe, topology.student, ranks=1)
        size = min(_SAMPLES, len(dataset))
        batches = view_loader(
            dataset,
            build_view_maker(recipe, registry),
            collators(build_collators(recipe, registry), topology.student),
            RankBatches(Order(len(dataset), size, recipe.seed), 0, 1),
            workers=0,
            extras=recipe.extras,
            taught_by=topology.collators_of_teacher(),
        )
        batch = next(iter(batches))
        encoders = {name: topology.student.encoder(name) for name in recipe.modalities}
        batch = build_batch_augment(recipe, registry, encoders)(batch)  # the topology's has no memory for its state
        contexts = build_contexts(recipe, registry, dataset, topology.student.encoder, torch.device("cpu"))
        batch = encodable(contexts.around(batch), topology.student)
        return cls(topology, loss, length, _views(recipe, topology, batch, device))


def _views(recipe: Recipe, topology: Topology, batch: Batch, device: torch.device) -> Views:
    """What the loss sees: of random projections, or where tokens are hidden of what the model makes."""
    with device, torch.no_grad():
        try:
            if topology.masking is not None:
                masked = topology.masking.masked(batch)
                both = masked.inputs, masked.local_inputs, masked.masks, masked.local_masks
                return topology.views(topology.student(*both), topology.taught(masked, 0), masked, 0.0)
            inputs, local_inputs = (to_device(part, device) for part in (batch.inputs, batch.local_inputs))
            of_some: Any = {"present": batch.present, "samples": len(batch)}
            z_VND = topology.student(inputs, local_inputs, **of_some).predictions
            if topology.teacher is not None:
                topology.teacher.towers(inputs, **of_some)
            if topology.outside is not None:
                taught = to_device(batch.taught_inputs, device)
                topology.outside(replace(batch.with_inputs(inputs, local_inputs), taught_inputs=taught))
        except RuntimeError as error:
            if device.type == "meta":
                raise
            name = _refusing(topology, batch)
            where = recipe.where("encoder", *recipe.below(name), "use")
            shapes = [_shapes(given[name]) for given in (batch.inputs, batch.local_inputs) if name in given]
            raise CoviewError(
                f'{where}: the encoder "{recipe.encoder[name].use}" does not take the batch '
                f"{', '.join(map(str, shapes))}: {error}"
            ) from error
    generator = torch.Generator().manual_seed(recipe.seed)
    V, N, D = z_VND.shape
    G = recipe.global_views
    of_teacher = D if topology.outside is None else topology.outside.width
    return Views.of(
        torch.randn(V, N, D, generator=generator),
        teacher=torch.randn(G, N, of_teacher, generator=generator) if recipe.teacher else None,
        global_views=G,
        modalities=recipe.view_modalities,
        roles=recipe.roles,
        ids=batch.ids,
        labels=batch.labels,
        extras=batch.extras,
        negative_ids=batch.negative_ids,
        queue=None if recipe.queue is None else torch.randn(8, D, generator=generator),
        queue_labels=None if recipe.queue is None else torch.zeros(8, dtype=torch.int64),
        queue_views=None if recipe.queue is None else torch.zeros(8, dtype=torch.int64),
    )


def _refusing(topology: Topology, batch: Batch) -> str:
    """The modality whose encoder does not take its batch; the last where it is none of the others."""
    *others, last = topology.student.towers
    for name in others:
        for given in (batch.inputs, batch.local_inputs):
            try:
                if name in given:
                    encode(topology.student.encoder(name), given[name])
            except RuntimeError:
                return name
    return last


def _shapes(value: Any) -> Any:
    value = value.batch if isinstance(value, InContext) else value
    shapes: list[Any] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(tensor.shape))
        return tensor

    map_tensors(note, value, lambda batch: shapes.append(f"{type(batch).__name__} of {len(batch)} rows"))
    return shapes[0] if len(shapes) == 1 else shapes
