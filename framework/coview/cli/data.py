"""``coview data``: the data sets there are, what is in them, and fetching what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from coview.cli.completing import ComponentName, RecipeName
from coview.cli.output import print_columns, print_json, say
from coview.cli.recipe import set_option

if TYPE_CHECKING:
    from pathlib import Path

    from coview.plugins.registry import Registry


@click.group()
def data() -> None:
    """Data sets, and the files that components need."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_data(disabled: tuple[str, ...], as_json: bool) -> None:
    """Data sets, and resources with whether they are there."""
    from coview.data.cache import data_folder
    from coview.data.resources import found_resource
    from coview.plugins.discovery import load_plugins

    registry = load_plugins(disable=disabled)
    datasets = registry.of_kind("dataset")
    resources = [(resource, found_resource(resource)) for resource in registry.of_kind("resource")]
    if as_json:
        print_json(
            {
                "datasets": [{"name": c.name, "plugin": c.plugin, "summary": c.summary} for c in datasets],
                "resources": [
                    {
                        "name": resource.name,
                        "plugin": resource.plugin,
                        "summary": resource.summary,
                        "licence": resource.licence,
                        "folder": None if folder is None else str(folder),
                    }
                    for resource, folder in resources
                ],
            }
        )
        return
    print_columns([("dataset", c.example if c.is_family else c.name, c.plugin, c.summary) for c in datasets])
    if resources:
        click.echo()

    def state(name: str, folder: Path | None) -> str:
        if folder is None:
            return "not fetched"
        return "fetched" if folder == data_folder(name) else "installed"

    print_columns([("resource", c.name, state(c.name, at), f"{c.summary} ({c.licence})") for c, at in resources])


@data.command("fetch")
@click.argument("names", metavar="NAME…", nargs=-1, required=True, type=ComponentName("resource"))
@click.option("--again", is_flag=True, help="Replace what is there.")
@click.pass_obj
def fetch(disabled: tuple[str, ...], names: tuple[str, ...], again: bool) -> None:
    """Fetch resources into the cache.

    The cache is $COVIEW_DATA, or coview/data in your cache folder. What has been fetched is not fetched again.
    """
    from coview.data.resources import fetch_resource
    from coview.plugins.discovery import load_plugins

    registry = load_plugins(disable=disabled)
    found = [registry.resolve("resource", name).component for name in names]  # a wrong name before any download
    for name, component in zip(names, found, strict=True):
        click.echo(f"{name}: {component.summary} ({component.licence}; {component.source})")
        click.echo(f"{name}: {fetch_resource(name, registry, again=again)}")


@data.command("augment")
@click.argument("recipe", metavar="RECIPE", type=RecipeName())
@set_option
@click.pass_obj
def augment(disabled: tuple[str, ...], recipe: str, sets: tuple[str, ...]) -> None:
    """Prepare what a recipe's augmentations read in training.

    Such as translations there and back. What is there is not made again, so a call that was stopped can be repeated.
    """
    from coview.experiment.prepare import prepare_augmentations
    from coview.plugins.discovery import load_plugins
    from coview.recipe.load import load_recipe
    from coview.track.console import make_console

    registry = load_plugins(disable=disabled)
    valid = load_recipe(recipe, registry, sets=sets)
    prepared = prepare_augmentations(valid, registry, make_console(stderr=True))
    click.echo(f"ready: {', '.join(prepared)}" if prepared else "no augmentation of this recipe has to be prepared")


@data.command("show")
@click.argument("name", type=ComponentName("dataset"))
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="data.KEY=VALUE",
    help="A parameter, as in a recipe, such as data.root=my-pictures.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show(disabled: tuple[str, ...], name: str, sets: tuple[str, ...], as_json: bool) -> None:
    """What is in a data set.

    Its splits with their sizes and a first sample, classes, groups, the range of some values, what was left out and
    why, licence and citation.
    """
    from coview.plugins.discovery import load_plugins

    page = _page(name, _parameters(sets), load_plugins(disable=disabled))
    if as_json:
        print_json(page)
        return
    say(f"{page['name']}: {', '.join(page['modalities'])}, {page['licence']}, version {page['version']}")
    for split in page["splits"]:
        say(f"  {split['split']:<11}{split['samples']:>9,} samples  {split['first']}")
        for line in _split_lines(split):
            say(f"{'':<13}{line}")
    if page["classes"]:
        shown = ", ".join(page["classes"][:12]) + (", …" if len(page["classes"]) > 12 else "")
        say(f"  {len(page['classes'])} classes: {shown}")
    for note in page["notes"]:
        say(f"  note: {note}")
    if page["citation"]:
        say(f"  {page['citation']}")


def _parameters(sets: tuple[str, ...]) -> dict[str, Any]:
    """The parameters of a data set, spelled as everywhere, ``data.root=…``, or without the table that all are in."""
    from coview.recipe.override import parse_set

    of_table = [text if text.strip().startswith("data.") else f"data.{text.strip()}" for text in sets]
    parameters: dict[str, Any] = parse_set(of_table).get("data", {})
    return parameters


def _split_lines(split: dict[str, Any]) -> list[str]:
    """What is known of a split's samples, in a line, and of those that cannot be read, in another."""
    parts = [f"{name}: {low:g} to {high:g}" for name, (low, high) in split["ranges"].items()]
    sizes = [size for size in split["classes"].values() if size]
    if sizes:
        least, most = min(sizes), max(sizes)
        parts.append(f"{len(sizes)} classes of {least:,}" + (f" to {most:,}" if most > least else ""))
    if split["unlabelled"]:
        parts.append(f"{split['unlabelled']:,} without a class")
    if split["groups"] is not None:
        parts.append(f"{split['groups']:,} groups")
    parts += [f"{count:,} values of {name}" for name, count in split["values"].items()]
    if split["pairs"]:
        parts.append(f"{split['pairs']:,} judged pairs")
    if split["scores"]:
        parts.append("scores {:g} to {:g}".format(*split["scores"]))
    lines = ["; ".join(parts)] if parts else []
    if split["unreadable"]:
        of = f"{len(split['unreadable'])} of {split['looked_at']} looked at cannot be read"
        lines.append(f"{of}: {split['unreadable'][0]}")
    return lines + list(split["summaries"].values())


def _page(name: str, parameters: dict[str, Any], registry: Registry) -> dict[str, Any]:
    from dataclasses import asdict

    from coview.data.building import build_dataset, splits_of
    from coview.data.dataset import HasNotes
    from coview.data.overview import overview, summaries
    from coview.recipe.recipe import ComponentTable

    table = ComponentTable(name, parameters)
    splits = []
    notes: list[str] = []
    dataset: Any = None
    for split in splits_of(table, registry):
        dataset = build_dataset(table, split, registry)
        found = overview(dataset)
        modalities = {kind: registry.build("modality", kind) for kind in found.first}
        first = "; ".join(modalities[kind].describe(value) for kind, value in found.first.items())
        said = summaries(dataset, modalities) if split == "train" else {}
        splits.append({"split": split, **asdict(found), "first": first, "summaries": said})
        notes += dataset.notes if isinstance(dataset, HasNotes) else []
    return {
        "name": name,
        "modalities": list(dataset.modalities),
        "splits": splits,
        "classes": None if dataset.classes is None else list(dataset.classes),
        "notes": list(dict.fromkeys(notes)),
        "licence": dataset.licence,
        "version": dataset.version,
        "citation": dataset.citation,
    }
