from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from rich.console import Console

from coview.track.progress import Progress, duration, track_items


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=40), text  # narrower than a line: lines must not be folded


def terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=True, width=width, color_system=None), text


def run(steps: int, per_epoch: int, seconds: float, start: int = 0, batch: int = 8) -> list[tuple[float, str]]:
    """The lines that a run of equally long steps leaves, each with when it came."""
    clock, (console, text) = Clock(), plain()
    lines: list[tuple[float, str]] = []
    with Progress(steps, per_epoch, batch, start_step=start, console=console, clock=clock) as progress:
        for step in range(start + 1, steps + 1):
            clock.now += seconds
            before = len(text.getvalue())
            progress.step(step, {"loss": 5.0 + 1 / step})
            lines += [(clock.now - 100, line) for line in text.getvalue()[before:].splitlines()]
    return lines


def test_plain_line_says_it_all() -> None:
    lines = run(steps=900, per_epoch=30, seconds=0.5, batch=406)
    assert lines[0] == (0.5, "step 1/900  epoch 1/30  loss 6")
    assert lines[1] == (10.5, "step 21/900  epoch 1/30  loss 5.048  812 samples/s  7m20s left")
    assert lines[-1] == (450.0, "step 900/900  epoch 30/30  loss 5.001  812 samples/s")


def test_plain_lines_are_at_least_ten_seconds_apart_when_epochs_are_fast() -> None:
    times = [time for time, _ in run(steps=900, per_epoch=30, seconds=0.1)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps[:-1]) >= 10 - 1e-9
    assert max(gaps) <= 10.2


def test_slow_epochs_end_with_a_line() -> None:
    steps = [int(re.findall(r"step (\d+)/", line)[0]) for _, line in run(steps=40, per_epoch=10, seconds=3.0)]
    assert {10, 20, 30, 40} <= set(steps)


def test_a_night_fits_in_a_readable_log() -> None:
    lines = run(steps=8 * 3600, per_epoch=360, seconds=1.0)
    assert len(lines) < 900
    times = [time for time, _ in lines]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 61


def test_a_resumed_run_counts_only_its_own_steps_for_the_speed() -> None:
    lines = run(steps=100, per_epoch=10, seconds=1.0, start=50)
    assert lines[0][1].startswith("step 51/100  epoch 6/10")
    assert "8 samples/s  40s left" in lines[1][1]


def test_loss_stays_when_a_step_has_none() -> None:
    (console, text) = plain()
    clock = Clock()
    progress = Progress(3, 3, 1, console=console, clock=clock)
    progress.step(1, {"loss": 1.5})
    clock.now += 20
    progress.step(2, {})
    assert "loss 1.5" in text.getvalue().splitlines()[1]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_has_one_line_that_is_redrawn(width: int) -> None:
    clock, (console, text) = Clock(), terminal(width)
    with Progress(1000, 100, 64, console=console, clock=clock) as progress:
        for step in range(1, 1001):
            clock.now += 0.01
            progress.step(step, {"loss": 12.3456})
    drawn = text.getvalue()
    assert drawn.count("\n") == 1
    assert 40 < drawn.count("\r") < 130  # ten seconds, five times a second, and not a thousand times
    last = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).rstrip())[-1]
    assert len(last) <= width
    assert "step 1,000/1,000" in last
    assert width < 80 or "epoch 10/10  loss 12.35  6,400 samples/s" in last


def test_what_is_piped_stays_in_the_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    console, text = terminal()
    with Progress(2, 2, 1, console=console) as progress:
        progress.step(1, {"loss": 1.0})
        print('{"json": 1}')
    assert capsys.readouterr().out == '{"json": 1}\n'
    assert "json" not in text.getvalue()


def test_items_pass_through_and_short_work_is_silent() -> None:
    console, text = plain()
    assert list(track_items(iter("abc"), 3, "embedding", console=console)) == ["a", "b", "c"]
    assert text.getvalue() == ""


def test_items_are_counted_by_their_size() -> None:
    clock, (console, text) = Clock(), plain()
    for _ in track_items([4000] * 4, 16000, "embedding train", size=int, console=console, clock=clock):
        clock.now += 6.0
    assert text.getvalue().splitlines() == ["embedding train: 8,000/16,000", "embedding train: 16,000/16,000"]


def test_items_on_a_terminal() -> None:
    console, text = terminal()
    assert list(track_items(range(5), 5, "embedding [test]", console=console)) == [0, 1, 2, 3, 4]
    assert "embedding [test]: 5/5" in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (100, "1m40s"), (3599.7, "1h00m"), (7500, "2h05m"),
     (86390, "1d00h"), (273600, "3d04h"), (-1, "0s")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
