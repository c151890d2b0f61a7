"""The kit finds what is wrong with a schedule. Each here is right but for one mistake."""

import math

import pytest
from failing import failures

import coview
from coview.testing import ConformanceError, check_schedule

SCHEDULES = {component.name: component for component in coview.load_plugins().of_kind("schedule")}
PARAMETERS = {"step": {"at": ("2 epochs", 9)}}


@pytest.mark.parametrize("name", SCHEDULES)
def test_those_that_come_with_coview_keep_their_promises(name):
    check_schedule(SCHEDULES[name].load(), parameters=PARAMETERS.get(name))


class Negative:
    def __call__(self, moment):
        return 0.5 - moment.done


class Infinite:
    def __call__(self, moment):
        return math.inf if moment.step == 30 else 1.0


class Text:
    def __call__(self, moment):
        return "1.0"


class Counts:
    def __init__(self):
        self.asked = 0

    def __call__(self, moment):
        self.asked += 1
        return 1.0 / self.asked


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (Negative, "gives_a_share"),
        (Infinite, "gives_a_share"),
        (Text, "gives_a_share"),
        (Counts, "is_a_function_of_the_moment"),
    ],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_schedule, mutant)[0] == {check}


def test_what_is_wrong_is_said():
    with pytest.raises(ConformanceError, match=r"Text does not keep a promise:\n  gives_a_share: it makes a str of"):
        check_schedule(Text)
