"""The folder of what a comparison's cells share while they are run: made before the first, removed after the last."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from coview.compare.cells import FoundCell
from coview.data.atomic import name_beside, remove_abandoned
from coview.data.view_bank import put_on, why_off
from coview.experiment.shared_work import SharedWork, stream_of_views

_NAME = "shared"


@dataclass
class Sharing:
    """What cells share, and which of them still need it.

    Attributes:
        work: What a run is given.
        waiting: By stream of views how many cells have not ended.
        stopped: Why views were no longer kept at some time; empty if they always were.
    """

    work: SharedWork
    waiting: Counter[str]
    stopped: str = ""

    def ended(self, found: FoundCell) -> None:
        """Removes the views that no cell needs any more once this one has ended."""
        bank, stream = self.work.bank_folder, stream_of_views(found.cell.recipe)
        self.stopped = self.stopped or why_off(bank)
        self.waiting[stream] -= 1
        if not self.waiting[stream] and stream in self.work.views:
            shutil.rmtree(bank / stream, ignore_errors=True)
            put_on(bank)


def side_by_side(cells: Sequence[FoundCell], at_a_time: int) -> list[FoundCell]:
    """The cells in an order in which those that run together share no views, as far as there are others.

    Two cells of one stream of views that begin together make the same views twice. So as many streams as cells run
    together are gone through side by side.

    Args:
        cells: In the order in which they are wanted.
        at_a_time: How many run together.
    """
    streams: dict[str, list[FoundCell]] = {}
    for found in cells:
        streams.setdefault(stream_of_views(found.cell.recipe), []).append(found)
    groups = list(streams.values())
    turns = (zip_longest(*groups[at : at + at_a_time]) for at in range(0, len(groups), at_a_time))
    return [found for turn in chain.from_iterable(turns) for found in turn if found is not None]


@contextmanager
def sharing(
    cells: Sequence[FoundCell], folder: Path, bank_gb: float, say: Callable[[str], None] = print
) -> Iterator[Sharing | None]:
    """What these cells can share, in a folder below ``folder`` that is removed at the end; None where that is nothing.

    A disk that has no place for the folder costs no run: it is said, and each cell makes its own.

    Args:
        cells: Those that have to be run.
        folder: Of the comparison.
        bank_gb: How much disk views may take; 0: none are kept.
        say: Tells why nothing can be shared.
    """
    if len(cells) < 2:
        yield None
        return
    waiting = Counter(stream_of_views(found.cell.recipe) for found in cells if found.cell.recipe.trains)
    several = tuple(sorted(stream for stream, count in waiting.items() if count > 1)) if bank_gb else ()
    path = name_beside(folder / _NAME)
    try:
        remove_abandoned(folder, f".{_NAME}.*.tmp")
        work = SharedWork(path.absolute(), several, int(bank_gb * 2**30))
        work.bank_folder.mkdir(parents=True)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        say(f"  cells share nothing, each makes its own views: {folder} cannot be written: {error.strerror or error}")
        yield None
        return
    try:
        yield Sharing(work, waiting)
    finally:
        shutil.rmtree(path, ignore_errors=True)
