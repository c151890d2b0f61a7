"""All checks of a loss at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from coview.testing.loss_checks import LOSS_CHECKS
from coview.testing.loss_under_test import LossUnderTest


class LossCheckError(AssertionError):
    """A loss that does not keep its promises, with everything that was found."""


def check_loss(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(LOSS_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that a loss keeps the promises of the contract, on small random projections on the CPU.

    Args:
        factory: The loss's class, or what else a recipe would build it by. Its signature says which parameters are
            tried, and its ``needs`` which views it gets.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``LOSS_CHECKS``.
        except_for: Checks that this loss is meant to fail, each with the reason, such as
            ``{"samples_of_equal_id": "its statistics are of the whole batch"}``. One that it passes is an error.

    Raises:
        LossCheckError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    except_for = except_for or {}
    unknown = sorted({*only, *except_for} - set(LOSS_CHECKS))
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}; there are {', '.join(LOSS_CHECKS)}")
    tested = LossUnderTest(factory, parameters or {})
    found: list[str] = []
    for name in only:
        try:
            problems = list(LOSS_CHECKS[name](tested))
        except Exception as error:
            error.add_note(f"in the check {name} of {_name(factory)}")
            raise
        if name in except_for and not problems:
            found.append(f"{name}: passes, though it is excepted ({except_for[name]})")
        elif name not in except_for:
            found += [f"{name}: {problem}" for problem in problems]
    if found:
        raise LossCheckError("\n  ".join([f"{_name(factory)} does not keep {len(found)} promises:", *found]))


def _name(factory: Callable[..., Any]) -> str:
    return getattr(factory, "__name__", type(factory).__name__)
