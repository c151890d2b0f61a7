"""The kit finds what is wrong with a sampler. Each here is right but for one mistake."""

import numpy as np
import pytest
from failing import failures

import coview
from coview.testing import ConformanceError, check_sampler

SAMPLERS = {component.name: component for component in coview.load_plugins().of_kind("sampler")}


@pytest.mark.parametrize("name", SAMPLERS)
def test_those_that_come_with_coview_keep_their_promises(name):
    check_sampler(SAMPLERS[name].load())


def right(rows, batch_size, rng):
    batches = len(rows) // batch_size
    return rng.numpy.permutation(len(rows))[: batches * batch_size].reshape(batches, batch_size)


class Flat:
    def __call__(self, *given):
        return right(*given).ravel()


class Floats:
    def __call__(self, *given):
        return right(*given) / 1


class Beyond:
    def __call__(self, rows, *given):
        return right(rows, *given) + len(rows)


class Twice:
    def __call__(self, *given):
        found = right(*given)
        found[3, 1] = found[3, 0]
        return found


class Lists:
    def __call__(self, *given):
        return right(*given).tolist()


class GoesOn:
    def __init__(self):
        self.asked = 0

    def __call__(self, *given):
        self.asked += 1
        return np.roll(right(*given), self.asked, axis=0)


class SameEachEpoch:
    def __call__(self, rows, batch_size, rng):
        batches = len(rows) // batch_size
        return np.arange(batches * batch_size).reshape(batches, batch_size)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [(mutant, "makes_whole_batches") for mutant in (Flat, Floats, Beyond, Twice, Lists)]
    + [(GoesOn, "is_a_function_of_seed_and_epoch"), (SameEachEpoch, "draws_anew_for_each_epoch_and_seed")],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_sampler, mutant)[0] == {check}


def test_what_is_wrong_is_said():
    with pytest.raises(
        ConformanceError, match=r"Twice does not keep a promise:\n  makes_whole_batches: it has a row tw"
    ):
        check_sampler(Twice)
