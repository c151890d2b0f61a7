"""``coview recipe``: list, show, check, diff, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coview.cli.completing import RecipeName
from coview.cli.output import print_columns, print_json, say
from coview.cli.remembering import no_cache_option, remembering_registry
from coview.cli.user_path import UserPath
from coview.errors import CoviewError, RecipeError, few

if TYPE_CHECKING:
    from coview.plugins.registry import Registry
    from coview.recipe.recipe import Recipe

set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value, such as loss.temperature=0.2.",
)


@click.group()
def recipe() -> None:
    """Look at recipes, check and compare them."""


@recipe.command("list")
@click.argument("folder", required=False, type=UserPath())
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_recipes(folder: Path | None, as_json: bool) -> None:
    """The recipes that come with coview, or those in FOLDER."""
    from coview.recipe.read import read_document
    from coview.recipe.shipped import recipe_files, shipped_folder

    folder = folder or shipped_folder()
    if folder is None or not folder.is_dir():
        fault = "it is a file, not a folder" if folder is not None and folder.exists() else "there is no such folder"
        raise CoviewError(f"{folder or 'recipes'}: {fault}")
    rows: list[dict[str, str]] = []
    for path in recipe_files(folder):
        try:
            document = read_document(path)
        except RecipeError as error:
            rows.append({"recipe": str(path), "name": "", "about": str(error)})
            continue
        rows.append({"recipe": str(path), "name": str(document.table.get("name", "")), "about": document.about})
    if as_json:
        print_json(rows)
        return
    print_columns([(str(Path(row["recipe"]).relative_to(folder)), row["about"]) for row in rows])


@recipe.command("show")
@click.argument("path", metavar="RECIPE", type=RecipeName())
@set_option
@click.option("--resolved", is_flag=True, help="With every default written out, as a run keeps it.")
@click.option("--origin", is_flag=True, help="Each value with the file and line it comes from.")
@click.option("--cell", type=click.IntRange(min=1), help="The N-th cell of a sweep.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@no_cache_option
@click.pass_obj
def show_recipe(
    disabled: tuple[str, ...],
    path: str,
    sets: tuple[str, ...],
    resolved: bool,
    origin: bool,
    cell: int | None,
    as_json: bool,
    no_cache: bool,
) -> None:
    """A recipe with what it extends and overrides merged in."""
    from coview.recipe.load import load_cells, load_recipe, read_layers
    from coview.recipe.snapshot import flatten, to_toml

    layers = read_layers(path, sets=sets)
    tables: Any = layers.table
    if resolved or cell:
        with remembering_registry(disabled, no_cache=no_cache) as registry:
            valid = load_recipe(path, registry, sets=sets)
            cells = load_cells(valid, registry) if cell else []
        if cell:
            if cell > len(cells):
                has = f"a sweep of {len(cells)} cells" if cells else "no sweep"
                raise CoviewError(f"{path} has {has}: there is no cell {cell}")
            valid = cells[cell - 1][1]
        tables, layers = valid.tables, valid.layers
    if origin:
        rows = []
        for key, value in flatten(tables).items():
            parts = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
            default = resolved and parts not in layers.origins and parts[:-1] in layers.origins
            text = json.dumps(value, ensure_ascii=False, default=str)
            rows.append((f"{key} = {text}", "(default)" if default else layers.where(parts)))
        print_json([{"value": value, "origin": where} for value, where in rows]) if as_json else print_columns(rows)
    elif as_json:
        print_json(tables)
    else:
        click.echo(to_toml(tables), nl=False)


@recipe.command("check")
@click.argument("paths", metavar="RECIPE...", nargs=-1, required=True, type=RecipeName())
@set_option
@click.option(
    "--build",
    is_flag=True,
    help="Also build the model, without memory for it, and push a small batch through.",
)
@no_cache_option
@click.pass_obj
def check_recipe(
    disabled: tuple[str, ...], paths: tuple[str, ...], sets: tuple[str, ...], build: bool, no_cache: bool
) -> None:
    """Say everything that is wrong with recipes.

    Nothing is built unless --build is given.
    """
    errors: list[CoviewError] = []
    told: list[str] = []
    with remembering_registry(disabled, no_cache=no_cache) as registry:
        for path in paths:
            try:
                _check(path, sets, registry, build=build)
            except CoviewError as error:
                errors.append(error)
                told += _lines(path, error, told, alone=len(paths) == 1)
    if errors:
        raise CoviewError("\n".join(told)) from errors[0]


def _check(path: str, sets: tuple[str, ...], registry: Registry, *, build: bool) -> None:
    """Says that a recipe is valid, and what it is."""
    from coview.recipe.comparison import is_comparison_of_several, load_comparison
    from coview.recipe.load import load_cells, load_recipe

    if is_comparison_of_several(path):
        comparison = load_comparison(path, sets=sets, registry=registry)
        axes = " × ".join(f"{len(levels)} {axis}" for axis, levels in comparison.axes.items())
        click.echo(f"{path}: ok ({len(comparison.cells)} cells: {axes})")
        return
    valid = load_recipe(path, registry, sets=sets)
    cells = load_cells(valid, registry)
    if cells and valid.compare.baseline is not None:
        load_comparison(path, sets=sets, registry=registry)
    facts = [f"hash {valid.hash[:6]}", *([f"{len(cells)} cells"] if cells else [])]
    if build:
        from coview.experiment.trial import try_out

        facts.append(try_out(valid, registry))
    click.echo(f"{path}: ok ({', '.join(facts)})")
    for warning in valid.warnings:
        click.echo(f"  warning: {warning}")


def _lines(path: str, error: CoviewError, told: list[str], *, alone: bool) -> list[str]:
    """What is wrong with one of some recipes, without what has been told of a recipe that it extends."""
    if not isinstance(error, RecipeError):
        return [str(error) if error.message.startswith(f"{path}:") else f"{path}: {error}"]
    again = [mistake for mistake in error.mistakes if str(mistake) in told]
    new = [str(mistake) for mistake in error.mistakes if mistake not in again]
    return [
        *([f"{path}: the same as above: {few([mistake.path for mistake in again])}"] if again else []),
        # a mistake says where it is, but of several recipes not which one has it by a parent or by --set
        *(line if alone or line.startswith(f"{path}:") else f"{path}: {line}" for line in new),
    ]


@recipe.command("diff")
@click.argument("one", metavar="RECIPE", type=RecipeName())
@click.argument("other", metavar="RECIPE", required=False, type=RecipeName())
@click.option(
    "--paper", is_flag=True, help="Compare with the settings of the method's authors, instead of with another recipe."
)
@no_cache_option
@click.pass_obj
def diff_recipes(disabled: tuple[str, ...], one: str, other: str | None, paper: bool, no_cache: bool) -> None:
    """What differs between two recipes, once resolved.

    A run's recipe.toml is one too. With --paper: between a recipe and what its [paper] names.
    """
    if (other is None) != paper:
        raise CoviewError("give two recipes, or one and --paper")
    from coview.recipe.load import load_recipe
    from coview.recipe.snapshot import difference

    with remembering_registry(disabled, no_cache=no_cache) as registry:
        before = load_recipe(one, registry)
        after = before if other is None else load_recipe(other, registry)
    if other is None:
        _print_departures(before)
        return
    for line in difference(before.tables, after.tables):
        click.echo(line)


def _print_departures(recipe: Recipe) -> None:
    from coview.recipe.published import departures, needlessly_declared, required_published

    published = required_published(recipe)
    code = f"{published.code} at {published.revision}: " if published.code else ""
    click.echo(f"{published.title} ({published.paper}; {code}{', '.join(published.files)})")
    found = departures(recipe, published)
    for departure in found:
        click.echo(str(departure))
    for key in needlessly_declared(recipe, published):
        click.echo(f"{key}: as published, though [paper.differs] says otherwise")
    for sentence in recipe.paper.besides if recipe.paper else ():
        click.echo(f"besides: {sentence}")
    if not found:
        click.echo(f"all of the {len(published.settings)} settings that are recorded are as published")


@recipe.command("schema")
@click.option("--out", type=UserPath(dir_okay=False), help="Write it to a file.")
@no_cache_option
@click.pass_obj
def print_schema(disabled: tuple[str, ...], out: Path | None, no_cache: bool) -> None:
    """A JSON Schema of recipes, for editors.

    It covers the installed plugins.
    """
    with remembering_registry(disabled, no_cache=no_cache) as registry:
        text = _schema_text(registry)
    if out is None:
        say(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CoviewError(f"{out} cannot be written: {error.strerror}") from error


def _schema_text(registry: Registry) -> str:
    """The schema as a text, made only if it has not been made of the same components before."""
    if registry.answers is not None and (text := registry.answers.text(_SCHEMA)) is not None:
        return text
    from coview.recipe.json_schema import recipe_schema, schema_lasts

    text = json.dumps(recipe_schema(registry), indent=1, ensure_ascii=False)
    if registry.answers is not None and schema_lasts(registry):
        registry.answers.keep_text(_SCHEMA, text)
    return text


_SCHEMA = "recipe schema"
