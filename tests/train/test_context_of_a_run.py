"""What samples share reaches the encoder in training and in all that measures it, the same whatever is in between."""

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.experiment.trial import try_out
from ring import Around, registry

RECIPE = """
schema = 1
name = "ring"

[data]
use = "ring"
workers = 0

[[augment]]
use = "blank"

[encoder]
use = "around"

[projector]
use = "identity"

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.5

[train]
steps = 4
batch_size = 16
device = "cpu"
precision = "fp32"
checkpoint_every = 2
keep = 3
"""

MEASURED = 'evaluate=[{use="knn", k=3}, {use="finetune", epochs=1, labels_per_class=[4]}, {use="cost", repeats=5}]'


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(*sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(RECIPE), sets=sets, registry=found)
        run = coview.run(recipe, tmp_path / name, registry=found, quiet=True)
        return load_file(run.checkpoint.path / "weights.safetensors"), run

    return trained


def test_loader_processes_change_nothing_and_what_is_hidden_does(trained):
    plain, _ = trained()
    shared, _ = trained("data.workers=2", name="workers")
    assert all(torch.equal(plain[name], shared[name]) for name in plain)
    assert not all(
        torch.equal(plain[name], other) for name, other in trained("augment.0.share=0.0", name="same")[0].items()
    )


def test_a_context_of_its_own_for_each_view_trains_with_a_teacher_and_a_cache(trained):
    _, run = trained("train.grad_cache=5", "teacher.momentum=0.9", "teacher.shuffle_groups=2", "augment.0.views=[1]")
    assert run.checkpoint.step == 4


def test_what_measures_an_encoder_knows_of_no_context(trained):
    _, run = trained(MEASURED)
    found = {(row.evaluator, row.kind) for row in run.results}
    assert found >= {("knn", kind) for kind in ("pretrained", "untrained", "raw")}
    assert {("cost", "pretrained"), ("finetune", "pretrained")} <= found


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (
            ["data.use=rootless"],
            ":13: encoder.use: the encoder Around takes the context of its data, and there is none in",
        ),
        (
            ["encoder.use=alone"],
            ':10: augment.0.use: blank changes the context of the data, and the encoder "alone" takes',
        ),
    ],
)
def test_what_does_not_go_together_is_refused_before_training(write_recipe, tmp_path, sets, says):
    found = registry()
    recipe = coview.load_recipe(write_recipe(RECIPE), sets=sets, registry=found)
    for refused in (lambda: coview.run(recipe, tmp_path / "runs", registry=found), lambda: try_out(recipe, found)):
        with pytest.raises(coview.CoviewError) as caught:
            refused()
        assert says in caught.value.message
    assert not (tmp_path / "runs").exists()


def test_an_encoder_that_asks_for_numbers_is_tried_with_some(write_recipe, monkeypatch):
    found = registry()
    told = {}
    for use in ("around", "asks"):
        recipe = coview.load_recipe(write_recipe(RECIPE.replace('"around"', f'"{use}"')), registry=found)
        told[use] = try_out(recipe, found)
    assert told["around"] == "32 samples, 4 steps, 24 parameters, projections 2 × 4 × 6"
    assert told["asks"] == f"{told['around']} (tried with real numbers, on the CPU)"

    def forward(self, batch, context):
        assert not batch.is_meta or bool(context["features"].sum()), "asks for a number"
        return coview.Encoding(self.layers(context["features"] @ torch.ones(5, 3))[batch])

    monkeypatch.setattr(Around, "forward", forward)
    with pytest.raises(coview.CoviewError) as caught:
        try_out(recipe, found)
    assert 'recipe.toml:13: encoder.use: the encoder "asks" does not take the batch ' in caught.value.message
