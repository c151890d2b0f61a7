"""What one core of this machine makes of the data: samples with all their views, collated."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil

from coview.data.batch import Batch
from coview.data.building import build_collators, build_view_maker
from coview.data.dataset import Dataset
from coview.data.loader import view_loader
from coview.data.threads import computing_on
from coview.errors import CoviewError
from coview.experiment.estimate.one_step import FEW
from coview.model.encoder_hooks import collators
from coview.model.topology import Topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class LoaderSpeed:
    """What was measured.

    Attributes:
        samples: How many were made.
        core_seconds: What each of them took a core.
        bytes_read: What was read from files for each of them; 0 where they are in memory, or mapped into it; None
            where the system does not say.
    """

    samples: int
    core_seconds: float
    bytes_read: float | None


def loader_speed(
    recipe: Recipe, registry: Registry, dataset: Dataset, topology: Topology, samples: int, seconds: float
) -> tuple[LoaderSpeed, Batch]:
    """Makes batches for some seconds, each twice as large as the one before, up to that of a process.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split.
        topology: Whose encoders may collate themselves.
        samples: Of a process.
        seconds: For how long.

    Returns:
        How fast it was, and the largest batch.

    Raises:
        CoviewError: If no sample can be read.
    """
    loader = view_loader(
        dataset,
        build_view_maker(recipe, registry),
        collators(build_collators(recipe, registry), topology.student),
        _growing(len(dataset), recipe.seed, max(samples, FEW[-1])),
        workers=0,
        extras=recipe.extras,
        taught_by=topology.collators_of_teacher(),
    )
    with computing_on(1):  # as a loader process does
        batch = next(loader)  # what is made at first is not measured: libraries are imported
        started, read, made = time.process_time(), _bytes_read(), 0
        while made == 0 or time.process_time() - started < seconds:
            batch = next(loader)
            made += batch.rows_read()
        spent, read_now = time.process_time() - started, _bytes_read()
    if len(batch) < FEW[-1]:
        raise CoviewError(f"data {recipe.data_named}: of {batch.rows_read()} samples {len(batch)} can be read")
    of_each = None if read is None or read_now is None else (read_now - read) / made
    return LoaderSpeed(made, spent / made, of_each), batch


def _growing(rows: int, seed: int, most: int) -> Iterator[list[tuple[int, int, int]]]:
    """Epoch, number and row of the samples of batches that grow; rows come again in another epoch, in other views."""
    order = np.random.default_rng(seed).permutation(rows)
    size, taken = FEW[-1], 0
    number = 0
    while True:
        places = range(taken, taken + size)
        yield [(place // rows, number, int(order[place % rows])) for place in places]
        taken, number, size = taken + size, number + 1, min(2 * size, most)


def _bytes_read() -> int | None:
    """By this process, from files, whether they lie in the system's cache or not."""
    return int(psutil.Process().io_counters().read_chars) if sys.platform == "linux" else None
