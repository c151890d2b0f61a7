from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coview.evaluate.features import FeatureSplit
from coview.track.metrics_file import read_metrics
from coview.track.run_folder import RunFolder
from coview.track.tracker import Tracker


class Words:
    """As much of a text modality as the tracker needs."""

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[str]], step: int) -> None:
        writer.add_text(tag, "\n\n".join(" | ".join(row) for row in rows), step)

    def to_html(self, value: str) -> str:
        return f"<q>{value}</q>"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_scalars_go_to_both_places(folder: RunFolder) -> None:
    with Tracker(folder) as tracker:
        tracker.scalars(10, 1, {"loss": 2.5, "lr": 0.125, "spread": 0.5})
        (row,) = read_metrics(folder.metrics)
        assert list(row) == ["step", "epoch", "time", "loss", "lr", "spread"]
        assert (row["step"], row["epoch"], row["loss"], row["lr"], row["spread"]) == (10, 1, 2.5, 0.125, 0.5)
    events = EventAccumulator(str(folder.tensorboard))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train/epoch", "train/loss", "train/lr", "diagnostics/spread"}


def test_time_goes_on_after_a_resume(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Tracker(folder) as tracker:
        now = 1030.0
        tracker.scalars(10, 1, {"loss": 3.0})
        now = 1070.0
        tracker.scalars(20, 2, {"loss": 2.0})
    now = 5.0  # another process, another clock
    with Tracker(folder, resume_step=10) as tracker:
        now = 12.0
        tracker.scalars(20, 2, {"loss": 2.0})
    assert [(row["step"], row["time"]) for row in read_metrics(folder.metrics)] == [(10, 30.0), (20, 37.0)]


def test_views_for_the_report_and_for_tensorboard(folder: RunFolder) -> None:
    with Tracker(folder) as tracker:
        tracker.views(Words(), [["a b", "b a"], ["c", "d"]], ["first", "zweite, groß"], 0)  # type: ignore[arg-type]
    assert json.loads(folder.views.read_text(encoding="utf-8")) == [
        {"caption": "first", "views": ["<q>a b</q>", "<q>b a</q>"]},
        {"caption": "zweite, groß", "views": ["<q>c</q>", "<q>d</q>"]},
    ]
    events = EventAccumulator(str(folder.tensorboard))
    events.Reload()
    assert events.Tags()["tensors"] == ["views/text_summary"]


def test_hparams_and_embedding_carry_the_step(folder: RunFolder) -> None:
    with Tracker(folder) as tracker:
        tracker.scalars(30, 3, {"loss": 1.0})
        split = FeatureSplit(x_ND=torch.randn(3, 2), ids_N=torch.arange(3), labels_N=torch.tensor([0, 1, 0]))
        tracker.embedding("test", split, ("cat", "dog"), 30)
        tracker.hparams({"seed": 0}, {"knn/accuracy": 0.5})
    events = EventAccumulator(str(folder.tensorboard))
    events.Reload()
    assert [point.step for point in events.Scalars("knn/accuracy")] == [30]
    names = folder.tensorboard / "00030" / "test" / "metadata.tsv"
    assert names.read_text().split() == ["cat", "dog", "cat"]
