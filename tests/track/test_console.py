from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coview.evaluate.result import Result
from coview.track.console import make_console, print_results
from coview.track.result_rows import interval, result_rows


def result(evaluator: str, features: str, value: float, metric: str = "accuracy", **protocol: Any) -> Result:
    low, high = value - 0.008, value + 0.008
    return Result(metric, value, low, high, 10000, "test", protocol, evaluator, "fashion_mnist", features)


RESULTS = [
    result("knn", "pretrained", 0.912, k=20),
    result("knn", "untrained", 0.741, k=20),
    result("knn", "raw", 0.855, k=20),
    *(
        result("linear_probe", features, value, labels_per_class=labels, chosen={"C": 10 * value})
        for labels, values in {1: (0.5, 0.4, 0.3), "all": (0.9, 0.8, 0.85)}.items()
        for features, value in zip(("pretrained", "untrained", "raw"), values, strict=True)
    ),
]


def show(results: list[Result], *, terminal: bool, width: int = 80) -> str:
    text = io.StringIO()
    print_results(results, Console(file=text, force_terminal=terminal, width=width, color_system=None))
    return text.getvalue()


def test_rows_pair_what_was_pretrained_with_its_controls() -> None:
    rows = result_rows(RESULTS)
    assert [(row.evaluator, row.budget) for row in rows] == [
        ("knn", ""),
        ("linear_probe", "1 label a class"),
        ("linear_probe", "all labels"),
    ]
    assert [row.by_kind["untrained"].value for row in rows] == [0.741, 0.4, 0.8]


def test_the_same_evaluator_asked_for_twice_keeps_its_pairs() -> None:
    results = [
        result("knn", features, value, k=k)
        for features, values in {"pretrained": (0.91, 0.92), "raw": (0.81, 0.82)}.items()
        for k, value in zip((20, 200), values, strict=True)
    ]
    for order in (results, [results[0], results[1], results[3], results[2]]):
        rows = result_rows(order)
        assert [row.detail for row in rows] == ["k=20", "k=200"]
        assert [row.by_kind["pretrained"].value for row in rows] == [0.91, 0.92]
        assert [row.by_kind["raw"].value for row in rows] == [0.81, 0.82]


def test_eighty_columns_are_enough() -> None:
    text = show(RESULTS, terminal=True)
    assert max(len(line) for line in text.splitlines()) <= 80
    for cell in ("0.912 [0.904, 0.920]", "0.741 [0.733, 0.749]", "0.855 [0.847, 0.863]"):
        assert cell in text
    assert text.splitlines()[0].split() == ["evaluator", "pretrained", "untrained", "raw"]
    assert "on fashion_mnist test" in text


def test_a_pipe_gets_a_line_for_each_row() -> None:
    long = result("rather_long_evaluator", "pretrained", 0.25, "mean_average_precision", labels_per_class=10)
    text = show([*RESULTS, long], terminal=False)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    numbers = "0.500 [0.492, 0.508] 0.400 [0.392, 0.408] 0.300 [0.292, 0.308]"
    assert f"linear_probe accuracy 1 label a class {numbers} {RESULTS[0].n:,}" in lines
    ending = f"precision 10 labels a class 0.250 [0.242, 0.258] – – {long.n:,}"
    assert any(line.endswith(ending) for line in lines)
    assert "\x1b" not in text


def test_data_sets_are_named_when_there_are_several() -> None:
    other = Result("accuracy", 0.5, 0.4, 0.6, 10, "test", {}, "knn", "digits", "pretrained")
    text = show([RESULTS[0], other], terminal=False)
    assert "knn accuracy digits test" in text


def test_no_results() -> None:
    assert show([], terminal=False) == "no results\n"


def test_text_is_printed_as_it_is() -> None:
    console = make_console()
    with console.capture() as captured:
        console.print("[bold] :smile: [/x]")
    assert captured.get() == "[bold] :smile: [/x]\n"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.91234, 0.905, 0.919), "0.912 [0.905, 0.919]"),
        ((1.0, 1.0, 1.0), "1.000 [1.000, 1.000]"),
        ((700176.0, 700176.0, 700176.0), "700,176"),
        ((2932.5, 2267.7, 3040.7), "2,932 [2,268, 3,041]"),
    ],
)
def test_numbers_are_said_as_people_read_them(numbers, said):
    assert interval(Result("m", *numbers, 10, "test")) == said


TALKS = """
import resource, signal, sys
from coview.track.console import make_console
from coview.track.progress import Progress, track_items
console = make_console(stderr=True)
console.print("first")
sys.stdin.readline()  # the reader has gone, the disk is full
{before}
for number in range(3):
    console.print("more " + "words " * 4000)
with Progress(2, 1, 1, console=console) as progress:
    progress.step(1, {{"loss": 1.0}})
    progress.step(2, {{"loss": 1.0}})
list(track_items(range(3), 3, "embedding", console=console))
{after}
console.print("last")
print("went on")
"""


def test_a_reader_that_goes_away_ends_no_work() -> None:
    code = TALKS.format(before="", after="")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    assert process.stderr.readline() == "first\n"
    process.stderr.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stdout.read() == "went on\n"
    assert process.wait() == 0


def test_a_log_on_a_full_disk_ends_no_work_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (%s, resource.RLIM_INFINITY))"
    code = TALKS.format(
        before="signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + limit % 10,
        after=limit % "resource.RLIM_INFINITY",
    )
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run([sys.executable, "-c", code], input="\n", stdout=subprocess.PIPE, stderr=log, text=True)
    assert (done.returncode, done.stdout) == (0, "went on\n")
    assert (tmp_path / "log").read_text().endswith("last\n")


def test_what_is_asked_for_is_not_dropped() -> None:
    """Standard output is what a command is for: ``coview … | head`` ends it, which the command line deals with."""
    with pytest.raises(BrokenPipeError):
        make_console().on_broken_pipe()
