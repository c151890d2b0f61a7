"""Before training: whether a mask can be used on the tokens that the encoder has, and leaves and hides some of each
sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from coview.data.batch import Batch
from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.modality import HasLengths
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.model.context import build_contexts
from coview.model.encoder_hooks import collator
from coview.model.masking import Masking, build_masking
from coview.model.tower import Towers
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

_LOOKED_AT = 1000
"""Samples among which the shortest are looked for."""
_SHORTEST = 4


def check_masks(
    recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, augmented: Iterable[Batch]
) -> None:
    """Refuses a mask that cannot be used on the tokens, or hides nothing or all of a sample.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split, of which a few samples are read.
        student: Whose encoder says which tokens there are.
        augmented: A few batches as they are trained on.

    Raises:
        CoviewError: With the line of the recipe that has the mask.
    """
    masking = build_masking(recipe, registry, student)
    if masking is None:
        return
    try:
        for value, rows in _values(recipe, registry, dataset, student, augmented):
            _check(masking, value, rows)
    except CoviewError as error:
        raise CoviewError(f"{recipe.where('mask', 'use')}: {error.message}", hint=error.hint) from error


def _values(
    recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, augmented: Iterable[Batch]
) -> Iterator[tuple[Any, int]]:
    """Batches of the one modality, and how many rows they have: the shortest samples as they are, then views."""
    (name,) = recipe.modalities
    contexts = build_contexts(recipe, registry, dataset, student.encoder, torch.device("cpu"))
    modality = build_modalities(recipe, registry)[name]
    if isinstance(modality, HasLengths):
        values = sorted(itertools.islice(readable_values(dataset, name), _LOOKED_AT), key=modality.length)[:_SHORTEST]
        yield contexts.unchanged(name, collator(modality, student.encoder(name)).collate(values)), len(values)
    for batch in map(contexts.around, augmented):
        if name in batch.inputs:
            yield batch.inputs[name], len(batch) * recipe.global_views


def _check(masking: Masking, value: Any, rows: int) -> None:
    layout, hidden_NT = masking.hidden(value, torch.arange(rows))
    tokens_N, hidden_N = layout.maskable_NT.sum(1), hidden_NT.sum(1)
    for what, wrong_N in (("nothing", hidden_N == 0), ("all", hidden_N == tokens_N)):
        if bool(wrong_N.any()):
            tokens = int(tokens_N[wrong_N][0])
            raise CoviewError(
                f"it hides {what} of a sample of {tokens} token{'s' * (tokens != 1)}",
                hint="change its ratio, leave such short samples out, or make the encoder's tokens smaller",
            )
