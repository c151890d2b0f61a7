from __future__ import annotations

import json
import re
from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest
from fabricated_runs import comparison, found
from scipy import stats

from coview.compare.collect import collect
from coview.compare.report import write_comparison_report
from coview.compare.report.validation_curves import NO_CURVES, mean_curve, validation_curves
from coview.compare.statistics.analysis import analyse

SEEDS = {"nt_xent": [0.80, 0.79, 0.82], "warm": [0.70, 0.72, 0.69]}
VALUES = {("image", variant): values for variant, values in SEEDS.items()}

BAND = "opacity: 0.16"
"""What is drawn so is a band."""


def at(seed: int, step: int) -> float:
    return 0.5 + step / 100 + 0.01 * seed * (step > 0)


def add_points(cell, steps, metric="knn/accuracy"):
    seed = int(cell.cell.levels["seed"])
    with cell.run.metrics.open("a") as file:
        for step in steps:
            point = {"step": step, "epoch": 1, "time": 1.0, "split": "validation", metric: at(seed, step)}
            file.write(json.dumps(point) + "\n")


@pytest.fixture
def cells(registry, tmp_path):
    return found(comparison(registry), tmp_path / "runs", VALUES)


def page_of(registry, tmp_path, cells, **given):
    compared = replace(comparison(registry), **given)
    report = write_comparison_report(compared, cells, tmp_path / "report").report
    return " ".join(report.read_text(encoding="utf-8").split())


def test_a_curve_is_the_mean_and_the_spread_of_the_seeds_that_have_measured(registry, cells):
    for cell in cells[:3]:
        add_points(cell, [0, 10, 20] if cell is not cells[2] else [0, 20])
    table = collect(comparison(registry), cells)
    points = [
        (row, {"knn/accuracy": {step: at(int(row.seed), step) for step in ((0, 20) if row.seed == "2" else (0, 10, 20))}})
        for row in table.rows
    ]  # fmt: skip
    curve = mean_curve(points, "nt_xent", "knn/accuracy")
    assert curve.steps.tolist() == [0, 20], "a mean of other seeds at each step would jump"
    ends = [at(seed, 20) for seed in range(3)]
    assert curve.mean_T[-1] == pytest.approx(mean(ends))
    assert curve.sd_T[-1] == pytest.approx(stdev(ends))
    assert curve.sd_T[0] == pytest.approx(0)
    (figure,) = validation_curves(table).ranking
    assert f"nt_xent {mean(ends):.3f} at step 20" in figure.svg
    assert BAND in figure.svg
    assert "warm" not in figure.svg
    assert "image: warm: no run has measured while it trained." in validation_curves(table).notes


def test_a_seed_without_points_is_told(registry, tmp_path, cells):
    for cell in cells[1:]:
        add_points(cell, [0, 10])
    text = page_of(registry, tmp_path, cells)
    assert "image: nt_xent: 2 of 3 runs have measured while they trained." in text
    assert "raw features are not measured on validation; on test their value is 0.600." in text


def test_variants_that_begin_alike_have_one_line_of_the_untrained_encoder(registry, cells):
    for cell in cells:
        add_points(cell, [0, 10])
    dashed = r"stroke-dasharray[^>]*stroke: var\(--untrained\)"
    (figure,) = validation_curves(collect(comparison(registry), cells)).ranking
    assert len(re.findall(dashed, figure.svg)) == 1
    lines = cells[0].run.metrics.read_text().replace('"knn/accuracy": 0.5}', '"knn/accuracy": 0.4}')
    cells[0].run.metrics.write_text(lines)
    (figure,) = validation_curves(collect(comparison(registry), cells)).ranking
    assert re.findall(dashed, figure.svg) == []


def test_other_numbers_than_the_one_that_ranks_are_there_too(registry, cells):
    for cell in cells:
        add_points(cell, [0, 10], "other/auroc")
    shown = validation_curves(collect(comparison(registry), cells))
    assert [figure.title for figure in shown.others] == ["image: other/auroc"]
    assert shown.ranking == []
    assert shown.notes == ["knn/accuracy, by which variants are ranked, was not measured while runs trained."]


