from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview.errors import CoviewError
from coview.track.metrics_file import MetricsFile, read_metrics


def test_each_line_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    metrics.write({"step": 1, "loss": 2.5})
    assert path.read_text().splitlines() == ['{"step": 1, "loss": 2.5}']
    metrics.write({"step": 2, "loss": 2.25})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]
    metrics.close()


def test_numbers_without_a_json_word_are_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsFile(path) as metrics:
        metrics.write({"step": 1, "loss": math.nan, "lr": math.inf, "spread": -math.inf, "time": 0.5})

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    line = json.loads(path.read_text(), parse_constant=refuse)
    assert line == {"step": 1, "loss": None, "lr": None, "spread": None, "time": 0.5}


def test_resume_drops_later_steps_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsFile(path) as metrics:
        for step in range(10, 60, 10):
            metrics.write({"step": step, "time": step / 2})
    with path.open("a") as file:
        file.write('{"step": 60, "ti')
    with MetricsFile(path, resume_step=30) as metrics:
        assert metrics.last == {"step": 30, "time": 15.0}
        metrics.write({"step": 40, "time": 99.0})
    times = [(row["step"], row["time"]) for row in read_metrics(path)]
    assert times == [(10, 5.0), (20, 10.0), (30, 15.0), (40, 99.0)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_rewrite_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsFile(path) as metrics:
        metrics.write({"step": 1})
        metrics.write({"step": 2})
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("coview.data.atomic.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        MetricsFile(path, resume_step=1)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_run_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 7}\n')
    MetricsFile(path).close()
    assert read_metrics(path) == []


def test_no_file_reads_as_nothing_and_resumes_as_new(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    with MetricsFile(path, resume_step=5) as metrics:
        assert metrics.last == {}


@pytest.mark.parametrize("line", ["not json", "[1]", '{"loss": 1}', '{"step": "1"}'])
def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n' + line + '\n{"step": 3}\n')
    with pytest.raises(CoviewError, match=r"metrics\.jsonl:2: expected a JSON object"):
        read_metrics(path)


@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=8, unique=True).map(sorted),
    cut=st.integers(0, 400),
    resume=st.integers(0, 60),
)
def test_killed_at_any_byte_it_resumes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], cut: int, resume: int
) -> None:
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    whole = "".join(json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in steps).encode()
    path.write_bytes(whole[:cut])
    complete = [json.loads(line) for line in whole[:cut].splitlines() if line.endswith(b"}")]
    with MetricsFile(path, resume_step=resume):
        pass
    assert read_metrics(path) == [row for row in complete if row["step"] <= resume]
