"""When work is recorded and when it is not. What a recording does, a GPU alone can tell: tests/gpu."""

from __future__ import annotations

import pytest
import torch

from coview.model import replay
from coview.model.replay import Replay


class Recorded:
    """Stands in for a recording, which only a GPU makes."""

    def __init__(self, work, value):
        self.work, self.replays = work, 0

    def replay(self, value):
        self.replays += 1
        return self.work(value)


@pytest.fixture
def recordings(monkeypatch):
    made = []

    def record(work, value):
        made.append(Recorded(work, value))
        return made[-1]

    monkeypatch.setattr(replay, "_record", record)
    return made


def doubled(value):
    return {"x": value["x"] * 2}


def rows(count):
    return {"x": torch.arange(count * 3).view(count, 3)}


def test_the_second_of_one_shape_in_a_row_is_recorded(recordings):
    work = Replay(doubled)
    found = [work(rows(count)) for count in (4, 4, 4, 5, 4)]
    assert [made is not None for made in found] == [False, True, True, False, True]
    assert all(made["x"].equal(rows(4)["x"] * 2) for made in found if made is not None)
    assert [recording.replays for recording in recordings] == [3]


def test_another_type_or_layout_is_another_shape(recordings):
    work = Replay(doubled)
    for value in (rows(3), rows(3), {"x": rows(3)["x"].float()}, {"x": rows(3)["x"].T}, {"x": rows(3)["x"].T}):
        work(value)
    assert [recording.replays for recording in recordings] == [1, 1]


def test_no_more_than_a_few_are_kept(recordings):
    work = Replay(doubled)
    found = [work(rows(count)) for count in range(1, 9) for _ in range(2)]
    assert [made is not None for made in found] == [False, True] * 4 + [False, False] * 4
    assert len(recordings) == 4


def test_what_is_no_tensor_would_be_recorded_for_good_and_is_not(recordings):
    work = Replay(lambda value: {"x": value["x"] * value["factor"]})
    assert [work({**rows(2), "factor": factor}) for factor in (2, 2, 3)] == [None] * 3
    assert recordings == []