def test_without_every_the_page_says_what_draws_curves(registry, tmp_path, cells):
    assert NO_CURVES.split("=")[0] in page_of(registry, tmp_path, cells)


def test_one_seed_has_no_band(registry, tmp_path):
    compared = comparison(registry, seeds=1)
    cells = found(compared, tmp_path / "runs", VALUES)
    for cell in cells:
        add_points(cell, [0, 10])
    shown = validation_curves(collect(compared, cells))
    assert "image: one seed, so there are no bands." in shown.notes
    assert BAND not in shown.ranking[0].svg


def test_the_best_is_told_from_its_controls_by_the_differences_of_seeds(registry, cells):
    (each,) = analyse(collect(comparison(registry), cells)).modalities
    # the better one of two: each end errs in 0.0125 for either
    expected = stats.ttest_1samp([value - 0.6 for value in SEEDS["nt_xent"]], 0).confidence_interval(0.975)
    raw = next(gain for gain in each.gains if gain.control == "raw")
    assert (raw.low, raw.high) == pytest.approx((expected.low, expected.high))
    assert raw.answer(1) == "above"
    assert raw.answer(-1) == "below"


def test_of_one_seed_the_test_items_say_how_far_a_control_is(registry, tmp_path):
    compared = comparison(registry, seeds=1)
    cells = found(compared, tmp_path / "runs", VALUES, items=400)
    generator = np.random.default_rng(7)
    for cell in cells:
        document = json.loads(cell.run.results.read_text())
        control = (generator.random(400) < 0.6).astype(np.float32)
        row = next(row for row in document["results"] if row["kind"] == "raw")
        row |= {"value": float(control.mean()), "ci_low": 0.0, "ci_high": 1.0}
        cell.run.results.write_text(json.dumps(document))
        np.save(cell.run.per_item(row["protocol_hash"], "raw"), control)
    (each,) = analyse(collect(compared, cells)).modalities
    best = next(cell for cell in cells if cell.cell.variant == each.ranked[0].variant)
    rows = {row["kind"]: row["protocol_hash"] for row in json.loads(best.run.results.read_text())["results"]}
    one, other = (np.load(best.run.per_item(rows[kind], kind)) for kind in ("pretrained", "raw"))
    expected = stats.ttest_rel(one.astype(float), other.astype(float)).confidence_interval(0.975)
    raw = next(gain for gain in each.gains if gain.control == "raw")
    assert raw.low == pytest.approx(expected.low, abs=0.004)  # a bootstrap of 2,000 resamples
    assert raw.high == pytest.approx(expected.high, abs=0.004)


def test_the_head_says_how_sure_it_is_and_what_was_held_fixed(registry, tmp_path, cells):
    text = page_of(registry, tmp_path, cells, question="Which is it?")
    head = text[: text.index("<h2>Ranking")]
    for words in (
        "<h1>Which is it?</h1>", "nt_xent is best", "nt_xent beats the untrained encoder by 0.303 [",
        "nt_xent beats raw features by 0.203 [",
        "95 % intervals that allow for its being the best of 2", "3 of each variant", "<dd>100</dd>",
        "paired t test over seeds; error at most 0.05 over 1 pair", "true differences of", "loss.temperature",
        "data.use digits, encoder.use resnet18",
    ):  # fmt: skip
        assert words in head, words


def test_what_does_not_beat_its_controls_is_not_said_to(registry, tmp_path):
    cells = found(comparison(registry), tmp_path / "runs", VALUES, untrained=0.80, raw=0.95)
    text = page_of(registry, tmp_path, cells)
    assert '<li class="undecided">nt_xent cannot be told from the untrained encoder: +0.003 [' in text
    assert '<li class="below">nt_xent is worse than raw features by 0.147 [' in text


def test_each_pair_has_its_interval_drawn(registry, tmp_path, cells):
    text = page_of(registry, tmp_path, cells, margin=0.01)
    table = collect(comparison(registry), cells)
    (pair,) = analyse(table).modalities[0].pairs
    assert f"nt_xent − warm: better, {pair.difference:+.3f} from {pair.low:+.3f} to {pair.high:+.3f}" in text
    assert "The stripe is the margin of 0.01" in text
