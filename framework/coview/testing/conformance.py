"""Running the named checks of a kind of component, and saying all that was found."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from coview.testing.reasons import REASONS, Reason

Problems = Iterator[str]
"""What is wrong, in words; nothing if all is well."""


class Note(str):
    """What a check yields that is not wrong, but worth knowing."""


def tried_on_the_cpu(why: str) -> Note:
    """That a model asks for the numbers of a tensor, with what PyTorch says of it."""
    return Note(f"it is tried out on the CPU, since it cannot run on the meta device: {why}")


Tested = TypeVar("Tested")

Check: TypeAlias = Callable[[Tested], Problems]
"""Yields what is wrong with what it tests, and notes."""


@dataclass(frozen=True)
class UnderTest:
    """A component, by what builds it.

    Attributes:
        factory, parameters: A fresh instance is ``factory(**parameters)``.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]

    def fresh(self) -> Any:
        """A new instance."""
        return self.factory(**copy.deepcopy(dict(self.parameters)))


class ConformanceError(AssertionError):
    """A component that does not keep its promises, with everything that was found.

    Attributes:
        problems: A line for each thing that is wrong, which begins with the name of the check.
        reasons: Of the checks that failed, why they matter and what helps.
    """

    def __init__(self, name: str, problems: Sequence[str], reasons: Mapping[str, Reason], count: int) -> None:
        self.problems, self.reasons = list(problems), dict(reasons)
        promises = "a promise" if count == 1 else f"{count} promises"
        lines = [f"{name} does not keep {promises}:", *(f"  {problem}" for problem in problems)]
        for check, reason in reasons.items():
            lines += [f"{check} matters: {reason.why}", f"  what helps: {reason.mend}"]
        super().__init__("\n".join(lines))


class UnknownCheckError(ValueError):
    """There is no check of a name."""


def run_checks(
    checks: Mapping[str, Check[Tested]],
    tested: Tested,
    factory: Callable[..., Any],
    only: Collection[str],
    except_for: Mapping[str, str] | None,
    *,
    after: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """Runs checks on what they test.

    Args:
        checks: By name.
        tested: What each is called with.
        factory: What is being checked, for its name.
        only: Names of the checks to run.
        except_for: Checks that are meant to fail, each with the reason. One that passes is an error.
        after: For a check those that have to be passed for it to mean anything: where one of them fails, it is not
            run, and that is said.

    Returns:
        The notes of all checks.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    except_for, after = except_for or {}, after or {}
    unknown = sorted({*only, *except_for} - set(checks))
    if unknown:
        raise UnknownCheckError(f"no such check: {', '.join(unknown)}; there are {', '.join(checks)}")
    name = getattr(factory, "__name__", type(factory).__name__)
    found: list[str] = []
    notes: list[str] = []
    failed: set[str] = set()
    not_run: dict[str, str] = {}
    for check in (name for name in checks if name in only):
        if first := next((other for other in after.get(check, ()) if other in failed or other in not_run), None):
            not_run[check] = not_run.get(first, first)
            continue
        try:
            yielded = list(checks[check](tested))
        except Exception as error:
            error.add_note(f"in the check {check} of {name}")
            if found:
                error.add_note("\n  ".join(["before it:", *found]))
            raise
        problems = [said for said in yielded if not isinstance(said, Note)]
        notes += [said for said in yielded if isinstance(said, Note)]
        if check in except_for and not problems:
            found.append(f"{check}: passes, though it is excepted ({except_for[check]})")
        elif check not in except_for and problems:
            found += [f"{check}: {problem}" for problem in problems]
            failed.add(check)
    if found:
        lines = [f"{check}: not checked, since {reason} fails" for check, reason in not_run.items()]
        reasons = {check: REASONS[check] for check in checks if check in failed}
        raise ConformanceError(name, [*found, *lines], reasons, len(found))
    return notes
