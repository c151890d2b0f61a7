"""The kit finds what is wrong with a projector or a predictor. Each here is right but for one mistake."""

import pytest
import torch
from failing import failures
from torch import nn

import coview
from coview.testing import check_predictor, check_projector

REGISTRY = coview.load_plugins()


class Right(nn.Module):
    def __init__(self, *, in_width, width=8):
        super().__init__()
        self.width = width
        self.first, self.last = nn.Linear(in_width, 16), nn.Linear(16, width)

    def forward(self, x_ND):
        return self.last(self.first(x_ND).relu())


class NoWidth(Right):
    def __init__(self, **given):
        super().__init__(**given)
        self.width = "8"


class OtherWidth(Right):
    def __init__(self, *, in_width, width=8):
        super().__init__(in_width=in_width, width=width)
        self.last = nn.Linear(16, width + 1)


class Infinite(Right):
    def forward(self, x_ND):
        return super().forward(x_ND) / 0


class Writes(Right):
    def forward(self, x_ND):
        if not x_ND.requires_grad and x_ND.device.type != "meta" and len(x_ND) > 1:
            found = super().forward(x_ND.clone())
            x_ND.mul_(2)
            return found
        return super().forward(x_ND)


class Draws(Right):
    def forward(self, x_ND):
        return super().forward(nn.functional.dropout(x_ND, 0.5))


class Counts(Right):
    def __init__(self, **given):
        super().__init__(**given)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x_ND):
        self.calls += 1
        return super().forward(x_ND)


class Centres(Right):
    def forward(self, x_ND):
        return super().forward(x_ND - x_ND.mean(0))


class Unused(Right):
    def __init__(self, **given):
        super().__init__(**given)
        self.third = nn.Linear(16, 16)


class NoGradient(Right):
    def forward(self, x_ND):
        return super().forward(x_ND.detach())


class Forgets(Right):
    def __init__(self, **given):
        super().__init__(**given)
        self.scale = 1.0

    def forward(self, x_ND):
        if self.training and x_ND.device.type != "meta":
            self.scale = self.scale * 1.5
        return super().forward(x_ND) * self.scale


class Looks(Right):
    def forward(self, x_ND):
        return super().forward(x_ND) * (1.0 if float(x_ND.detach().sum()) else 0.5)


class OtherOnMeta(Right):
    def __init__(self, **given):
        super().__init__(**given)
        if coview.on_meta_device():
            self.last = nn.Linear(16, self.width + 1)


MUTANTS = [
    (NoWidth, "is_a_module_with_a_width"),
    (OtherWidth, "maps_rows_to_its_width"),
    (Infinite, "maps_rows_to_its_width"),
    (Writes, "leaves_its_rows_alone"),
    (Draws, "is_still_in_evaluation_mode"),
    (Counts, "is_still_in_evaluation_mode"),
    (Centres, "rows_stand_for_themselves"),
    (Unused, "every_weight_learns"),
    (NoGradient, "every_weight_learns"),
    (Forgets, "comes_back_from_its_state"),
    (OtherOnMeta, "can_be_tried_out"),
]


@pytest.mark.parametrize("check", [check_projector, check_predictor])
def test_one_that_is_right_passes(check):
    assert check(Right) == []


@pytest.mark.parametrize("check", [check_projector, check_predictor])
def test_one_that_asks_for_numbers_is_tried_on_the_cpu_and_that_is_said(check):
    (note,) = check(Looks)
    assert note.startswith("it is tried out on the CPU, since it cannot run on the meta device: ")


@pytest.mark.parametrize(("mutant", "check"), MUTANTS)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_projector, mutant)[0] == {check}


def test_a_predictor_ends_in_the_width_that_it_is_given():
    class Own(Right):
        def __init__(self, *, in_width, width):
            super().__init__(in_width=in_width, width=5)

    assert failures(check_predictor, Own)[0] == {"is_a_module_with_a_width"}


NARROW = {"dino_head": {"width": 512}}
"""Where the default is wide: 65,536 prototypes take a quarter of a minute, and keep no other promises."""


@pytest.mark.parametrize("name", [component.name for component in REGISTRY.of_kind("projector")])
def test_the_projectors_of_coview_keep_their_promises(name):
    factory = next(c for c in REGISTRY.of_kind("projector") if c.name == name).load()
    check_projector(factory, parameters=NARROW.get(name, {}))


@pytest.mark.parametrize("name", [component.name for component in REGISTRY.of_kind("predictor")])
def test_the_predictors_of_coview_keep_their_promises(name):
    check_predictor(next(c for c in REGISTRY.of_kind("predictor") if c.name == name).load())
