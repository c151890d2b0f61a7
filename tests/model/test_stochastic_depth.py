"""A teacher leaves no layer out, whichever library the layer is of; its dropout and batch norm are as the student's."""

import pytest
import torch
from torch import nn

import coview
from coview.model.encoder import Encoding
from coview.model.stochastic_depth import is_stochastic_depth
from coview.model.teacher import Teacher
from coview.model.topology import build_topology
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable


def of_timm():
    from timm.layers import DropPath

    return DropPath(0.5)


def of_torchvision():
    from torchvision.ops import StochasticDepth

    return StochasticDepth(0.5, "row")


def of_transformers():
    from transformers.models.dinov2.modeling_dinov2 import Dinov2DropPath

    return Dinov2DropPath(0.5)


class Encoder(nn.Module):
    width = 4

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, batch):
        return Encoding(self.layers(batch))


class Identity(nn.Identity):
    width = 4


def teacher_and_student(*layers):
    student = Towers({"a": Tower(Encoder(*layers), Identity())}, ("a",), 1)
    teacher = Teacher(student, TeacherTable(), seed=0)
    nn.ModuleList([student, teacher]).train()
    return teacher, student


@pytest.mark.parametrize("made", [of_timm, of_torchvision, of_transformers])
@pytest.mark.parametrize("modes", ["as train() has put them", "as the student's"])
def test_the_teacher_leaves_nothing_out(made, modes):
    teacher, student = teacher_and_student(made())
    assert is_stochastic_depth(student.towers["a"].encoder.layers[0])
    if modes == "as the student's":
        teacher.take_modes(student)
    x = torch.ones(64, 4)
    assert torch.equal(teacher({"a": x}, 64, 0)[0], x)
    left_out = (student({"a": x}).projections[0] == 0).all(1)
    assert 10 < left_out.sum() < 54


def test_dropout_and_batch_norm_of_the_teacher_are_in_training_mode():
    teacher, student = teacher_and_student(nn.BatchNorm1d(4), nn.Dropout(0.5))
    teacher.take_modes(student)
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * 9 + 5
    z_ND = teacher({"a": x}, 64, 0)[0]
    assert 64 < (z_ND == 0).sum() < 192
    normalised = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(z_ND[z_ND != 0], 2 * normalised[z_ND != 0], atol=1e-5)
    student.eval()
    teacher.take_modes(student)
    assert (teacher({"a": x}, 64, 0) != 0).all()


@pytest.mark.parametrize(
    "encoder",
    [
        "{use='vit', image_size=8, patch=4, width=8, layers=4, heads=2, drop_path=0.9}",
        "{use='resnet18', stem='small', width=8, drop_path=0.9}",
        "{use='timm:vit_tiny_patch16_224', image_size=16, pretrained=false, drop_path=0.9}",
    ],
)
def test_of_a_recipe_the_student_alone_draws(write_recipe, registry, encoder):
    recipe = coview.load_recipe(write_recipe(), registry=registry, sets=[f"encoder={encoder}", "teacher={}"])
    topology = build_topology(recipe, registry).train()
    side = 16 if "timm" in encoder else 8
    x = torch.randn(2 * 8, 3, side, side)
    twice = [topology.teacher({"image": x}, 8, 0) for _ in range(2)]
    assert torch.equal(*twice)
    assert not torch.equal(*(topology.student({"image": x}).projections for _ in range(2)))
