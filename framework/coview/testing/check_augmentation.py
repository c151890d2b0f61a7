"""All checks of an augmentation at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from coview.testing.augmentation_checks import AUGMENTATION_CHECKS, AugmentationUnderTest
from coview.testing.conformance import run_checks


def check_augmentation(
    factory: Callable[..., Any],
    values: Sequence[Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(AUGMENTATION_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that the views an augmentation makes are a function of (seed, epoch, sample, view, position) alone.

    Args:
        factory: The augmentation's class, or what else a recipe would build it by.
        values: At least two values of its modality, on which it does something.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``AUGMENTATION_CHECKS``.
        except_for: Checks that this augmentation is meant to fail, each with the reason, such as
            ``{"draws_anew_for_each_key": "it changes nothing"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or there are too few values.
    """
    if len(values) < 2:
        raise ValueError(f"give at least two values to try it on, got {len(values)}")
    tested = AugmentationUnderTest(factory, parameters or {}, tuple(values))
    run_checks(AUGMENTATION_CHECKS, tested, factory, only, except_for)
