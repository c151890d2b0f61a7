from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated_runs import comparison, found, result, write_run

from coview.compare.cells import FoundCell
from coview.compare.collect import collect, write_cells
from coview.compare.statistics.scores import scores_of
from coview.errors import CoviewError

VALUES = {("image", "nt_xent"): [0.8, 0.82, 0.81], ("image", "warm"): [0.7, "it diverged", None]}


def one_more(cells: list[FoundCell], index: int, results: list) -> list[FoundCell]:
    """The cells, one of which has a run with these results."""
    run = write_run(cells[index].out / "other-abcdef", results)
    return [replace(cell, run=run, reason="") if place == index else cell for place, cell in enumerate(cells)]


def test_every_cell_is_a_row(registry, tmp_path):
    compared = comparison(registry)
    table = collect(compared, found(compared, tmp_path, VALUES))
    assert table.metric == "knn/accuracy"
    assert (table.modalities, table.variants, table.seeds) == (("image",), ("nt_xent", "warm"), ("0", "1", "2"))
    assert [row.status for row in table.rows] == ["done"] * 4 + ["failed", "missing"]
    assert [row.reason for row in table.rows[4:]] == ["it diverged", "it has not been run"]
    first = table.rows[0]
    assert (first.value(), first.value("untrained"), first.value("raw")) == (0.8, 0.5, 0.6)
    assert (first.seconds, first.diagnostics) == (60.0, {"spread": 0.8, "effective_rank": 12.0})


def test_the_metric_that_ranks(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path, VALUES)
    few = [result("pretrained", 0.3, labels_per_class=10), result("pretrained", 0.9)]
    cells = one_more(cells, 0, few)
    for all_labels in ("knn/accuracy", "knn/accuracy@all"):
        assert collect(replace(compared, metric=all_labels), cells).rows[0].value() == 0.9
    ten = collect(replace(compared, metric="knn/accuracy@10"), cells)
    assert ten.rows[0].value() == 0.3
    assert ten.rows[1].reason == "its run has no knn/accuracy@10"
    assert (
        collect(replace(compared, metric=None), cells).metric == "knn/accuracy@10"
    )  # the first of the first evaluator
    with pytest.raises(CoviewError, match="no run has the number knn/recall") as caught:
        collect(replace(compared, metric="knn/recall"), cells)
    assert caught.value.hint == "compare.metric may be: knn/accuracy@10, knn/accuracy"


def test_of_two_protocols_in_one_run_the_one_that_others_have(registry, tmp_path):
    compared = comparison(registry)
    cells = one_more(
        found(compared, tmp_path, VALUES), 0, [result("pretrained", 0.2, k=5), result("pretrained", 0.9, k=20)]
    )
    assert collect(compared, cells).rows[0].value() == 0.9


def test_a_number_that_is_none_is_said_with_its_file(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path, VALUES)
    path = cells[1].run.results
    path.write_text(json.dumps({"results": [{**result("pretrained", 0.5).as_json(), "value": None}]}))
    with pytest.raises(CoviewError, match=f"{path}: a result is not complete"):
        collect(compared, cells)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (result("pretrained", 0.8, k=5), "k: 20 and 5"),
        (result("pretrained", 0.8, n=99), "test items: 100 and 99"),
        (replace(result("pretrained", 0.8), dataset="letters"), 'data set: "digits" and "letters"'),
    ],
)
def test_numbers_that_were_measured_differently_are_refused(registry, tmp_path, other, difference):
    compared = comparison(registry)
    with pytest.raises(CoviewError) as caught:
        collect(compared, one_more(found(compared, tmp_path, VALUES), 1, [other]))
    assert "image · nt_xent · seed 0 and image · nt_xent · seed 1" in caught.value.message
    assert difference in caught.value.message


def test_modalities_may_measure_differently(registry, tmp_path):
    compared = comparison(registry, modalities=("image", "text"), variants=("nt_xent",), seeds=1)
    cells = found(compared, tmp_path, {("image", "nt_xent"): [0.8], ("text", "nt_xent"): [0.5]})
    assert collect(compared, one_more(cells, 1, [result("pretrained", 0.4, n=7)])).rows[1].value() == 0.4


def test_repetitions_that_differ_in_more_than_the_seed_are_refused(registry, tmp_path):
    compared = comparison(registry, seeds=2)
    cells = list(compared.cells)
    cells[1] = replace(cells[1], recipe=replace(cells[1].recipe, tables=cells[3].recipe.tables))
    compared = replace(compared, cells=cells)
    values = {("image", variant): [0.8, 0.7] for variant in ("nt_xent", "warm")}
    with pytest.raises(CoviewError, match=r"not repetitions of each other: .*loss.temperature: 0\.2 → 0\.9"):
        collect(compared, found(compared, tmp_path, values))


def test_items_are_read_only_if_they_are_what_the_number_is_of(registry, tmp_path):
    compared = comparison(registry)
    values = {("image", variant): [0.8, 0.7, 0.6] for variant in ("nt_xent", "warm")}
    cells = found(compared, tmp_path, values, items=50)
    whole = scores_of(collect(compared, cells), "image")
    assert whole.items_VSN.shape == (2, 3, 50)
    np.testing.assert_allclose(whole.items_VSN.mean(2), whole.value_VS, atol=1e-6)
    (path,) = (cells[0].run.path / "items").glob("*-pretrained.npy")
    np.save(path, 1 - np.load(path))
    assert scores_of(collect(compared, cells), "image").items_VSN is None
    path.unlink()
    assert scores_of(collect(compared, cells), "image").items_VSN is None


def test_cells_are_written_as_csv_and_parquet(registry, tmp_path):
    pandas = pytest.importorskip("pandas")
    compared = comparison(registry)
    table = collect(compared, found(compared, tmp_path, VALUES))
    as_csv, parquet = write_cells(table, tmp_path / "report")
    with as_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pretrained"] for row in rows] == ["0.8", "0.82", "0.81", "0.7", "", ""]
    assert [row["axis.loss"] for row in rows[2:4]] == ["nt_xent", "warm"]
    assert rows[4]["reason"] == "it diverged"
    assert (tmp_path / "report" / rows[0]["run"] / "results.json").is_file()
    assert not Path(rows[0]["run"]).is_absolute()
    frame = pandas.read_parquet(parquet)
    assert list(frame.columns) == list(rows[0])
    assert frame["pretrained"][:4].tolist() == [0.8, 0.82, 0.81, 0.7]


def test_parameters_are_counted_from_the_checkpoints_header(registry, tmp_path):
    torch, save = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch").save_file
    compared = comparison(registry)
    cells = found(compared, tmp_path, VALUES)
    folder = cells[0].run.checkpoints / "last"
    folder.mkdir(parents=True)
    save({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, folder / "weights.safetensors", metadata={"format": "pt"})
    rows = collect(compared, cells).rows
    assert (rows[0].parameters, rows[1].parameters) == (17, None)


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_a_missing_library_is_named(registry, tmp_path, monkeypatch, library):
    compared = comparison(registry)
    table = collect(compared, found(compared, tmp_path, VALUES))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CoviewError, match=library) as caught:
        write_cells(table, tmp_path)
    assert caught.value.hint == "pip install 'coview[compare]'"


def test_a_broken_results_file_is_named(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path, VALUES)
    cells[0].run.results.write_text(json.dumps({"results": [{"metric": "accuracy"}]}))
    with pytest.raises(CoviewError, match="a result is not complete"):
        collect(compared, cells)
