"""SimCLR v2's probe after the k-th layer of the projector: what is evaluated, embedded and trained on is that layer."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import coview
from coview.builtin.projectors import MLP
from coview.data.building import build_modalities
from coview.experiment.trial import try_out

LAYERS = {"projector.layers": 3, "projector.evaluated_layers": 1, "train.steps": 2, "train.checkpoint_every": 1}


@pytest.fixture
def trained(write_recipe, registry, tmp_path):
    def trained(name="run", **overrides):
        recipe = coview.load_recipe(write_recipe(), registry=registry, overrides=LAYERS | overrides)
        return coview.run(recipe, tmp_path / name, registry=registry, quiet=True)

    return trained


def by_hand(run, registry, layers):
    """Of the first test samples: encoder, then so many modules of the projector, written out."""
    dataset = registry.build("dataset", "digits", supplied={"split": "test"})
    batch = build_modalities(run.recipe, registry)["image"].collate([dataset[row]["image"] for row in range(20)])
    tower = run.topology.student.towers["image"].eval()
    with torch.no_grad():
        return nn.Sequential(*list(tower.projector)[:layers])(tower.encoder(batch).pooled_ND)


def test_features_are_those_of_the_layer_its_norm_and_its_relu(trained, registry):
    run = trained()
    found = torch.as_tensor(coview.embed(run, split="test"))
    assert found.shape == (360, 16)
    assert torch.allclose(found[:20], by_hand(run, registry, 3), atol=1e-5)
    told = json.loads((run.path / "results.json").read_text())
    assert told["encoder"].startswith("image encoder of the student, to layer 1 of the projector, ")
    copied = run.topology.evaluated_copy().evaluated_encoder("image").eval()
    assert copied.width == 16
    assert copied.projector[0] is not run.encoder.projector[0]
    assert torch.equal(copied.projector[0].weight, run.encoder.projector[0].weight)


def test_a_run_can_be_probed_after_each_layer_without_training_again(trained, registry):
    """With ``[start]`` and no step; the last layer is the projection."""
    run = trained()
    start = {"start.run": str(run.path), "start.parts": ["encoder", "projector"], "train.steps": 0}
    for count, modules in ((1, 3), (2, 6), (3, 7)):
        probed = trained(f"probe-{count}", **start, **{"projector.evaluated_layers": count})
        assert probed.recipe.warnings == ()
        found = torch.as_tensor(coview.embed(probed, split="test"))
        assert torch.allclose(found[:20], by_hand(run, registry, modules), atol=1e-5)
        kinds = {row.kind for row in probed.results}
        assert kinds >= {"pretrained", "untrained", "raw"}


def test_fine_tuning_starts_from_the_layer(trained):
    run = trained(evaluate=[{"use": "finetune", "epochs": 1, "labels_per_class": [4], "draws": 1}])
    assert {row.kind for row in run.results} >= {"pretrained", "untrained"}
    assert all(np.isfinite(row.value) for row in run.results)


def test_of_a_teacher_that_is_evaluated_its_layers_are(trained):
    run = trained(**{"teacher.momentum": 0.5, "teacher.evaluate": True})
    encoder, teacher = run.encoder, run.topology.teacher.towers.towers["image"]
    assert encoder.encoder is teacher.encoder
    assert encoder.projector[0] is teacher.projector[0]
    assert encoder.width == 16


def test_an_export_would_leave_them_out_and_is_refused(trained, tmp_path):
    run = trained()
    with pytest.raises(coview.CoviewError, match="evaluated_layers: an exported folder holds an encoder") as caught:
        coview.export(run, to="hf", out=tmp_path / "out")
    assert "coview embed" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"projector.evaluated_layers": 4}, "evaluated_layers: the projector has 3 layers, and 4 are asked for"),
        ({"projector": {"use": "identity", "evaluated_layers": 1}}, 'the projector "identity" has no layers that'),
    ],
)
def test_layers_that_are_not_there_are_refused(write_recipe, registry, tmp_path, overrides, says):
    tables = LAYERS | overrides if "projector" not in overrides else overrides
    recipe = coview.load_recipe(write_recipe(), registry=registry, overrides=tables)
    for refused in (
        lambda: coview.run(recipe, tmp_path / "runs", registry=registry),
        lambda: try_out(recipe, registry),
    ):
        with pytest.raises(coview.CoviewError, match=says):
            refused()
    assert not (tmp_path / "runs").exists()


def test_layers_that_nothing_has_trained_are_a_warning(write_recipe, registry):
    overrides = LAYERS | {"train.steps": 0}
    del overrides["train.checkpoint_every"]
    (warning,) = coview.load_recipe(write_recipe(), registry=registry, overrides=overrides).warnings
    assert (
        "projector.evaluated_layers" in warning or "the projector's layers are evaluated as they were drawn" in warning
    )


@pytest.mark.parametrize(("count", "modules", "width"), [(1, 3, 16), (2, 6, 16), (3, 8, 6)])
def test_layers_of_the_mlp_are_its_own(count, modules, width):
    projector = MLP(12, hidden=16, width=6, layers=3, last_batch_norm=True)
    layers = projector.first_layers(count)
    assert [id(part) for part in layers] == [id(part) for part in list(projector)[:modules]]
    assert layers.width == width
    for wrong in (0, 4):
        with pytest.raises(ValueError, match=f"the projector has 3 layers, and {wrong} are asked for"):
            projector.first_layers(wrong)
