"""All checks of an augmentation of batches at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from coview.testing.batch_augmentation_checks import BATCH_AUGMENTATION_CHECKS, BatchAugmentationUnderTest
from coview.testing.conformance import run_checks


def check_batch_augmentation(
    factory: Callable[..., Any],
    batch: Any,
    *,
    views: int = 2,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(BATCH_AUGMENTATION_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that what an augmentation makes of a batch is a function of each row's key alone.

    Args:
        factory: The augmentation's class, or what else a recipe would build it by; one of single samples that has
            ``batched()`` is checked in that form.
        batch: Collated values, ``views · samples`` rows, view by view, on which it does something.
        views: How many of the rows are of one sample.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``BATCH_AUGMENTATION_CHECKS``.
        except_for: Checks that this augmentation is meant to fail, each with the reason, such as
            ``{"draws_anew_for_each_key": "it changes nothing"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or the batch has fewer than two samples.
    """
    tested = BatchAugmentationUnderTest(factory, parameters or {}, batch, views)
    if tested.samples < 2:
        raise ValueError(f"give a batch of at least two samples, got {tested.samples}")
    run_checks(BATCH_AUGMENTATION_CHECKS, tested, factory, only, except_for)
