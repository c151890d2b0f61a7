from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.experiment.report import write_report
from coview.experiment.report.curves import draw_curves
from coview.experiment.report.forest import draw_forests
from coview.experiment.report.write import against_controls
from coview.track.result_rows import ResultRow
from coview.track.run_folder import RunFolder

RECIPE = 'schema = 1\nname = "tiny <b>run</b>"\n\n[loss]\nuse = "nt_xent"\n'


def one(kind: str, value: float) -> dict[str, Any]:
    return {
        "evaluator": "knn", "dataset": "digits", "split": "test", "metric": "accuracy", "value": value,
        "ci_low": value - 0.01, "ci_high": value + 0.01, "n": 360, "kind": kind,
        "protocol": {"k": 20, "labels_per_class": "all", "chosen": {"C": value}}, "protocol_hash": "0" * 12,
    }  # fmt: skip


def metrics(steps: int) -> str:
    rows = [
        {"step": step, "epoch": 1 + step // 100, "time": step / 4, "loss": 5 / step, "lr": 0.1, "spread": 0.8}
        for step in range(1, steps + 1)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def full_run(path: Path, steps: int = 40) -> RunFolder:
    folder = RunFolder(path)
    path.mkdir(exist_ok=True)
    folder.recipe.write_text(RECIPE)
    folder.metrics.write_text(metrics(steps))
    environment = {
        "coview": "0.1.0", "python": "3.12.1", "platform": "Linux", "started": "2026-01-02T10:00:00+00:00",
        "finished": "2026-01-02T11:05:00+00:00", "device": "cpu", "ranks": 2, "precision": "fp32",
        "command": ["/opt/bin/coview", "run", "a file.toml"], "git": {"revision": "abc123", "dirty": False},
        "libraries": {"torch": "2.14.1"}, "plugins": {"losses": "0.1.0"},
    }  # fmt: skip
    folder.environment.write_text(json.dumps(environment))
    results = {
        "run": "tiny <b>run</b>",
        "recipe_hash": "feedc0ffee00",
        "dataset": {"name": "digits", "version": "1", "licence": "BSD", "citation": "Alpaydin & Kaynak"},
        "results": [one("pretrained", 0.912), one("untrained", 0.741), one("raw", 0.905)],
        "encoder": "image encoder of the student",
        "checkpoint": "step-40",
        "skipped_samples": [{"split": "train", "sample": f"{i}.png", "reason": "empty"} for i in range(63)],
        "skipped_evaluators": [{"evaluator": "similarity", "reason": "needs scores"}],
    }
    folder.results.write_text(json.dumps(results))
    views = [{"caption": "zero & one", "views": ['<img src="data:image/png;base64,AA==" alt="0">', "<q>b</q>"]}]
    folder.views.write_text(json.dumps(views))
    return folder


class Page(HTMLParser):
    """Checks that tags are balanced, and collects text, ids and addresses."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def read(folder: RunFolder) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_says_what_the_files_say(tmp_path: Path) -> None:
    page = read(full_run(tmp_path))
    for text in (
        "started 2026-01-02 10:00 UTC took 1h05m steps 40 (epoch 2) data digits 1 device cpu, 2 ranks, trained in fp32",
        "0.912 [0.902, 0.922]",
        "0.741 [0.731, 0.751]",
        "0.905 [0.895, 0.915]",
        "above untrained, overlaps raw",
        "360 of digits test",
        "similarity needs scores",
        "63 samples could not be read",
        "train 0.png empty train 1.png empty",
        "and 13 more, in results.json",
        "Evaluated: image encoder of the student, step-40.",
        "Alpaydin & Kaynak",
        "zero & one",
        "started with coview run 'a file.toml'",
        "libraries torch 2.14.1",
        'pip install "coview[all]==0.1.0"',
        'use = "nt_xent"',
        "recipe feedc0ffee00",
    ):
        assert text in page.text, text


def test_asks_nothing_of_the_network_and_runs_nothing(tmp_path: Path) -> None:
    folder = full_run(tmp_path)
    page = read(folder)
    assert "script" not in page.tags
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    html = folder.report.read_text(encoding="utf-8")
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert "default-src 'none'" in html


def test_text_is_escaped_and_views_are_markup(tmp_path: Path) -> None:
    page = read(full_run(tmp_path))
    assert "tiny <b>run</b>" in page.text
    assert "b" not in page.tags
    assert page.tags.count("q") == 1


def test_views_of_somebody_elses_run_lead_nowhere(tmp_path: Path) -> None:
    """A refresh is followed whatever the content security policy says."""
    folder = full_run(tmp_path)
    markup = "<meta http-equiv=refresh content='0;url=//evil'><a href='//evil'>text</a><img src='//evil'></div></main>"
    folder.views.write_text(json.dumps([{"caption": "<meta http-equiv=refresh>", "views": [markup]}]))
    page = read(folder)
    html = folder.report.read_text(encoding="utf-8")
    assert "evil" not in html
    assert html.count("http-equiv") == 2, "the page's own, and the caption as text"
    assert "text" in page.text


def test_figures_are_well_formed_and_ids_are_unique(tmp_path: Path) -> None:
    folder = full_run(tmp_path)
    page = read(folder)
    assert len(page.ids) == len(set(page.ids))
    figures = re.findall(r"<svg[^>]*figure.*?</svg>", folder.report.read_text(encoding="utf-8"), re.DOTALL)
    assert len(figures) == 4  # a forest; loss, lr, spread
    for figure in figures:
        namespaces = ' xmlns:xlink="http://www.w3.org/1999/xlink"'
        tree = ElementTree.fromstring(figure.replace("<svg", "<svg" + namespaces, 1))
        defined = {element.get("id") for element in tree.iter()}
        used = re.findall(r"url\(#([^)]*)\)", figure) + re.findall(r'href="#([^"]*)"', figure)
        assert used
        assert set(used) <= defined
        assert "#0101" not in figure


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    folder = full_run(tmp_path)
    first = write_report(folder).read_bytes()
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.xmargin: 0.4\nxtick.direction: in\n")
    script = (
        "import sys; from pathlib import Path; from coview.experiment.report import write_report;"
        "from coview.track.run_folder import RunFolder; write_report(RunFolder(Path(sys.argv[1])))"
    )
    changed = {**os.environ, "PYTHONHASHSEED": "7", "MATPLOTLIBRC": str(tmp_path), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=changed)
    assert folder.report.read_bytes() == first


def test_a_recipe_alone_is_enough(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text(RECIPE)
    page = read(folder)
    assert "This run has not been evaluated." in page.text
    assert "Nothing was logged." in page.text
    assert "tiny <b>run</b>" in page.text


@pytest.mark.parametrize("missing", ["environment", "metrics", "results", "views"])
def test_any_other_file_may_be_missing(tmp_path: Path, missing: str) -> None:
    folder = full_run(tmp_path)
    getattr(folder, missing).unlink()
    assert "tiny <b>run</b>" in read(folder).text


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CoviewError, match=r"no recipe\.toml"):
        write_report(RunFolder(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("results", "{", "not JSON"),
        ("results", '{"results": [{"metric": "accuracy"}]}', "a result is not complete"),
        ("results", '{"results": {}}', "results is not what coview writes"),
        ("results", '{"dataset": [1]}', "dataset is not what coview writes"),
        ("results", '{"skipped_samples": [{"sample": "a"}]}', "a row has no reason"),
        ("results", '{"leaks": [{"said": "a"}]}', "a row has no data and no near"),
        ("results", json.dumps({"results": [{**one("raw", 0.1), "metric": 3}]}), "a result is not complete"),
        ("results", json.dumps({"results": [{**one("raw", 0.1), "n": "many"}]}), "a result is not complete"),
        ("results", json.dumps({"results": [{**one("raw", 0.1), "protocol": [1]}]}), "a result is not complete"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = full_run(tmp_path)
    path: Path = getattr(folder, name)
    path.write_text(text)
    with pytest.raises(CoviewError, match=message) as caught:
        write_report(folder)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("views", "{}"),
        ("views", "[1]"),
        ("views", '[{"caption": "x", "views": {}}]'),
        ("views", "[" * 100_000),
        ("environment", "[]"),
        ("environment", "null"),
        ("environment", '{"git": [1]}'),
        ("environment", '{"libraries": "torch"}'),
    ],
)
def test_a_broken_file_that_only_tells_is_a_note(tmp_path: Path, name: str, text: str) -> None:
    folder = full_run(tmp_path)
    getattr(folder, name).write_text(text)
    assert f"{name}.json cannot be read: what it would show is missing here." in read(folder).text


@pytest.mark.parametrize("library", ["jinja2", "matplotlib", "nh3"])
def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    folder = full_run(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CoviewError) as caught:
        write_report(folder)
    assert library in caught.value.message
    assert caught.value.hint == "pip install 'coview[report]'"


def test_warns_of_what_the_numbers_do_not_say(tmp_path: Path) -> None:
    folder = full_run(tmp_path)
    rows = [{"step": step, "loss": None if step == 120 else 1.0, "spread": 0.001} for step in range(10, 300, 10)]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    environment = json.loads(folder.environment.read_text())
    changed = {**environment, "finished": None, "git": {"revision": "abc123", "dirty": True}}
    folder.environment.write_text(json.dumps(changed))
    folder.results.write_text(json.dumps({"results": [one("pretrained", 0.5)]}))
    text = read(folder).text
    assert "Step 130: the representation has collapsed" in text
    assert "not a finite number in 1 of 29 logged steps, first at step 120" in text
    assert "has not finished" in text
    assert "uncommitted changes" in text
    assert "no control beside them" in text


def test_a_number_that_is_none_is_said_with_its_file(tmp_path: Path) -> None:
    folder = full_run(tmp_path)
    broken = {**one("pretrained", 0.5), "value": None, "ci_low": None, "ci_high": None}
    folder.results.write_text(json.dumps({"results": [broken, one("raw", 0.4)]}))
    with pytest.raises(CoviewError, match=f"{folder.results}: a result is not complete"):
        write_report(folder)


def test_long_runs_stay_small(tmp_path: Path) -> None:
    folder = full_run(tmp_path, steps=50_000)
    folder.views.unlink()
    assert write_report(folder).stat().st_size < 300_000


def test_dollars_in_a_name_are_no_formula(recwarn):
    result = Result("accuracy", 0.5, 0.4, 0.6, 10, "test", kind="pretrained")
    name = r"x$\foo{bar}$ and $x^2$"
    (forest,) = draw_forests([ResultRow(name, "accuracy", "folder", "test", "", "", {"pretrained": result})])
    assert f">{name}</text>" in forest.svg
    assert not recwarn.list


def curve_points(svg: str) -> np.ndarray:
    """The vertices of the curve, in the figure's own units."""
    (line,) = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: var\(--pretrained\)', svg)
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", line)])


def test_curve_has_the_shape_of_the_numbers() -> None:
    steps = [10, 20, 30, 50, 80]
    losses = [3.0, 1.0, math.nan, 2.0, 5.0]
    rows = [{"step": step, "loss": value} for step, value in zip(steps, losses, strict=True)]
    (curve,), diagnostics, _ = draw_curves(rows, [])
    assert diagnostics == []
    assert curve.last == 5.0
    points = curve_points(curve.svg)
    expected = np.array([[10, 3.0], [20, 1.0], [50, 2.0], [80, 5.0]])
    # One scale and one offset on each axis map the numbers to the page, on which y points down.
    for axis, sign in ((0, 1), (1, -1)):
        slope, offset = np.polyfit(expected[:, axis], points[:, axis], 1)
        np.testing.assert_allclose(slope * expected[:, axis] + offset, points[:, axis], atol=0.01)
        assert sign * slope > 0


def test_curves_are_grouped_and_what_is_no_number_has_none() -> None:
    rows = [
        {
            "step": 1,
            "epoch": 1,
            "time": 2.0,
            "spread": 0.5,
            "lr": 0.1,
            "invariance": 2.0,
            "loss": 1.0,
            "note": "x",
        }
    ]
    training, diagnostics, _ = draw_curves(rows, [])
    assert [curve.name for curve in training] == ["loss", "invariance", "lr"]
    assert [curve.name for curve in diagnostics] == ["spread"]


@pytest.mark.parametrize(
    ("untrained", "raw", "words"),
    [
        ((0.1, 0.2), (0.3, 0.4), "above both controls"),
        ((0.1, 0.2), (0.45, 0.55), "above untrained, overlaps raw"),
        ((0.65, 0.7), (0.1, 0.2), "below untrained, above raw"),
        ((0.45, 0.55), None, "overlaps untrained"),
        (None, None, "no control was measured"),
    ],
)
def test_against_controls(untrained: tuple[float, float] | None, raw: tuple[float, float] | None, words: str) -> None:
    intervals = {"pretrained": (0.5, 0.6), "untrained": untrained, "raw": raw}
    found = {
        name: Result("accuracy", sum(ends) / 2, *ends, 10, "test", {}, "knn", "digits", name)
        for name, ends in intervals.items()
        if ends is not None
    }
    assert against_controls(ResultRow("knn", "accuracy", "digits", "test", "", by_kind=found)) == words


def test_a_long_name_leaves_the_figure_room(recwarn):
    result = Result("accuracy", 0.5, 0.4, 0.6, 10, "test", kind="pretrained")
    row = ResultRow(
        "knn", "accuracy", "folder", "test", "all labels", "root=/a/long/way/to/it" * 9, {"pretrained": result}
    )
    (forest,) = draw_forests([row])
    assert [str(warning.message) for warning in recwarn] == []
    assert f"{row.evaluator}, {row.budget} pretrained 0.500" in forest.svg  # in words it is all there
