"""The conformance kit for context augmentations finds what is wrong with one, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import coview
from coview.testing import CONTEXT_AUGMENTATION_CHECKS, ConformanceError, check_context_augmentation
from coview.testing.plugin import check_plugin
from ring import Around, Blank, Nodes, Ring


class DrawsElsewhere(Blank):
    def __call__(self, context, rng):
        torch.rand(())
        return super().__call__(context, rng)


class Counts(Blank):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def __call__(self, context, rng):
        self.calls += 1
        made = super().__call__(context, rng)
        return {"features": made["features"] + self.calls}


class Constant(Blank):
    def __call__(self, context, rng):
        return {"features": context["features"] / 2}


class Writes(Blank):
    def __call__(self, context, rng):
        context["features"] *= torch.from_numpy(rng.numpy.random((1, 3)).astype(np.float32))
        return context


def test_what_keeps_its_promises_passes():
    check_context_augmentation(Blank, Ring().context, parameters={"share": 0.5})


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (DrawsElsewhere, "uses_no_other_randomness"),
        (Counts, "depends_on_its_key_alone"),
        (Constant, "draws_anew_for_each_key"),
        (Writes, "leaves_its_context_alone"),
    ],
)
def test_each_mistake_is_found_by_its_check_alone(wrong, check):
    with pytest.raises(ConformanceError) as caught:
        check_context_augmentation(wrong, Ring().context)
    assert {problem.split(":")[0] for problem in caught.value.problems} == {check}
    others = [name for name in CONTEXT_AUGMENTATION_CHECKS if name != check]
    check_context_augmentation(wrong, Ring().context, only=others)


def test_a_plugin_is_checked_in_the_context_of_its_data(registry):
    mine = coview.Registrar("mine")
    mine.modality("graph", f"ring:{Nodes.__name__}", summary="nodes")
    mine.dataset("ring", f"ring:{Ring.__name__}", summary="a ring")
    mine.augmentation("blank", f"ring:{Blank.__name__}", modality="graph", summary="hides features")
    mine.augmentation("writes", f"{__name__}:Writes", modality="graph", summary="writes")
    mine.encoder("around", f"ring:{Around.__name__}", modality="graph", summary="an encoder")
    found = {one.name: one.status for one in check_plugin("mine", registry.plus(mine))}
    assert found["mine/around"] == found["mine/blank"] == "ok"
    assert found["mine/writes"] == "problems"
