"""The kit finds what is wrong with an augmentation, and says it. Each here is right but for one mistake."""

from __future__ import annotations

import random
from zlib import crc32

import numpy as np
import pytest
import torch
from failing import failures
from torch.utils.data import get_worker_info

from coview.testing import AUGMENTATION_CHECKS, ConformanceError, check_augmentation

VALUES = [np.arange(12, dtype=np.float32) * (row + 1) for row in range(6)]


class Right:
    """Adds noise of a given width."""

    def __init__(self, *, width: float = 1.0) -> None:
        self.width = width

    def __call__(self, value, rng):
        return value + rng.numpy.normal(0, self.width, value.shape).astype(value.dtype)


class OwnGenerator(Right):
    """As Albumentations': a generator made in the constructor."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(0)

    def __call__(self, value, rng):
        return value + self.generator.normal(size=value.shape)


class GlobalPython(Right):
    def __call__(self, value, rng):
        return value + random.random()


class GlobalNumPy(Right):
    def __call__(self, value, rng):
        return value + np.random.rand()


class GlobalTorch(Right):
    def __call__(self, value, rng):
        return value + torch.rand(()).item()


class SeedsTheGlobalOne(Right):
    """Draws the right thing, but leaves everybody else's generator seeded."""

    def __call__(self, value, rng):
        np.random.seed(rng.seed32())
        return value + np.random.rand()


class Remembers(Right):
    """Mixes in the value before."""

    last = 0.0

    def __call__(self, value, rng):
        mixed = super().__call__(value, rng) + self.last
        self.last = value.sum()
        return mixed


class DrawsThoughItSaysNot(Right):
    deterministic = True


class InPlace(Right):
    def __call__(self, value, rng):
        value += rng.numpy.normal()
        return value


class Still(Right):
    def __call__(self, value, rng):
        return value * 2


class HashOfAText(Right):
    """What it does differs from process to process, and in none by itself."""

    def __call__(self, value, rng):
        return super().__call__(value, rng) + hash("brightness") % 1000


class OrderOfASet(Right):
    """Likewise, by what its constructor makes of a set; and a copy of it keeps that."""

    def __init__(self) -> None:
        super().__init__()
        self.words = list({"wave", "ship", "sail", "storm", "fish", "harbour", "tide", "pan", "bread", "oven", "salt"})

    def __call__(self, value, rng):
        return super().__call__(value, rng) + crc32(" ".join(self.words).encode()) % 100_003


class KnowsTheProcess(Right):
    def __call__(self, value, rng):
        return super().__call__(value, rng) + (get_worker_info() is not None)


class CannotBePickled(Right):
    def __init__(self) -> None:
        super().__init__()
        self.scale = lambda value: value

    def __deepcopy__(self, memo):
        return CannotBePickled()


def test_what_is_right_passes():
    check_augmentation(Right, VALUES)
    check_augmentation(Right, VALUES, parameters={"width": 0.0}, except_for={"draws_anew_for_each_key": "no width"})
    check_augmentation(DrawsThoughItSaysNot, VALUES, parameters={"width": 0.0})


@pytest.mark.parametrize(
    ("wrong", "check", "says"),
    [
        (OwnGenerator, "depends_on_its_key_alone", "called again, value 0 of 6 comes out differently"),
        (KnowsTheProcess, "is_the_same_in_loader_processes", "2 loader processes"),
        (Remembers, "depends_on_its_key_alone", "in another order"),
        (CannotBePickled, "depends_on_its_key_alone", "cannot be pickled"),
        (GlobalPython, "uses_no_other_randomness", "the global generator of Python"),
        (GlobalNumPy, "uses_no_other_randomness", "the view depends on a global generator's seed"),
        (GlobalTorch, "uses_no_other_randomness", "the global generator of PyTorch"),
        (SeedsTheGlobalOne, "uses_no_other_randomness", "draws from, or seeds, the global generator of NumPy"),
        (
            HashOfAText,
            "is_the_same_in_another_interpreter",
            "another PYTHONHASHSEED, value 0 of 6 comes out differently",
        ),
        (OrderOfASet, "is_the_same_in_another_interpreter", "a run that is resumed would see other views"),
        (InPlace, "leaves_its_value_alone", "it writes into value 0"),
        (Still, "draws_anew_for_each_key", "24 values of epoch give one and the same view"),
        (DrawsThoughItSaysNot, "draws_anew_for_each_key", "it is deterministic, as it says, and 24 values of seed"),
    ],
)
def test_what_is_wrong_is_found_and_said(wrong, check, says):
    failed, message = failures(check_augmentation, wrong, VALUES)
    assert failed == {check}
    assert says in message
    assert message.startswith(f"{wrong.__name__} does not keep")


def test_what_draws_elsewhere_is_said_once():
    _, message = failures(check_augmentation, GlobalPython, VALUES)
    for name in ("depends_on_its_key_alone", "is_the_same_in_loader_processes"):
        assert f"{name}: not checked, since uses_no_other_randomness fails" in message


def test_what_no_factory_can_be_pickled_of_travels_itself():
    made = Right()
    check_augmentation(lambda: made, VALUES, only=["is_the_same_in_another_interpreter"])
    wrong = HashOfAText()
    with pytest.raises(ConformanceError, match="PYTHONHASHSEED"):
        check_augmentation(lambda: wrong, VALUES, only=["is_the_same_in_another_interpreter"])


def test_one_value_is_too_few():
    with pytest.raises(ValueError, match="at least two values"):
        check_augmentation(Right, VALUES[:1])


def test_a_needless_exception_and_an_unknown_check_are_refused():
    with pytest.raises(ConformanceError, match="passes, though it is excepted"):
        check_augmentation(Right, VALUES, except_for={"leaves_its_value_alone": "it does"})
    with pytest.raises(ValueError, match="no such check: leaves_it"):
        check_augmentation(Right, VALUES, only=["leaves_it"])
    assert all(check.__doc__ for check in AUGMENTATION_CHECKS.values())
