"""All checks of a loss at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from coview.testing.conformance import run_checks
from coview.testing.loss_checks import LOSS_CHECKS
from coview.testing.loss_under_test import LossUnderTest


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
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(LOSS_CHECKS, LossUnderTest(factory, parameters or {}), factory, only, except_for)
