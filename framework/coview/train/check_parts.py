"""Before training: whether augmentations take the data, encoders the batches, and whether these can be taken apart by
samples or views, as the gradient cache, shuffled batch norm and batch norm per view do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from coview.data.batch import Batch, leaves
from coview.data.building import build_batch_steps, build_collators, build_modalities, build_view_maker
from coview.data.dataset import Dataset
from coview.data.loader import view_loader
from coview.data.structured_batch import StructuredBatch
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.model.batch_augment import build_batch_augment, has_state
from coview.model.collectives import several_ranks
from coview.model.encoder import ChecksBatch
from coview.model.encoder_hooks import collator, collators
from coview.model.tower import Towers
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.check_lacking import check_lacking
from coview.train.check_masks import check_masks

_TRIED = (3, 4)
"""Sizes of the batches that are tried: what counts something else fits one of them by chance, and not both."""

_CONSTANT = (str, bytes, int, float, bool, type(None))


def check_parts(recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, ranks: int) -> None:
    """Refuses data that an augmentation does not take, batches that an encoder does not take, and what takes batches
    apart where they cannot be.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split, of which a few samples are read.
        student: Whose encoders may collate themselves.
        ranks: Processes that train.

    Raises:
        CoviewError: If an augmentation refuses a sample, such as a crop that is larger than the picture; if an encoder
            refuses its batch, by :class:`coview.ChecksBatch`; if the recipe has ``train.grad_cache``,
            ``teacher.shuffle_groups`` or ``train.batch_norm`` per view, and a part of a batch is not one row for each
            view of each sample; if structured batches would have to be put together; or if there are more groups than
            samples, or not as many for each rank; or as :func:`check_lacking` does.
    """
    check_lacking(recipe, dataset, student)
    batches = list(_small_batches(recipe, registry, dataset, student)) if recipe.trains else []
    augmented = _check_batches(recipe, registry, dataset, student, batches)
    check_masks(recipe, registry, dataset, student, augmented)
    if not recipe.trains:
        return
    groups = 1 if recipe.teacher is None else recipe.teacher.shuffle_groups
    _check_structured(recipe, registry, batches, ranks, shuffled=groups > 1)
    if groups > 1:
        where = recipe.where("teacher", "shuffle_groups")
        if groups > recipe.train.batch_size:
            raise CoviewError(f"{where}: {groups:,} groups of a batch of {recipe.train.batch_size:,} samples")
        if groups % ranks:
            raise CoviewError(f"{where}: {groups} groups cannot be shared by {ranks} ranks")
    asked, what = [recipe.where("teacher", "shuffle_groups")] * (groups > 1), "samples"
    if recipe.train.grad_cache is not None:
        asked.append(recipe.where("train", "grad_cache"))
    if student.apart and not asked:
        asked, what = [recipe.where("train", "batch_norm")], "views"
    if not asked:
        return
    for batch in batches:
        for inputs, views in (
            (batch.inputs, recipe.view_modalities[: recipe.global_views]),
            (batch.local_inputs, recipe.view_modalities[recipe.global_views :]),
        ):
            for name, value in inputs.items():
                if said := next(_not_rows(value, views.count(name), batch.count_of(name)), None):
                    raise CoviewError(
                        f"{asked[0]}: takes batches apart by {what}, and those of {name} have {said}",
                        hint="leave it out, or collate tensors whose first dimension counts the values, or a "
                        "coview.StructuredBatch of as many rows",
                    )


def _check_batches(
    recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, small: Iterable[Batch]
) -> list[Batch]:
    """Augments batches, and lets each encoder look at what it is trained on, and at the data as it is evaluated."""
    encoders = {name: student.encoder(name) for name in recipe.modalities}
    asked = {name: encoder for name, encoder in encoders.items() if isinstance(encoder, ChecksBatch)}
    augment = build_batch_augment(recipe, registry, encoders)
    # among several ranks a step with a state gathers the batch, which not every backend does on the CPU
    augmented = [augment(batch) for batch in small] if asked or not several_ranks() else []
    if not asked:
        return augmented
    modalities = build_modalities(recipe, registry)
    batches: list[tuple[str, Any]] = []
    for name, encoder in encoders.items():
        if name in asked and (values := list(itertools.islice(readable_values(dataset, name), min(_TRIED)))):
            batches.append((name, collator(modalities[name], encoder).collate(values)))
    for seen in augmented:
        for inputs in (seen.inputs, seen.local_inputs):
            batches += [(name, value) for name, value in inputs.items() if seen.count_of(name)]
    for name, batch in batches:
        if name in asked:
            try:
                asked[name].check_batch(batch)
            except CoviewError as error:
                where = recipe.where("encoder", *recipe.below(name), "use")
                raise CoviewError(f"{where}: {error.message}", hint=error.hint) from error
    return augmented


def _check_structured(
    recipe: Recipe, registry: Registry, batches: Iterable[Batch], ranks: int, *, shuffled: bool
) -> None:
    """Refuses what would have to put structured batches together: they can only be taken apart."""
    found = {
        name: type(leaf).__name__
        for batch in batches
        for inputs in (batch.inputs, batch.local_inputs)
        for name, value in inputs.items()
        for leaf in leaves(value)
        if not isinstance(leaf, Tensor) and isinstance(leaf, StructuredBatch)
    }
    if not found:
        return
    (modality, kind), *_ = found.items()
    wrong = ""
    if shuffled and ranks > 1:
        wrong = f"{recipe.where('teacher', 'shuffle_groups')}: shuffles the batch of all processes"
    for step in build_batch_steps(recipe, registry):
        of_modality = [view for view, name in enumerate(recipe.view_modalities) if name == step.modality]
        parts = [
            {v for v in of_modality if v < recipe.global_views},
            {v for v in of_modality if v >= recipe.global_views},
        ]
        some = any(part & set(step.views) and not part <= set(step.views) for part in parts)
        if step.modality in found and (some or (ranks > 1 and has_state(step.augmentation))):
            modality, kind = step.modality, found[step.modality]
            where = recipe.where("augment", *recipe.below(modality), step.position, "use")
            what = "makes only some of the views" if some else "works on the batch of all processes"
            wrong = f"{where}: {what} on the device"
    if wrong:
        raise CoviewError(f"{wrong}, and a {kind}, which the batches of {modality} are, cannot be put together again")


def _small_batches(recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers) -> Iterator[Batch]:
    rows = itertools.count()
    keys = [[(0, 0, next(rows) % len(dataset)) for _ in range(size)] for size in _TRIED]
    loader: Iterable[Batch] = view_loader(
        dataset,
        build_view_maker(recipe, registry),
        collators(build_collators(recipe, registry), student),
        keys,
        workers=0,
        extras=recipe.extras,
    )
    return (batch for batch in loader if len(batch))


def _not_rows(value: Any, views: int, samples: int) -> Iterator[str]:
    """What in a batch is not one row for each view of each sample."""
    rows = views * samples
    for name, leaf in _named_leaves(value):
        if isinstance(leaf, Tensor):
            if leaf.ndim == 0 or len(leaf) != rows:
                yield f"a tensor {name}of shape {tuple(leaf.shape)} for {views} views of {samples} samples"
        elif isinstance(leaf, StructuredBatch):
            if len(leaf) != rows:
                yield f"a {type(leaf).__name__} {name}of {len(leaf)} rows for {views} views of {samples} samples"
            elif (found := len(leaf.select(torch.tensor([rows - 1, 0])))) != 2:
                yield f"a {type(leaf).__name__} {name}whose select gives {found} rows where 2 are asked for"
        elif not isinstance(leaf, _CONSTANT):
            yield f"a {type(leaf).__name__} {name}where only tensors can be"


def _named_leaves(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ((f'"{key}" ', leaf) for leaf in leaves(item))
    else:
        yield from (("", leaf) for leaf in leaves(value))
