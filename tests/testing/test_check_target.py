"""The kit finds what is wrong with a target. Each here is right but for one mistake."""

from typing import ClassVar

import pytest
import torch
from failing import failures
from torch import nn

from coview.builtin.targets import Input, RandomCodebook, TeacherDecoder, TeacherTokens
from coview.testing import check_target


@pytest.mark.parametrize(
    ("factory", "options"),
    [
        (Input, {}),
        (Input, {"parameters": {"normalise": "token"}}),
        (Input, {"classes": True}),
        (TeacherTokens, {"parameters": {"layers": 3}}),
        (TeacherTokens, {"parameters": {"layers": 2, "normalise": "instance", "normalise_mean": "layer"}}),
        (TeacherDecoder, {}),
        (RandomCodebook, {"parameters": {"codes": 12, "code_width": 4}}),
    ],
)
def test_those_that_come_with_coview_keep_their_promises(factory, options):
    check_target(factory, **options)


class Values:
    sees: ClassVar = "input"
    layers, is_class = 0, False

    def __init__(self, values: int):
        self.width = values

    def __call__(self, given):
        return given.values_NTP


class Wider(Values):
    def __call__(self, given):
        return torch.cat([given.values_NTP, given.values_NTP], -1)


class Layers(Values):
    layers = 2


class Draws(Values):
    def __call__(self, given):
        return given.values_NTP + torch.rand(())


class OverAllTokens(Values):
    def __call__(self, given):
        return given.values_NTP - given.values_NTP.mean(1, keepdim=True)


class OverAllRows(Values):
    def __call__(self, given):
        real = given.real_NT[..., None]
        return given.values_NTP - (given.values_NTP * real).sum((0, 1)) / real.sum()


class Writes(Values):
    def __call__(self, given):
        made = given.values_NTP.clone()
        given.values_NTP[:, 0] = 0
        return made


class Forgets(nn.Module):
    sees: ClassVar = "input"
    layers, is_class = 0, False

    def __init__(self, values: int):
        super().__init__()
        self.width = values
        self.register_buffer("scale", torch.rand(values), persistent=False)

    def forward(self, given):
        return given.values_NTP * self.scale


class Trained(Forgets):
    def __init__(self, values: int):
        super().__init__(values)
        del self.scale
        self.scale = nn.Parameter(torch.rand(values))


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (Wider, "says_what_it_makes"),
        (Layers, "says_what_it_makes"),
        (Draws, "is_the_same_each_time"),
        (OverAllTokens, "padding_changes_nothing"),
        (OverAllRows, "rows_are_apart"),
        (Writes, "leaves_its_input_alone"),
        (Forgets, "weights_are_saved_and_not_trained"),
        (Trained, "weights_are_saved_and_not_trained"),
    ],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_target, mutant)[0] == {check}


def test_what_they_vary_is_right():
    check_target(Values)
