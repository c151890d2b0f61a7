from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from coview.track.collapse import CollapseWatch


def feed(watch: CollapseWatch, logs: Sequence[tuple[int, Mapping[str, float | None]]]) -> list[str]:
    return [message for step, values in logs if (message := watch.update(step, values))]


def test_warns_once_after_enough_logs_in_a_row() -> None:
    watch = CollapseWatch(warmup_steps=100, patience=3)
    logs = [(step, {"spread": 0.01, "effective_rank": 30.0}) for step in range(110, 400, 10)]
    assert watch.update(*logs[0]) is None
    assert watch.update(*logs[1]) is None
    message = watch.update(*logs[2])
    assert message is not None
    assert message.startswith("step 130: the representation has collapsed: its spread is 0.01")
    assert "learning rate" in message
    assert feed(watch, logs[3:]) == []


def test_low_rank_is_collapse_too() -> None:
    logs = [(step, {"spread": 0.9, "effective_rank": 1.02}) for step in (101, 102, 103)]
    (message,) = feed(CollapseWatch(), logs)
    assert "effective rank is 1.02" in message


def test_silent_during_warm_up_and_about_a_healthy_run() -> None:
    assert feed(CollapseWatch(), [(step, {"spread": 0.0}) for step in range(1, 101)]) == []
    healthy = {"spread": 0.8, "effective_rank": 60.0}
    assert feed(CollapseWatch(), [(step, healthy) for step in range(1, 900)]) == []


def test_a_dip_is_not_a_collapse() -> None:
    spreads = [0.05, 0.05, 0.5] * 20
    logs = [(200 + index, {"spread": value}) for index, value in enumerate(spreads)]
    assert feed(CollapseWatch(patience=3), logs) == []


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_numbers_that_are_none_do_not_count(value: float | None) -> None:
    assert feed(CollapseWatch(), [(step, {"spread": value, "loss": 0.0}) for step in range(200, 220)]) == []
