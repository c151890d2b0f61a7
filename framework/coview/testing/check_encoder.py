"""All checks of an encoder at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from coview.data.modality import Modality
from coview.testing.conformance import run_checks
from coview.testing.encoder_checks import ENCODER_CHECKS, EncoderUnderTest


def check_encoder(
    factory: Callable[..., Any],
    modality: Modality,
    values: Sequence[Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(ENCODER_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that an encoder keeps the promises of the contract, on the CPU.

    Args:
        factory: The encoder's class, or what else a recipe would build it by.
        modality: Its modality, built.
        values: At least two values, of different lengths where the modality has lengths.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``ENCODER_CHECKS``.
        except_for: Checks that this encoder is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or there are too few values.
    """
    if len(values) < 2:
        raise ValueError(f"give at least two values to try it on, got {len(values)}")
    tested = EncoderUnderTest(factory, parameters or {}, modality, tuple(values))
    run_checks(ENCODER_CHECKS, tested, factory, only, except_for)
