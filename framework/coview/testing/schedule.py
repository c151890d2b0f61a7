"""What every schedule promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coview.testing.conformance import Check, Problems, UnderTest, run_checks
from coview.train.schedule import Moment

_RUNS = ((1, 1, 0), (7, 3, 0), (40, 10, 8), (200, 10, 200))
"""Steps, steps in an epoch and steps of the warm-up of some runs."""


@dataclass(frozen=True)
class ScheduleUnderTest(UnderTest):
    """A schedule, by what builds it.

    Attributes:
        factory, parameters: What builds it.
    """


def gives_a_share(tested: ScheduleUnderTest) -> Problems:
    """A finite number of at least 0 for each step of a run, however long."""
    for moment in _moments():
        share = tested.fresh()(moment)
        if isinstance(share, bool) or not isinstance(share, int | float):
            yield f"it makes a {type(share).__name__} of {moment}, and not a number"
        elif not math.isfinite(share) or share < 0:
            yield f"it makes {share} of {moment}"
        else:
            continue
        return


def is_a_function_of_the_moment(tested: ScheduleUnderTest) -> Problems:
    """The same for the same moment, whatever was asked before: a run that is resumed begins in the middle."""
    schedule = tested.fresh()
    forwards = [schedule(moment) for moment in _moments()]
    backwards = [schedule(moment) for moment in reversed(list(_moments()))][::-1]
    for moment, first, again in zip(_moments(), forwards, backwards, strict=True):
        if first != again or tested.fresh()(moment) != first:
            yield f"it makes {first} of {moment}, and {again} when it is asked in another order"
            return


def _moments() -> Iterator[Moment]:
    for total, per_epoch, warmup in _RUNS:
        for step in range(min(warmup, total - 1), total):
            yield Moment(step, total, per_epoch, warmup)


SCHEDULE_CHECKS: Mapping[str, Check[ScheduleUnderTest]] = {
    check.__name__: check for check in (gives_a_share, is_a_function_of_the_moment)
}


def check_schedule(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(SCHEDULE_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a schedule promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        parameters: What it is built with; the defaults otherwise.
        only: Names of the checks to run, of ``SCHEDULE_CHECKS``.
        except_for: Checks that this schedule is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(SCHEDULE_CHECKS, ScheduleUnderTest(factory, parameters or {}), factory, only, except_for)
