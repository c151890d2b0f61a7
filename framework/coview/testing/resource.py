"""What every resource promises, one check each, and all of them at once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coview.testing.conformance import Check, Problems, run_checks


@dataclass(frozen=True)
class ResourceUnderTest:
    """A resource, by what fetches it.

    Attributes:
        fetch: Is called with an empty folder.
    """

    fetch: Callable[[Path], Any]

    def files(self, folder: Path) -> dict[str, bytes]:
        """What it writes into a folder: path to content."""
        self.fetch(folder)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def writes_files_into_the_folder(tested: ResourceUnderTest) -> Problems:
    """The folder that it is given has files afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if not tested.files(Path(folder)):
            yield "it writes no file into the folder that it is given"


def writes_the_same_again(tested: ResourceUnderTest) -> Problems:
    """Fetched again, on another day or machine, the files are the same: numbers are bound to them."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, again = tested.files(Path(one)), tested.files(Path(other))
    differing = [name for name in {**first, **again} if first.get(name) != again.get(name)]
    if differing:
        yield f"fetched again, {', '.join(sorted(differing))} differs"


RESOURCE_CHECKS: Mapping[str, Check[ResourceUnderTest]] = {
    check.__name__: check for check in (writes_files_into_the_folder, writes_the_same_again)
}
"""Name to check."""


def check_resource(
    fetch: Callable[[Path], Any],
    *,
    only: Collection[str] = tuple(RESOURCE_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a resource promises, by fetching it twice.

    Args:
        fetch: The resource's target.
        only: Names of the checks to run, of ``RESOURCE_CHECKS``.
        except_for: Checks that this resource is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(RESOURCE_CHECKS, ResourceUnderTest(fetch), fetch, only, except_for)
