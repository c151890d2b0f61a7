"""Which parts are in evaluation mode at a step: a part may be thawed before a part of it, and the teacher goes along."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import coview
from coview.model.parameter_groups import GroupOfParameters, ParameterSettings
from coview.model.topology import build_topology
from coview.train.freezing import Freezing


def model():
    return nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)), nn.Linear(2, 2))


def group(module, freeze):
    return GroupOfParameters(ParameterSettings(freeze=freeze), dict(module.named_parameters()))


@pytest.mark.parametrize("longer", [True, 4])
@pytest.mark.parametrize("start", [0, 3], ids=["whole", "resumed"])
def test_a_part_stays_frozen_when_what_it_is_in_is_thawed(longer, start):
    whole = model()
    first, norm = whole[0][0], whole[0][2]
    freezing = Freezing(whole, [group(first, 2), group(norm, longer), group(whole[1], None)], steps_per_epoch=10)
    for step in range(start, 6):
        freezing.set_modes(step)
        assert first.training == (step >= 2), step
        assert norm.training == (longer is not True and step >= longer), step
        assert whole[0].training == whole[0][1].training == (step >= 2), step
        assert whole[1].training


def test_the_gradients_of_what_is_frozen_for_a_time_are_taken_away():
    whole = model()
    freezing = Freezing(whole, [group(whole[0], 2), group(whole[1], None)], steps_per_epoch=10)
    for step in range(4):
        whole(torch.ones(4, 2)).sum().backward()
        freezing.drop_gradients(step)
        assert all((parameter.grad is None) == (step < 2) for parameter in whole[0].parameters())
        assert all(parameter.grad is not None for parameter in whole[1].parameters())


def test_prototypes_that_are_frozen_for_two_steps_neither_move_nor_decay(
    registry, write_recipe, small_recipe, tmp_path
):
    """DINO's last layer, under an optimiser with decay: bit for bit the same after the steps, another one later."""
    text = small_recipe[: small_recipe.index("[[evaluate]]")].replace("checkpoint_every = 3", "checkpoint_every = 1")
    text = text.replace('use = "nt_xent"', 'use = "dino"').replace('use = "sgd"', 'use = "adamw"\nweight_decay = 0.5')
    start, end = text.index("[projector]"), text.index("[loss]")
    text = text[:start] + '[projector]\nuse = "dino_head"\nwidth = 16\nhidden = 8\nbottleneck = 4\n\n' + text[end:]
    text = text.replace("lr = 0.05\n", 'lr = 0.05\n[[optimizer.group]]\nmatch = "projector.prototype*"\nfreeze = 2\n')
    path = write_recipe(text + "\n[teacher]\nmomentum = 0.5\n")
    recipe = coview.load_recipe(path, registry=registry, overrides={"train.steps": 3, "train.keep": 3})
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    name = "student.towers.image.projector.prototypes_KD"
    before = build_topology(recipe, registry).state_dict()[name]
    folders = [run.path / "checkpoints" / f"step-{step}" for step in (1, 2, 3)]
    first, second, third = (load_file(folder / "weights.safetensors")[name] for folder in folders)
    assert torch.equal(before, first)
    assert torch.equal(first, second)
    assert not torch.equal(second, third)


@pytest.mark.parametrize("rows", [None, 8], ids=["whole", "grad_cache"])
def test_a_frozen_encoder_is_in_evaluation_mode_in_student_and_teacher(
    registry, write_recipe, small_recipe, tmp_path, monkeypatch, rows
):
    """Each forward pass of a batch norm in an encoder, as it happens, for the student and the teacher."""
    seen = set()
    forward = nn.BatchNorm2d.forward

    def watched(self, batch):
        seen.add((self.training, self.weight.requires_grad))
        return forward(self, batch)

    monkeypatch.setattr(nn.BatchNorm2d, "forward", watched)
    text = small_recipe.replace("lr = 0.05\n", 'lr = 0.05\n[[optimizer.group]]\nmatch = "encoder.*"\nfreeze = 2\n')
    text = text[: text.index("[[evaluate]]")] + "\n[predictor]\nhidden = 16\n[teacher]\nmomentum = 0.5\n"
    overrides = {"train.steps": 2} if rows is None else {"train.steps": 2, "train.grad_cache": rows}
    recipe = coview.load_recipe(write_recipe(text), registry=registry, overrides=overrides)
    coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert seen == {(False, True), (False, False)}  # the teacher's parameters need no gradient
