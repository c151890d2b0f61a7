"""Makes the masks of a batch, on the device that trains, from what its encoders say of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from coview.data.batch import Batch
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, Mask, TokenLayout, TokenMask
from coview.errors import CoviewError
from coview.model.masked_calls import token_layout
from coview.model.masked_encoder import TakesMask
from coview.model.token_task import that_takes_mask
from coview.model.tower import Towers
from coview.plugins.registry import Registry
from coview.recipe.recipe import MaskTable, Recipe

_OF_THE_MASK, _OF_THE_VIEW, _OF_TOKENS = 2**32, 2**32 + 1, 2**32 + 2
"""In place of a step's position, which is far below."""


class Masking:
    """Masks views of one modality.

    Args:
        seed: The run's.
        modality: Whose views.
        views: All its views by number, the global ones before the local ones.
        global_views: How many of all views are global.
        table: The recipe's.
        mask: What it names.
        encoder: Whose tokens are hidden.
    """

    def __init__(
        self,
        seed: int,
        modality: str,
        views: tuple[int, ...],
        global_views: int,
        table: MaskTable,
        mask: Mask,
        encoder: TakesMask,
    ) -> None:
        self._seed = seed
        self._modality = modality
        self._global = tuple(view for view in views if view < global_views)
        self._local = tuple(view for view in views if view >= global_views)
        self._makes = {view for view in views if table.makes(view, global_views)}
        self._table = table
        self._mask = mask
        self._encoder = encoder
        self._scheduled: Callable[[int], Mapping[str, float]] | None = None

    def schedule(self, values: Callable[[int], Mapping[str, float]]) -> None:
        """Lets some of the mask's values be functions of the epoch."""
        self._scheduled = values

    @torch.no_grad()
    def masked(self, batch: Batch) -> Batch:
        """The batch with its masks."""
        made = []
        for inputs, views in ((batch.inputs, self._global), (batch.local_inputs, self._local)):
            masks = {}
            if self._modality in inputs and self._makes & set(views):
                masks[self._modality] = self._of(inputs[self._modality], batch, views)
            made.append(masks)
        return batch.with_masks(*made)

    @torch.no_grad()
    def hidden(self, value: Any, ids_N: Tensor) -> tuple[TokenLayout, Tensor]:
        """Which tokens some values have, and which of them the mask hides where all of them are masked.

        Args:
            value: A batch for the encoder.
            ids_N: Of its rows.
        """
        layout, made = self._made(value, BatchRng(self._seed, 0, ids_N, (0,), _OF_THE_MASK))
        return layout, made.hidden_NT & layout.maskable_NT

    def _made(self, value: Any, rng: BatchRng) -> tuple[TokenLayout, Hidden]:
        layout = token_layout(self._encoder, value)
        made = self._mask(layout, rng)
        check_hidden(type(self._mask).__name__, layout, made)
        return layout, made

    def _of(self, value: Any, batch: Batch, views: tuple[int, ...]) -> TokenMask:
        number = batch.ids.new_full((1,), batch.number)

        def rng(position: int) -> BatchRng:
            return BatchRng(self._seed, batch.epoch, batch.ids, views, position, number=number)

        settings, probability = self._table.settings, self._table.settings.probability
        for name, now in ({} if self._scheduled is None else self._scheduled(batch.epoch)).items():
            if name == "probability":
                probability = now
            else:
                setattr(self._mask, name, now)
        layout, hidden = self._made(value, rng(_OF_THE_MASK))
        masked_N = rng(_OF_THE_VIEW).chance(probability)
        for place, view in enumerate(views):
            if view not in self._makes:
                masked_N[place * len(batch) : (place + 1) * len(batch)] = False
        may_NT = layout.maskable_NT & masked_N[:, None]
        hidden_NT = hidden.hidden_NT & may_NT
        wanted_NBT = (
            hidden_NT[:, None]
            if hidden.wanted_NBT is None
            else hidden.wanted_NBT & (layout.real_NT & masked_N[:, None])[:, None]
        )
        replaced_NT, swap_NT = hidden_NT, None
        if settings.kept or settings.swapped:
            tokens = layout.real_NT.shape[1]
            what_NT, swap_NT = rng(_OF_TOKENS).uniform(2 * tokens).unflatten(1, (tokens, 2)).unbind(-1)
            is_swapped_NT = hidden_NT & (what_NT < settings.swapped)
            replaced_NT = hidden_NT & (what_NT >= settings.swapped + settings.kept)
            swap_NT = swap_NT.masked_fill(~is_swapped_NT, -1)
        return TokenMask(layout, hidden_NT, replaced_NT, wanted_NBT, settings.hide, swap_NT)


def check_hidden(name: str, layout: TokenLayout, hidden: Any) -> None:
    """Refuses what a mask has made where it is no :class:`Hidden` of the layout's shape.

    Raises:
        CoviewError: With what it is.
    """
    shape = tuple(layout.real_NT.shape)
    if not isinstance(hidden, Hidden):
        said = f"has to return a coview.Hidden, and returns a {type(hidden).__name__}"
    elif not _is_mask(hidden.hidden_NT, shape):
        said = f"has to make hidden_NT of shape {shape} and type bool"
    elif hidden.wanted_NBT is not None and not _is_mask(hidden.wanted_NBT[:, 0], shape):
        said = f"has to make wanted_NBT of shape {(shape[0], 'B', shape[1])} and type bool"
    else:
        return
    raise CoviewError(f"the mask {name} {said}", hint="tell the author of the plugin")


def build_masking(recipe: Recipe, registry: Registry, student: Towers) -> Masking | None:
    """The masking of a recipe; None where it has none.

    Raises:
        CoviewError: If the encoder takes no mask, or cannot hide as the recipe asks.
    """
    table = recipe.mask
    if table is None:
        return None
    (modality,) = recipe.modalities
    encoder = that_takes_mask(recipe, student.encoder(modality))
    wanted = {table.settings.hide: "hide"} | ({"swap": "swapped"} if table.settings.swapped else {})
    for what, key in wanted.items():
        if what not in encoder.hides:
            can = " or ".join(f'"{other}"' for other in ("replace", "drop") if other in encoder.hides)
            said = (
                f'cannot "{what}" tokens; it can {can}' if what != "swap" else "has no other token to put in its place"
            )
            use = recipe.encoder[modality].use
            raise CoviewError(f'{recipe.where("mask", key)}: the encoder "{use}" {said}')
    views = tuple(view for view, of in enumerate(recipe.view_modalities) if of == modality)
    mask = registry.build("mask", table.use, **table.parameters)
    return Masking(recipe.seed, modality, views, recipe.global_views, table, mask, encoder)


def _is_mask(found: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(found, Tensor) and found.dtype == torch.bool and tuple(found.shape) == shape
