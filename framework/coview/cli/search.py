"""``coview search``: what of a run's data is nearest to a text, a picture or a sound."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from coview.cli.output import print_columns, print_json, say
from coview.cli.step import step_option
from coview.cli.user_path import UserPath

_SHOWN = 60


@click.command()
@click.argument("path", metavar="RUN", type=UserPath())
@click.argument("query", metavar="QUERY")
@click.option("--split", default="test", show_default=True, help="Of the run's data.")
@click.option("--top", default=12, show_default=True, type=click.IntRange(1, 1000), help="How many samples.")
@click.option(
    "--modality", metavar="NAME", help="The modality to search; by default the first one that is not the query's."
)
@click.option("--html", "page", type=UserPath(dir_okay=False), help="Write a page that shows them.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Other data, such as data.root=my-pictures, or train.device=cpu.",
)
@step_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def search(
    disabled: tuple[str, ...],
    path: Path,
    query: str,
    split: str,
    top: int,
    modality: str | None,
    page: Path | None,
    sets: tuple[str, ...],
    step: int | Literal["best"] | None,
    as_json: bool,
) -> None:
    """Find the samples nearest to a query.

    QUERY is a text, or the path of a picture or a sound that a tower of the run takes.
    """
    from coview.experiment.run import load_run
    from coview.experiment.search import search as find
    from coview.experiment.search import write_page
    from coview.plugins.discovery import load_plugins

    run = load_run(path, load_plugins(disable=disabled), step=step)
    found = find(run, query, split=split, top=top, modality=modality, sets=sets)
    if page is not None:
        write_page(found, page)
    if as_json:
        hits = [{key: value for key, value in asdict(hit).items() if key != "html"} for hit in found.hits]
        print_json({**{key: value for key, value in asdict(found).items() if key != "query_html"}, "hits": hits})
        return
    columns = [("", "cosine", "id", *(["class"] if any(hit.label for hit in found.hits) else []), "says")]
    for hit in found.hits:
        label = [hit.label] if "class" in columns[0] else []
        columns.append((str(hit.rank), f"{hit.cosine:.3f}", str(hit.id), *label, _short(hit.text)))
    print_columns(columns if any(hit.text for hit in found.hits) else [row[:-1] for row in columns])
    compared = "projections" if found.projected else "representations"
    say(
        f"of {found.samples:,} {found.modality} samples of {found.data} {found.split}, by the cosine of {compared}; "
        f"the query is of {found.by}"
    )
    if page is not None:
        say(str(page))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
