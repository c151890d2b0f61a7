from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coview.errors import CoviewError
from coview.evaluate.features import FeatureSplit
from coview.track.metrics_file import read_metrics
from coview.track.run_folder import RunFolder
from coview.track.shown_views import Panel, ShownView, ShownViews
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


def test_masked_views_for_the_report_and_for_tensorboard(folder: RunFolder) -> None:
    grey = np.full((3, 4, 3), 90, dtype=np.uint8)
    drawn = ShownView("one", ["2 of 4"], [Panel("the view", grey), Panel("seen", grey + 1)])
    written = ShownView("two", [], [Panel("words", markup="<u>w</u>", markdown="*w*")])
    with Tracker(folder) as tracker:
        tracker.masked_views("first", ShownViews(["Of train."], [drawn]), 0, for_report=False)
        assert not folder.hidden.exists()
        tracker.masked_views("last", ShownViews(["Of test."], [drawn, written]), 7, for_report=True)
    content = json.loads(folder.hidden.read_text(encoding="utf-8"))
    assert content["about"] == ["Of test."]
    assert [view["caption"] for view in content["views"]] == ["one", "two"]
    assert content["views"][1]["panels"] == [{"title": "words", "html": "<u>w</u>"}]
    assert 'alt="the view"' in content["views"][0]["panels"][0]["html"]
    events = EventAccumulator(str(folder.tensorboard))
    events.Reload()
    assert events.Tags()["images"] == ["first", "last"]
    (image,) = events.Images("last")
    assert (image.step, image.height, image.width) == (7, 3 * 40 + 4, 2 * (4 * 40 + 2) + 2)
    (said,) = events.Tensors("last/text_summary")
    assert said.tensor_proto.string_val[0].decode() == "Of test.\n\n**one · 2 of 4**\n\n**two**\n\n*w*"


# ---- nothing that only tells ends what trains --------------------------------------------------------------------------


def test_a_tensorboard_that_goes_away_is_said_once_and_the_metrics_go_on(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    before = threading.excepthook
    with Tracker(folder, say=said.append) as tracker:
        tracker.scalars(1, 0, {"loss": 3.0})
        shutil.rmtree(folder.tensorboard)
        for step in (2, 3, 4):
            tracker.scalars(step, 0, {"loss": 3.0})
        tracker.views(Words(), [["a", "b"]], ["one"], 4)
        tracker.hparams({"lr": 0.1}, {"knn/accuracy": 0.5})
    assert [row["step"] for row in read_metrics(folder.metrics)] == [1, 2, 3, 4]
    assert json.loads(folder.views.read_text())[0]["caption"] == "one"
    assert len(said) == 1
    assert said[0].startswith("warning: TensorBoard cannot be written (FileNotFoundError")
    assert "Traceback" not in capsys.readouterr().err, "of TensorBoard's own thread"
    assert threading.excepthook is before


def test_a_tensorboard_that_cannot_be_opened(folder: RunFolder) -> None:
    said: list[str] = []
    folder.tensorboard.write_text("a file in its place")
    with Tracker(folder, say=said.append) as tracker:
        tracker.scalars(1, 0, {"loss": 3.0})
    assert len(said) == 1
    assert len(read_metrics(folder.metrics)) == 1


def test_another_threads_failure_is_shown_as_ever(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: shown.append(str(failed.exc_value)))
    with Tracker(folder):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert shown == ["division by zero"]


FULL = """
import json, resource, signal, sys
from pathlib import Path
from coview.track.run_folder import RunFolder
from coview.track.shown_views import Panel, ShownView, ShownViews
from coview.track.tracker import Tracker
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Tracker(RunFolder(Path(sys.argv[1])), say=print) as tracker:
    tracker.scalars(1, 0, {"loss": 1.0})
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
    for step in (2, 3):
        tracker.scalars(step, 0, {"loss": 1.0})
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tracker.scalars(4, 0, {"loss": 1.0})
"""


def test_metrics_of_a_disk_that_was_full_for_a_while_are_all_there_in_the_end(folder: RunFolder) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(folder.path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("metrics.jsonl cannot be written (OSError: [Errno 27] File too large)") == 1, done.stdout
    assert [row["step"] for row in read_metrics(folder.metrics)] == [1, 2, 3, 4]


def test_a_modality_that_cannot_show_its_values_ends_nothing(folder: RunFolder) -> None:
    class Shy(Words):
        def to_html(self, value: str) -> str:
            raise NotImplementedError("nobody sees me")

    said: list[str] = []
    with Tracker(folder, say=said.append) as tracker:
        tracker.views(Shy(), [["a"]], ["one"], 0)
    assert said == [
        "warning: views.json cannot be written (NotImplementedError: nobody sees me): the run goes on without it"
    ]


@pytest.mark.parametrize("harm", ["not json", "null", "[1]", '{"step": "1"}', "[" * 100_000, "\xff"])
def test_a_damaged_line_of_the_metrics_is_left_out_of_a_resumed_run(folder: RunFolder, harm: str) -> None:
    with Tracker(folder) as tracker:
        for step in (1, 2, 3):
            tracker.scalars(step, 0, {"loss": 1.0})
    lines = folder.metrics.read_bytes().splitlines()
    lines[1] = harm.encode("latin-1")
    folder.metrics.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(CoviewError, match=r"metrics.jsonl:2"):
        read_metrics(folder.metrics)
    said: list[str] = []
    with Tracker(folder, resume_step=3, say=said.append):
        pass
    assert [row["step"] for row in read_metrics(folder.metrics)] == [1, 3]
    assert len(said) == 1
    assert "metrics.jsonl:2" in said[0]


def test_a_last_time_that_is_no_number_counts_from_nothing(folder: RunFolder) -> None:
    folder.metrics.write_text('{"step": 1, "time": "soon"}\n')
    with Tracker(folder, resume_step=1) as tracker:
        tracker.scalars(2, 0, {"loss": 1.0})
    assert read_metrics(folder.metrics)[-1]["time"] < 10
