"""Embedding on all ranks of a run: each encodes its share of the batches, and the main process gets them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from coview.errors import CoviewError
from coview.evaluate.embedding import ALL, EmbeddedBatch, Share
from coview.evaluate.result import FeatureKind
from coview.experiment.measured_tower import MeasuredTower
from coview.experiment.splits import DataSource
from coview.model.collectives import waiting_group

Embed = Callable[[Share], Iterator[EmbeddedBatch]]


@dataclass(frozen=True)
class Wanted:
    """What the main process asks the other ranks to embed with it.

    Attributes:
        source: The data.
        split: Of the data.
        kind: By which model.
        tower: By which tower of the model.
        rows: Which samples of the split; None: all.
    """

    source: DataSource
    split: str
    kind: FeatureKind
    tower: MeasuredTower
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True)
class EmbeddingRanks:
    """The ranks of a run while it is evaluated; by default this process alone.

    The main process evaluates, and asks for what it needs; the others wait for what they are asked, however long a
    probe takes. What is embedded is the same, bit for bit, for any number of ranks: the batches are those of one.
    """

    _group: Any = None

    @classmethod
    def of_run(cls) -> EmbeddingRanks:
        """All ranks of a run. Each of them calls it, at the same place."""
        return cls(waiting_group())

    @contextmanager
    def leading(self) -> Iterator[None]:
        """While the main process evaluates; afterwards the other ranks are let go, unless it is interrupted, as they
        are then too."""
        try:
            yield
        except Exception:
            self._tell(None)
            raise
        self._tell(None)

    def together(self, wanted: Wanted, embed: Embed) -> Iterator[EmbeddedBatch]:
        """All batches of a split in order, on the main process.

        Args:
            wanted: What the other ranks are to embed.
            embed: Embeds this one's share.

        Raises:
            CoviewError: If another rank could not embed its share.
        """
        if self._group is None:
            yield from embed(ALL)
            return
        self._tell(wanted)
        shares: list[Any] = [None] * dist.get_world_size()
        failure: Exception | None = None
        own: list[EmbeddedBatch] = []
        try:
            own = list(embed(self._share))
        except Exception as error:
            failure = error
        dist.gather_object(own, shares, group=self._group)
        if failure is not None:
            raise failure
        if failures := [share for share in shares if isinstance(share, str)]:
            raise CoviewError(f"another rank could not embed its share of {wanted.split}: {failures[0]}")
        yield from sorted((batch for share in shares for batch in share), key=lambda batch: batch.number)

    def follow(self, embed: Callable[[Wanted, Share], Iterator[EmbeddedBatch]]) -> None:
        """What a rank that is not the main process does while that evaluates.

        Args:
            embed: Embeds a share of what is wanted.
        """
        while (wanted := self._told()) is not None:
            share: list[EmbeddedBatch] | str
            failure: Exception | None = None
            try:
                share = list(embed(wanted, self._share))
            except Exception as error:
                share, failure = f"{type(error).__name__}: {error}", error
            dist.gather_object(share, group=self._group)
            if failure is not None and not isinstance(failure, CoviewError):
                raise failure

    @property
    def _share(self) -> Share:
        return Share(dist.get_rank(), dist.get_world_size())

    def _tell(self, wanted: Wanted | None) -> None:
        if self._group is not None:
            dist.broadcast_object_list([wanted], src=0, group=self._group)

    def _told(self) -> Wanted | None:
        told: list[Wanted | None] = [None]
        dist.broadcast_object_list(told, src=0, group=self._group)
        return told[0]
