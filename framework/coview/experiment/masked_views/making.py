"""Views with their masks, those that training makes, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from coview.data.batch import Batch
from coview.data.building import build_collators, build_view_maker
from coview.data.dataset import Dataset
from coview.data.loader import view_loader
from coview.data.order import Order
from coview.data.token_mask import TokenMask
from coview.model.batch_augment import build_batch_augment
from coview.model.context import Contexts, build_contexts
from coview.model.encoder_hooks import collators
from coview.model.masking import Masking
from coview.model.token_task import Part
from coview.model.tower import Towers
from coview.model.views_apart import views_apart
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class MaskedView:
    """A view of one sample, as the encoder gets it.

    Attributes:
        row: Of the data.
        id: The sample's.
        epoch, view: Which view, both counted from 0.
        is_global: Whether the teacher sees it, where there is one.
        batch: The encoder's, of this view alone.
        mask: What is hidden of it; None where such views are not masked.
    """

    row: int
    id: int
    epoch: int
    view: int
    is_global: bool
    batch: Any
    mask: TokenMask | None


@dataclass(frozen=True)
class MaskedViews:
    """Makes them.

    A mask is the one that training makes in that epoch, also where a part of it is drawn once for a batch: the number
    of the batch that the sample is in is looked up. What augmentations remember of earlier batches is left out.

    Attributes:
        recipe: Of one modality, with a mask.
        registry: Where its components come from.
        dataset: Whose samples.
        student: With the encoder, on any device.
        masking: The recipe's.
        order: Of the training, where these are the data that are trained on; absent: batches have no numbers.
    """

    recipe: Recipe
    registry: Registry
    dataset: Dataset
    student: Towers
    masking: Masking
    order: Order | None = None
    _numbers: dict[int, Mapping[int, int]] = field(default_factory=dict, repr=False)

    def __call__(self, rows: Iterable[int], epoch: int = 0) -> Iterator[list[MaskedView]]:
        """All views of each sample that can be read, the global ones before the local ones."""
        keys = ([(epoch, self._number(row, epoch), row)] for row in rows)
        loader = view_loader(
            self.dataset,
            build_view_maker(self.recipe, self.registry),
            collators(build_collators(self.recipe, self.registry), self.student),
            keys,
            workers=0,
        )
        for batch in loader:
            if len(batch):
                yield list(self._views(batch))

    @cached_property
    def _augment(self) -> torch.nn.Module:
        encoders = {name: self.student.encoder(name) for name in self.recipe.modalities}
        return build_batch_augment(self.recipe, self.registry, encoders, remembers=False).to(self._device)

    @cached_property
    def _contexts(self) -> Contexts:
        return build_contexts(self.recipe, self.registry, self.dataset, self.student.encoder, self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.student.parameters()).device

    def _number(self, row: int, epoch: int) -> int:
        """Of the batch in its epoch that a row of the training split is in; 0 of one that is in none."""
        order = self.order
        if order is None:
            return 0
        if epoch not in self._numbers:
            taken = order.epoch(epoch)[: order.batches_per_epoch * order.batch_size].tolist()
            self._numbers[epoch] = {taken_row: place // order.batch_size for place, taken_row in enumerate(taken)}
        return self._numbers[epoch].get(row, 0)

    def _views(self, batch: Batch) -> Iterator[MaskedView]:
        (name,) = self.recipe.modalities
        with torch.no_grad():
            made = self.masking.masked(self._contexts.around(self._augment(batch.to(self._device))))
        parts: Sequence[tuple[Any, Any]] = ((made.inputs, made.masks), (made.local_inputs, made.local_masks))
        view = 0
        for inputs, masks in parts:
            count = 0 if name not in inputs else self.recipe.global_views if inputs is made.inputs else self._local
            for part in views_apart(Part(inputs[name], masks.get(name)), count) if count else []:
                is_global = inputs is made.inputs
                yield MaskedView(batch.rows[0], int(batch.ids[0]), batch.epoch, view, is_global, part.batch, part.mask)
                view += 1

    @property
    def _local(self) -> int:
        return len(self.recipe.view_modalities) - self.recipe.global_views
