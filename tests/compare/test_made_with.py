"""Cells of other machines: told of, and told of more where a machine goes with a variant."""

from __future__ import annotations

import json

from fabricated_runs import comparison, found

from coview.compare.collect import collect
from coview.compare.statistics.analysis import analyse

VALUES = {("image", "nt_xent"): [0.80, 0.81, 0.79], ("image", "warm"): [0.70, 0.72, 0.69]}


def cautions(registry, folder, change):
    cells = found(comparison(registry), folder, VALUES)
    for cell in cells:
        document = json.loads(cell.run.environment.read_text())
        change(cell, document)
        cell.run.environment.write_text(json.dumps(document))
    (each,) = analyse(collect(comparison(registry), cells)).modalities
    return [line for line in each.cautions if "were made" in line or "run all of" in line]


def test_cells_of_one_machine_are_not_spoken_of(registry, tmp_path):
    def threads(cell, document):
        document["device"] = f"AMD EPYC, {1 + cell.cell.recipe.seed} thread{'s' * bool(cell.cell.recipe.seed)} (cpu)"

    assert cautions(registry, tmp_path, threads) == []


def test_other_devices_and_versions_are_counted(registry, tmp_path):
    def third_seed(cell, document):
        if cell.cell.recipe.seed == 2:
            document |= {"device": "NVIDIA H200 (cuda)", "libraries": {"torch": "2.9.0"}}

    assert cautions(registry, tmp_path, third_seed) == [
        "Cells differ in how they were made: device cpu (4) and NVIDIA H200 (cuda) (2); torch 2.14.1 (4) and 2.9.0 (2)."
    ]


def test_a_machine_of_one_variant_alone_is_a_warning(registry, tmp_path):
    def of_warm(cell, document):
        if cell.cell.variant == "warm":
            document["device"] = "NVIDIA H200 (cuda)"

    (counted, warned) = cautions(registry, tmp_path, of_warm)
    assert counted == "Cells differ in how they were made: device cpu (3) and NVIDIA H200 (cuda) (3)."
    assert warned.startswith("Variants differ in device too")


def test_an_environment_that_is_lost_says_nothing(registry, tmp_path):
    cells = found(comparison(registry), tmp_path, VALUES)
    cells[0].run.environment.unlink()
    (each,) = analyse(collect(comparison(registry), cells)).modalities
    assert not any("made with" in line for line in each.cautions)
