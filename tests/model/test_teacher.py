import math

import pytest
import torch
from torch import nn

from coview.data.batch import select_samples
from coview.model.encoder import Encoding
from coview.model.teacher import Teacher, momentum_at
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable


class Encoder(nn.Module):
    width = 4

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, batch):
        return Encoding(self.norm(self.layer(batch)))


class Head(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)
        self.width = 4


def student(views=2):
    torch.manual_seed(0)
    return Towers({"a": Tower(Encoder(), Head(), Head())}, ("a",) * views, views)


def test_momentum_is_on_a_cosine_between_its_ends():
    table = TeacherTable(momentum=0.9, end_momentum=1.0)
    assert momentum_at(table, 0) == pytest.approx(0.9)
    assert momentum_at(table, 0.5) == pytest.approx(0.95)
    assert momentum_at(table, 0.25) == pytest.approx(1 - 0.1 * (math.cos(math.pi / 4) + 1) / 2)
    assert momentum_at(table, 1) == pytest.approx(1.0)
    assert momentum_at(TeacherTable(momentum=0.99, end_momentum=0.99), 0.3) == pytest.approx(0.99)


def test_it_follows_weights_and_buffers_and_has_no_predictor():
    towers = student()
    teacher = Teacher(towers, TeacherTable(momentum=0.75), seed=0)
    before = {name: tensor.clone() for name, tensor in teacher.towers.state_dict().items()}
    assert not any("predictor" in name for name in before)
    with torch.no_grad():
        for parameter in towers.parameters():
            parameter += 1
        towers({"a": torch.randn(8, 3)})  # moves running statistics
    teacher.follow(towers, progress=0)
    after, theirs = teacher.towers.state_dict(), towers.state_dict()
    for name, old in before.items():
        if old.is_floating_point():
            assert torch.allclose(after[name], 0.75 * old + 0.25 * theirs[name]), name
        else:
            assert after[name] == theirs[name] == 1, name
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_one_group_is_the_plain_forward_pass():
    towers = student()
    x = torch.randn(2 * 6, 3)
    teacher = Teacher(towers, TeacherTable(), seed=0)
    assert torch.equal(teacher({"a": x}, 6, step=0), towers({"a": x}).projections)


def test_shuffled_groups_are_normalised_by_themselves_and_put_back_in_order():
    towers = student().double()
    N, groups = 12, 3
    x = torch.randn(2 * N, 3, dtype=torch.float64)
    teacher = Teacher(towers, TeacherTable(shuffle_groups=groups), seed=7)
    z_GND = teacher({"a": x}, N, step=5)
    # found back without the shuffle: which samples were together is what a group's statistics say
    order = torch.randperm(N, generator=torch.Generator().manual_seed(7 * 1_000_003 + 5))
    for rows in order.tensor_split(groups):
        alone = towers({"a": select_samples(x, N, rows)}).projections
        assert torch.allclose(z_GND[:, rows], alone, atol=1e-12)
    assert not torch.allclose(z_GND, towers({"a": x}).projections, atol=1e-3)
    assert not torch.allclose(z_GND, teacher({"a": x}, N, step=6), atol=1e-3)
