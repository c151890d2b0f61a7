"""Running the named checks of a kind of component, and saying all that was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

Problems = Iterator[str]
"""What is wrong, in words; nothing if all is well."""

Tested = TypeVar("Tested")


class ConformanceError(AssertionError):
    """A component that does not keep its promises, with everything that was found."""


def run_checks(
    checks: Mapping[str, Callable[[Tested], Problems]],
    tested: Tested,
    factory: Callable[..., Any],
    only: Collection[str],
    except_for: Mapping[str, str] | None,
) -> None:
    """Runs checks on what they test.

    Args:
        checks: By name.
        tested: What each is called with.
        factory: What is being checked, for its name.
        only: Names of the checks to run.
        except_for: Checks that are meant to fail, each with the reason. One that passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    except_for = except_for or {}
    unknown = sorted({*only, *except_for} - set(checks))
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}; there are {', '.join(checks)}")
    name = getattr(factory, "__name__", type(factory).__name__)
    found: list[str] = []
    for check in only:
        try:
            problems = list(checks[check](tested))
        except Exception as error:
            error.add_note(f"in the check {check} of {name}")
            raise
        if check in except_for and not problems:
            found.append(f"{check}: passes, though it is excepted ({except_for[check]})")
        elif check not in except_for:
            found += [f"{check}: {problem}" for problem in problems]
    if found:
        raise ConformanceError("\n  ".join([f"{name} does not keep {len(found)} promises:", *found]))
