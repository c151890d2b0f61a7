"""What cells share is made once and changes no bit of any of them."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.compare.cells import find_cells
from coview.compare.run_missing import run_missing
from coview.compare.sharing import sharing, side_by_side
from coview.data.views import PipelineStep
from coview.experiment import leaks
from coview.experiment.feature_store import FeatureStore
from coview.experiment.shared_work import SharedWork, stream_of_views
from coview.launch.job import Done, run_job
from coview.recipe.comparison import load_comparison

SWEEP = '\n[sweep.grid]\nseed = [0, 1]\n\n[[sweep.zip]]\nlabel = "warm"\n"loss.temperature" = 0.5\n' \
    '[[sweep.zip]]\nlabel = "wide"\n"projector.width" = 4\n'  # fmt: skip


class InThisProcess:
    """A launcher whose runs can be looked at."""

    local_processes = 1

    def launch(self, jobs):
        for job in jobs:
            done: Done = run_job(job)
            assert not done.reason
            yield done


@pytest.fixture
def comparison(write_recipe, small_recipe, registry):
    return load_comparison(write_recipe(small_recipe + SWEEP), registry=registry)


def files_of(cell):
    files = sorted(cell.run.features.glob("*/*.safetensors"))
    weights = load_file(cell.run.checkpoints / "step-6" / "weights.safetensors")
    return {f"{file.parent.name}/{file.name}": load_file(file) for file in files} | {"weights": weights}


def test_cells_that_share_are_bit_for_bit_those_that_do_not(comparison, registry, tmp_path, monkeypatch):
    comparison = dataclasses.replace(comparison, cells=[c for c in comparison.cells if c.recipe.seed == 0])
    embedded, made = [], []
    store = FeatureStore
    embed, compared, find = store.embed, [], leaks.find_leaks
    monkeypatch.setattr(
        store, "embed", lambda self, kind, *rest, **more: embedded.append(kind) or embed(self, kind, *rest, **more)
    )

    def find_some(*splits):
        compared.append(1)
        return dataclasses.replace(find(*splits), examples=[(3, 4)])

    monkeypatch.setattr(leaks, "find_leaks", find_some)
    call = PipelineStep.__call__
    monkeypatch.setattr(PipelineStep, "__call__", lambda self, *rest: made.append(1) or call(self, *rest))
    alone = dataclasses.replace(comparison, bank_gb=0.0)
    launcher = InThisProcess()
    launcher.local_processes = 0
    apart = run_missing(alone, tmp_path / "apart", registry, launcher, say=lambda text: None)
    assert len(compared) == 2
    controls, views = [kind for kind in embedded if kind != "pretrained"], len(made)
    embedded.clear()
    made.clear()
    together = run_missing(comparison, tmp_path / "together", registry, InThisProcess(), say=lambda text: None)
    again = [kind for kind in embedded if kind != "pretrained"]

    # of two variants the controls are embedded once, and train and test are compared once
    assert len(compared) == 3
    assert again.count("untrained") * 2 == controls.count("untrained") > 0
    assert again.count("raw") * 2 == controls.count("raw") > 0
    # and the two views of each sample of the six steps are made once; previews make their own
    assert views - len(made) == 6 * 32 * 2
    for one, other in zip(apart, together, strict=True):
        assert one.cell.name == other.cell.name
        found, said = (json.loads(cell.run.results.read_text())["leaks"] for cell in (one, other))
        assert found == said
        assert len(found[0]["examples"]) == 1
        ours, theirs = files_of(one), files_of(other)
        assert ours.keys() == theirs.keys()
        assert len(ours) > 5
        for name, tensors in ours.items():
            for key, tensor in tensors.items():
                assert torch.equal(tensor, theirs[name][key]), f"{one.cell.name}: {name}, {key}"
    assert not list((tmp_path / "together" / "small").glob(".shared*"))


def test_what_differs_in_what_it_depends_on_is_not_shared(write_recipe, small_recipe, registry, tmp_path):
    def stream(*sets):
        return stream_of_views(coview.load_recipe(write_recipe(small_recipe), registry=registry, sets=sets))

    same = ["loss.temperature=0.3", "train.steps=9", "encoder.width=16", "projector.width=4", "data.workers=1"]
    for override in (*same, "train.batch_size=16", "optimizer.lr=0.1"):
        assert stream(override) == stream(), override
    for override in ("seed=4", "augment.0.size=6", "data.views=3", "modality.mean=[0.5]"):
        assert stream(override) != stream(), override


def test_controls_are_told_apart_by_weights_data_and_evaluated_layers(write_recipe, small_recipe, registry, tmp_path):
    work = SharedWork(tmp_path)

    def file(*sets, kind="untrained", of=None, seed=0):
        recipe = coview.load_recipe(write_recipe(small_recipe), registry=registry, sets=sets)
        torch.manual_seed(seed)
        encoder = registry.build("encoder", "resnet18", modality="image", stem="small", width=8)
        return work.features(recipe, kind, of or {"split": "train"}, None if kind == "raw" else encoder)

    assert file("loss.temperature=0.3", "projector.width=4", "train.steps=1") == file()
    assert len({file(), file(seed=1), file(of={"split": "test"}), file("projector.evaluated_layers=1"), file("encoder.drop_path=0.1")}) == 5  # fmt: skip
    assert file(kind="raw") == file("seed=9", kind="raw") != file("modality.mean=[0.5]", kind="raw")


def test_views_are_removed_once_the_last_cell_that_needs_them_has_ended(comparison, registry, tmp_path):
    found = find_cells(comparison, tmp_path, registry)
    with sharing(found, tmp_path, 1.0) as shared:
        assert shared is not None
        assert len(shared.work.views) == 2
        first = [cell for cell in found if cell.cell.recipe.seed == 0]
        bank = shared.work.bank(first[0].cell.recipe)
        bank.put([1], ["a batch"])
        shared.ended(first[0])
        assert bank.get([1]) == ["a batch"]
        shared.ended(first[1])
        assert bank.get([1]) is None
    assert list(tmp_path.glob(".shared*")) == []
    with sharing(found, tmp_path, 0.0) as shared:
        assert shared is not None
        assert shared.work.bank(first[0].cell.recipe) is None
    with sharing(found[:1], tmp_path, 1.0) as shared:
        assert shared is None


def test_cells_that_run_together_make_other_views(comparison, registry, tmp_path):
    """Two cells of one seed that begin together would both make its views: with two at a time, seeds go side by side."""
    found = sorted(find_cells(comparison, tmp_path, registry), key=lambda cell: cell.cell.recipe.seed)
    assert [cell.cell.recipe.seed for cell in side_by_side(found, 1)] == [0, 0, 1, 1]
    assert [cell.cell.recipe.seed for cell in side_by_side(found, 2)] == [0, 1, 0, 1]
    assert [cell.cell.recipe.seed for cell in side_by_side(found[:3], 3)] == [0, 1, 0]
    assert side_by_side([], 2) == []
