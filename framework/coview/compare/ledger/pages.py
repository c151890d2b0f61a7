"""Pages of what a ledger's numbers say: the report of ``coview compare``, one page for each table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from coview.compare.cells import slug
from coview.compare.ledger.comparison import Joined
from coview.compare.libraries import require
from coview.compare.report.page import Source, page_values
from coview.compare.report.write import PAGE
from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.pages.template import page_template
from coview.recipe.comparison import Comparison

SUFFIX = ".html"


def write_pages(to: Path, joined: Sequence[Joined], ledger: Path, command: str) -> list[Path]:
    """Writes a page for each table.

    Args:
        to: A file that ends in ``.html`` for a single table, or a folder.
        joined: The tables.
        ledger: Whose.
        command: What makes the pages again.

    Returns:
        The files.

    Raises:
        CoviewError: If several tables would be one file, a library is missing, or a file cannot be written.
    """
    require("matplotlib")
    require("jinja2")
    if to.suffix == SUFFIX and len(joined) > 1:
        raise CoviewError(
            f"{to} is one page, and there are {len(joined)} tables: {_listed(joined)}",
            hint="--metric takes one number; --to FOLDER --format html writes a page for each table",
        )
    in_folder = [to / f"{slug(_name(place, one))}{SUFFIX}" for place, one in enumerate(joined, 1)]
    files = [to] if to.suffix == SUFFIX else in_folder
    try:
        for path, one in zip(files, joined, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _page(one, ledger, path.parent, command))
    except OSError as error:
        raise CoviewError(f"{to} cannot be written: {error.strerror or error}") from error
    return files


def _page(one: Joined, ledger: Path, folder: Path, command: str) -> str:
    data = ", ".join(dict.fromkeys(group.result.dataset for group in one.groups))
    comparison = Comparison(f"{one.name} on {data}", "", one.name, (), ledger)
    environments = [run.record.made_with for group in one.groups for run in group.runs]
    source = Source(command, environments, list(_notes(one)))
    return page_template(PAGE).render(page_values(comparison, one.table, one.analysis, folder, source))


def _notes(one: Joined) -> Iterator[str]:
    """What has to be known of what was joined."""
    for group in one.groups:
        result = group.result
        version = result.protocol.get("dataset_version")
        yield (
            f"{result.dataset}{f', {version}' if version else ''}: {len(group.runs)} runs of a ledger, {result.split} "
            f"split, protocol {result.protocol_hash}. A ledger has no curves, no diagnostics, and no numbers of single "
            "test items."
        )
    if one.apart:
        differs = "; ".join(one.apart)
        yield f"Kept apart from the first table of this number, because they were measured differently: {differs}."
    yield from (f"{note}." for note in one.notes)
    yield from (f"{variant} is of {who}." for (_, variant), who in one.who.items() if who)


def _name(place: int, one: Joined) -> str:
    """One that no other table has: numbers that are called alike differ in their place."""
    data = "-".join(group.result.dataset for group in one.groups)
    return f"{place:02}-{one.name.replace('/', '-')}-{data}"


def _listed(joined: Sequence[Joined]) -> str:
    names = list(dict.fromkeys(one.name for one in joined))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
