"""Progress: one line that moves on a terminal; elsewhere plain lines, few enough to stay readable."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

T = TypeVar("T")
Clock = Callable[[], float]

_REDRAW = 0.2  # seconds between two redraws of the bar
_WINDOW = 30.0  # seconds over which the speed is measured


class Progress:
    """Shows how far training is.

    On a terminal a bar; elsewhere a line at the first and the last step, between them at most one every ten
    seconds (every minute once a run takes hours), and at the end of each epoch that takes longer than that.

    Args:
        total_steps: Of the whole run.
        steps_per_epoch: Of one epoch.
        batch_size: Samples in a step, over all ranks.
        start_step: Where a resumed run goes on from.
        console: Where to write; standard error by default, so that a command's output stays its own.
        clock: Seconds, from any start.
    """

    def __init__(
        self,
        total_steps: int,
        steps_per_epoch: int,
        batch_size: int,
        start_step: int = 0,
        console: Console | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._total = total_steps
        self._per_epoch = max(1, steps_per_epoch)
        self._epochs = max(1, math.ceil(total_steps / self._per_epoch))
        self._batch_size = batch_size
        self._console = console or _console()
        self._speed = _Speed(clock)
        self._log = Throttle(clock)
        self._first = start_step + 1
        self._loss = math.nan
        self._bar = _Bar(self._console, clock, total_steps, start_step) if self._console.is_terminal else None

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Notes that a step is done. ``values`` may have ``loss``; without it the last one stays."""
        self._speed.note(step)
        self._loss = float(values.get("loss", self._loss))
        last = step >= self._total
        if self._bar is not None:
            if self._bar.due or last:
                self._bar.show(step, "  ".join(self._parts(step)))
            return
        epoch_ends = step % self._per_epoch == 0
        if step == self._first or last or self._log.due or (epoch_ends and self._log.slow):
            self._console.print("  ".join(self._parts(step)), highlight=False, soft_wrap=True)
            self._log.done()
        if epoch_ends:
            self._log.epoch_ended()

    def _parts(self, step: int) -> list[str]:
        epoch = min((step - 1) // self._per_epoch + 1, self._epochs)
        parts = [f"step {step:,}/{self._total:,}", f"epoch {epoch}/{self._epochs}"]
        if math.isfinite(self._loss):
            parts.append(f"loss {self._loss:.4g}")
        if (speed := self._speed.per_second) is not None:
            parts.append(f"{_rate(speed * self._batch_size)} samples/s")
            if step < self._total:
                parts.append(f"{duration((self._total - step) / speed)} left")
        return parts

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _one(item: object) -> int:
    return 1


def track_items(
    items: Iterable[T],
    total: int,
    description: str,
    *,
    size: Callable[[T], int] | None = None,
    console: Console | None = None,
    clock: Clock = time.monotonic,
) -> Iterator[T]:
    """Yields the items and shows how many are done: ``embedding train: 12,000/50,000``.

    Elsewhere than on a terminal it is silent about what takes less than ten seconds.

    Args:
        items: What to go through.
        total: How many there are, counted as ``size`` counts.
        description: What is being done.
        size: How many an item counts for, such as the rows of a batch; absent: one.
        console: Where to write; standard error by default.
        clock: Seconds, from any start.
    """
    size = size or _one
    console = console or _console()
    if console.is_terminal:
        bar = _Bar(console, clock, total, 0)
        bar.start()
        try:
            done = 0
            for item in items:
                yield item
                done += size(item)
                if bar.due or done >= total:
                    bar.show(done, f"{description}: {done:,}/{total:,}")
        finally:
            bar.stop()
        return
    log, done, spoken = Throttle(clock), 0, False
    for item in items:
        yield item
        done += size(item)
        if log.due or (spoken and done >= total):
            console.print(f"{description}: {done:,}/{total:,}", highlight=False, soft_wrap=True)
            log.done()
            spoken = True


def duration(seconds: float) -> str:
    """A time span as a person says it: ``8s``, ``1m40s``, ``2h05m``, ``3d04h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = round(whole / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    hours = round(minutes / 60)
    return f"{hours // 24}d{hours % 24:02d}h"


def _console() -> Console:
    from coview.track.console import make_console  # its tables of results cost start-up time

    return make_console(stderr=True)


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


class _Speed:
    """Steps a second over the last half minute, so that a pause for a checkpoint is soon forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._points: deque[tuple[float, int]] = deque()
        self._now: tuple[float, int] | None = None

    def note(self, step: int) -> None:
        self._now = now = (self._clock(), step)
        if not self._points or now[0] - self._points[-1][0] >= _WINDOW / 100:
            self._points.append(now)
        while len(self._points) > 2 and now[0] - self._points[1][0] >= _WINDOW:
            self._points.popleft()

    @property
    def per_second(self) -> float | None:
        if self._now is None:
            return None
        seconds, steps = self._now[0] - self._points[0][0], self._now[1] - self._points[0][1]
        return steps / seconds if seconds > 0 and steps > 0 else None


class Throttle:
    """When a plain line is due: ten seconds after the last, later in a long run, at most a minute.

    CI systems take a job that is silent for ten minutes for dead; a night's log should still be readable.

    Args:
        clock: Seconds, from any start.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._start = self._last = self._epoch = clock()

    @property
    def _interval(self) -> float:
        return min(60.0, max(10.0, (self._clock() - self._start) / 60))

    @property
    def due(self) -> bool:
        """Whether it is."""
        return self._clock() - self._last >= self._interval

    @property
    def slow(self) -> bool:
        """Whether an epoch takes longer than the time between two lines."""
        return self._clock() - self._epoch >= self._interval

    def done(self) -> None:
        """Notes that a line was written."""
        self._last = self._clock()

    def epoch_ended(self) -> None:
        """Notes that an epoch has ended."""
        self._epoch = self._clock()


class _Bar:
    """A rich bar that is redrawn by the steps themselves.

    Rich's refresh thread could hold the console's lock at the moment a loader worker is forked, and the
    worker would inherit it held for ever.
    """

    def __init__(self, console: Console, clock: Clock, total: int, done: int) -> None:
        from rich.progress import BarColumn, TextColumn  # rich costs start-up time
        from rich.progress import Progress as RichProgress  # the same

        self._clock = clock
        self._drawn = -math.inf
        self._rich: Bar = RichProgress(
            BarColumn(bar_width=16),
            TextColumn("{task.description}", markup=False),
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),  # what is piped must not end up in the bar's stream
        )
        self._task = self._rich.add_task("", total=total, completed=done)

    @property
    def due(self) -> bool:
        return self._clock() - self._drawn >= _REDRAW

    def show(self, done: int, text: str) -> None:
        self._drawn = self._clock()
        self._rich.update(self._task, completed=done, description=text, refresh=True)

    def start(self) -> None:
        self._rich.start()

    def stop(self) -> None:
        self._rich.stop()
