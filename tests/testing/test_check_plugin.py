"""`coview plugins check`: every component of a plugin by the checks of its kind."""

import json

import numpy as np
import pytest
from torch import nn

import coview
from coview.recipe.load import load_recipe
from coview.testing.plugin import check_plugin


class Good(nn.Module):
    def __init__(self, *, in_width, width: int = 8):
        super().__init__()
        self.width = width
        self.map = nn.Linear(in_width, width)

    def forward(self, x_ND):
        return self.map(x_ND)


class Bad(Good):
    def forward(self, x_ND):
        return super().forward(x_ND - x_ND.mean(0))


class Crashes(Good):
    def forward(self, x_ND):
        raise TypeError("no rows\nat all")


class Needy(Good):
    def __init__(self, *, in_width, width: int):
        super().__init__(in_width=in_width, width=width)


class Brighter:
    def __init__(self, *, by: int = 3):
        self.by = by

    def __call__(self, value, rng):
        return (value + rng.numpy.integers(1, self.by + 1)).astype(value.dtype)


@pytest.fixture
def mine(registry):
    registrar = coview.Registrar("mine")
    for name in ("Good", "Bad", "Crashes", "Needy"):
        registrar.projector(name.lower(), f"{__name__}:{name}", summary="a map")
    registrar.augmentation("brighter", f"{__name__}:Brighter", modality="image", summary="brighter")
    registrar.augmentation("of_nothing", f"{__name__}:Brighter", modality="smell", summary="stronger")
    registrar.family("augmentation", "all", f"{__name__}:Brighter", modality="image", summary="all", example="all:a")
    return registry.plus(registrar)


def statuses(found):
    return {one.name.removeprefix("mine/"): (one.status, one.reason) for one in found}


def test_each_component_is_tried_as_far_as_it_can_be(mine):
    found = check_plugin("mine", mine)
    assert statuses(found) == {
        "good": ("ok", ""),
        "bad": ("problems", ""),
        "crashes": ("problems", ""),
        "needy": ("not tried", "it needs width: --recipe FILE says what they are"),
        "brighter": ("ok", ""),
        "of_nothing": ("not tried", "no data set of smell values is at hand: --recipe FILE names one"),
        "all": ("not tried", "a family: its members are the library's"),
    }
    said = {one.name: one.problems for one in found}
    assert said["mine/bad"][0].startswith("rows_stand_for_themselves: a row alone is projected differently")
    assert said["mine/crashes"] == [
        "it raises TypeError: no rows; at all (in the check maps_rows_to_its_width of Crashes)"
    ]


class Single:
    """A data set of one sample, such as the nodes of one graph together."""

    modalities, splits, classes, version, citation, licence = ("smell",), ("train",), None, "1", "", ""

    def __init__(self, *, split="train"):
        pass

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return coview.Sample({"smell": np.zeros(3)}, id=index)


def test_data_of_one_value_are_said_to_be_too_few(registry):
    registrar = coview.Registrar("one")
    registrar.dataset("single", f"{__name__}:Single", summary="one smell")
    registrar.augmentation("stronger", f"{__name__}:Brighter", modality="smell", summary="stronger")
    (found,) = check_plugin("one/stronger", registry.plus(registrar))
    expected = "no data set of smell values with two values or more (found: Single with 1) is at hand"
    assert (found.status, found.reason) == ("not tried", f"{expected}: --recipe FILE names one")


def test_a_recipe_says_parameters_and_brings_values(mine, write_recipe, small_recipe):
    sets = ["projector={use='needy', width=6}"]
    recipe = load_recipe(write_recipe(small_recipe), mine, sets=sets)
    (found,) = check_plugin("needy", mine, recipe=recipe)
    assert (found.status, found.parameters["width"]) == ("ok", 6)


def test_a_check_can_be_excepted_of_one_component(mine):
    reason = {"rows_stand_for_themselves": "it centres"}
    (found,) = check_plugin("mine/bad", mine, except_for=reason)
    assert found.status == "ok"
    (passes,) = check_plugin("good", mine, except_for=reason)
    assert passes.problems == ["rows_stand_for_themselves: passes, though it is excepted (it centres)"]
    with pytest.raises(coview.CoviewError, match="of one component, and mine names 7"):
        check_plugin("mine", mine, except_for=reason)
    with pytest.raises(coview.CoviewError, match="projector mine/good: no such check: rows; there are "):
        check_plugin("good", mine, except_for={"rows": "it centres"})


def test_the_command_says_it_and_exits_by_it(call):
    done = call("plugins", "check", "losses/nt_xent")
    assert (done.status, done.out.split()) == (0, ["loss", "losses/nt_xent", "ok"])
    done = call("plugins", "check", "nt_xent", "--json")
    assert [(one["name"], one["status"]) for one in json.loads(done.out)] == [("losses/nt_xent", "ok")]
    done = call("plugins", "check", "nt_xent", "--except", "shares_of_processes=they differ")
    assert done.status == 3
    assert "shares_of_processes: passes, though it is excepted (they differ)" in done.out
    assert call("plugins", "check", "nt_xent", "--except", "shares_of_processes").status == 2
    done = call("plugins", "check", "nt_xnt")
    assert (done.status, 'did you mean "nt_xent"?' in done.err) == (2, True)
