"""The numbers of all steps of a pipeline of batches, drawn together."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from coview.data.batch_rng import WORDS, BatchRng, draw

Ahead = Mapping[tuple[int, ...], Mapping[int, Tensor]]
"""What was drawn ahead, by views and position."""


class DrawsAhead:
    """Draws together what the steps of a pipeline drew for the batch before.

    On a GPU a draw costs some eighty kernels, however few its numbers are.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._blocks: dict[tuple[int, ...], dict[int, int]] = {}

    def of_batch(self, epoch: int, ids_N: Tensor) -> DrawsOfBatch:
        """For one batch.

        Args:
            epoch: Counted from 0.
            ids_N: The samples of the batch, int64, on its device.
        """
        return DrawsOfBatch(self._seed, epoch, ids_N, self._ahead(epoch, ids_N))

    def note(self, draws: DrawsOfBatch) -> None:
        """Takes what was drawn for a batch for what will be drawn for the next."""
        self._blocks = {}
        for (views, position), rng in draws.made.items():
            if rng.blocks:
                self._blocks.setdefault(views, {})[position] = rng.blocks

    def _ahead(self, epoch: int, ids_N: Tensor) -> Ahead:
        found: dict[tuple[int, ...], dict[int, Tensor]] = {}
        for views, blocks in self._blocks.items():
            parts = tuple((position, 0, count) for position, count in blocks.items())
            drawn = draw(self._seed, epoch, ids_N, views, parts)
            of_steps = drawn.split([count * WORDS for count in blocks.values()], dim=1)
            found[views] = dict(zip(blocks, of_steps, strict=True))
        return found


class DrawsOfBatch:
    """The generators of a pipeline's steps for one batch.

    Attributes:
        epoch, ids: Of the batch.
        ahead: What was drawn ahead.
        made: The generators that were asked for, by views and position.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        ids_N: The samples of the batch.
        ahead: What was drawn ahead.
        no_more: Whether to draw nothing but that.
    """

    def __init__(self, seed: int, epoch: int, ids_N: Tensor, ahead: Ahead, *, no_more: bool = False) -> None:
        self._seed = seed
        self._no_more = no_more
        self.epoch, self.ids, self.ahead = epoch, ids_N, ahead
        self.made: dict[tuple[tuple[int, ...], int], BatchRng] = {}

    def rng(self, views: tuple[int, ...], position: int) -> BatchRng:
        """The generator of a step for some of the views: the numbers of any other :class:`BatchRng` of its own."""
        ahead = self.ahead.get(views, {}).get(position)
        found = BatchRng(self._seed, self.epoch, self.ids, views, position, ahead=ahead, no_more=self._no_more)
        self.made[views, position] = found
        return found
