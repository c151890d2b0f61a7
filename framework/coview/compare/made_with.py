"""What the cells of a comparison were made with: whether machines differ, and hide or feign what variants differ in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from coview.compare.table import Row

_THREADS = re.compile(r", \d+ threads?")
"""Of one machine that has made several runs at a time, and fewer."""


def made_with(environment: Mapping[str, Any]) -> dict[str, str]:
    """The device and the versions that a run's number may depend on, by name.

    Args:
        environment: What ``environment.json`` says, or a record of a ledger.
    """
    found = {"coview": environment.get("coview"), "device": environment.get("device")}
    libraries = environment.get("libraries")
    found |= libraries if isinstance(libraries, Mapping) else {}
    return {name: _THREADS.sub("", str(value)) for name, value in found.items() if value}


def other_machines(rows: Sequence[Row]) -> list[str]:
    """What has to be known where the cells of a modality were not all made with the same.

    Args:
        rows: The cells.
    """
    made = [row for row in rows if row.made_with and row.status == "done"]
    names = dict.fromkeys(name for row in made for name in row.made_with)
    differing = [name for name in names if len({row.made_with.get(name, "none") for row in made}) > 1]
    if not differing:
        return []
    told = "; ".join(f"{name} {_counted(made, name)}" for name in differing)
    said = [f"Cells differ in how they were made: {told}."]
    mixed = [name for name in differing if _goes_with_variants(made, name)]
    if mixed:
        said.append(
            f"Variants differ in {', '.join(mixed)} too, so that a difference between them may come from that: run all "
            "of them on one machine, into another --out."
        )
    return said


def _counted(made: Sequence[Row], name: str) -> str:
    counts = Counter(row.made_with.get(name, "none") for row in made)
    return " and ".join(f"{value} ({count})" for value, count in counts.most_common())


def _goes_with_variants(made: Sequence[Row], name: str) -> bool:
    """Whether two variants have nothing in common in it."""
    of: dict[str, set[str]] = {}
    for row in made:
        of.setdefault(row.variant, set()).add(row.made_with.get(name, "none"))
    return any(one.isdisjoint(other) for one in of.values() for other in of.values())
