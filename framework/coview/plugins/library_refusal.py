"""What a library's transform raises on a value that it cannot work on: a crop that is larger than the picture."""

from __future__ import annotations

from coview.errors import CoviewError


def library_refusal(family: str, transform: object, error: Exception, value: str) -> CoviewError:
    """The library's error as one that the recipe's author can mend.

    Args:
        family: The library, as recipes write it before the colon.
        transform: What raised.
        error: What it raised. A mistake that has a message already stays as it is.
        value: What it was given, such as "a picture of 16 × 16 pixels".
    """
    if isinstance(error, CoviewError):
        return error
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return CoviewError(
        f"{family}:{type(transform).__name__} does not take {value}: {said}",
        hint="its parameters have to suit what it gets here, after the steps before it",
    )
