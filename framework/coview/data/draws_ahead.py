"""The numbers of all steps of a pipeline of batches, drawn together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from coview.data.batch_rng import WORDS, BatchRng, Drawn, Part, draw

Ahead = Mapping[tuple[tuple[int, ...], bool], Mapping[tuple[int, int | None], Tensor]]
"""What was drawn ahead: by views and whether once for each, then by position and whose numbers they are."""


class BatchKey(NamedTuple):
    """What all draws for a batch have in common.

    Attributes:
        seed: The run's.
        epoch: Counted from 0.
        number: The number of the batch in its epoch, ``(1,)`` int64 on its device.
        ids_N: Its samples, int64, on its device.
    """

    seed: int
    epoch: int
    number: Tensor
    ids_N: Tensor


class DrawsAhead:
    """Draws together what the steps of a pipeline drew for the batch before.

    On a GPU a draw costs some eighty kernels, however few its numbers are.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[tuple[int, ...], bool], dict[tuple[int, int | None], Part]] = {}

    def of_batch(self, key: BatchKey) -> DrawsOfBatch:
        """For one batch."""
        return DrawsOfBatch(key, self._ahead(key))

    def note(self, draws: DrawsOfBatch) -> None:
        """Takes what was drawn for a batch for what will be drawn for the next."""
        self._parts = {}
        for (views, position, drawn_as), rng in draws.made.items():
            for of_view, blocks in ((False, rng.blocks), (True, rng.view_blocks)):
                if blocks:
                    parts = self._parts.setdefault((views, of_view), {})
                    parts[position, drawn_as] = Part(position, 0, blocks, drawn_as)

    def _ahead(self, key: BatchKey) -> Ahead:
        found: dict[tuple[tuple[int, ...], bool], dict[tuple[int, int | None], Tensor]] = {}
        for (views, of_view), parts in self._parts.items():
            ids = key.number if of_view else key.ids_N
            drawn = draw(key.seed, key.epoch, ids, views, tuple(parts.values()), of_view)
            of_steps = drawn.split([part.end * WORDS for part in parts.values()], dim=1)
            found[views, of_view] = dict(zip(parts, of_steps, strict=True))
        return found


class DrawsOfBatch:
    """The generators of a pipeline's steps for one batch.

    Attributes:
        key: Of the batch.
        ahead: What was drawn ahead.
        made: The generators that were asked for, by views, position, and whose numbers they draw.

    Args:
        key: Of the batch.
        ahead: What was drawn ahead.
        no_more: Whether to draw nothing but that.
    """

    def __init__(self, key: BatchKey, ahead: Ahead, *, no_more: bool = False) -> None:
        self.key, self.ahead = key, ahead
        self._no_more = no_more
        self.made: dict[tuple[tuple[int, ...], int, int | None], BatchRng] = {}

    def rng(self, views: tuple[int, ...], position: int, drawn_as: int | None = None) -> BatchRng:
        """The generator of a step for some of the views: the numbers of any other :class:`BatchRng` of its own."""
        at = position, drawn_as
        by_row, by_view = (self.ahead.get((views, of_view), {}).get(at) for of_view in (False, True))
        found = self.rng_of(self.key.ids_N, views, position, drawn_as, Drawn(by_row, by_view))
        self.made[views, position, drawn_as] = found
        return found

    def rng_of(
        self, ids_N: Tensor, views: tuple[int, ...], position: int, drawn_as: int | None, ahead: Drawn | None = None
    ) -> BatchRng:
        """The generator of a step for other samples, such as those of all ranks."""
        return BatchRng(
            self.key.seed,
            self.key.epoch,
            ids_N,
            views,
            position,
            number=self.key.number,
            drawn_as=drawn_as,
            ahead=ahead,
            no_more=self._no_more,
        )
