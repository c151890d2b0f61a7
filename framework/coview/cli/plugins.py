"""``coview plugins``: what is installed, whether it works, and what each component takes."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coview.cli.completing import ComponentName, complete_kind
from coview.cli.output import print_columns, print_json
from coview.cli.remembering import no_cache_option, remembering_registry
from coview.cli.user_path import UserPath
from coview.errors import CoviewError

if TYPE_CHECKING:
    from coview.plugins.registry import Registry


PROMISES_NOT_KEPT = 3
"""Exit status; 1 is a bug, 2 a mistake."""


@click.group()
def plugins() -> None:
    """What is installed, and what it takes."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_plugins(disabled: tuple[str, ...], as_json: bool) -> None:
    """Every plugin with its status, and its components."""
    from coview.plugins.discovery import load_plugins

    registry = load_plugins(disable=disabled)
    if as_json:
        components = [{**dataclasses.asdict(c), "qualified": c.qualified} for c in registry.components]
        print_json({"plugins": [dataclasses.asdict(p) for p in registry.plugins], "components": components})
        return
    for plugin in registry.plugins:
        click.echo(f"{plugin.name}  {plugin.status}  ({plugin.distribution} {plugin.version}, {plugin.module})")
        if plugin.reason:
            click.echo(f"  {plugin.reason}")
        for warning in plugin.warnings:
            click.echo(f"  warning: {warning}")
        own = [component for component in registry.components if component.plugin == plugin.name]
        rows = [(c.kind, c.example if c.is_family else c.name, c.summary) for c in own]
        print_columns([*rows, *(("hook", hook, _about_hook(hook)) for hook in plugin.hooks)], indent="  ")


@plugins.command("show")
@click.argument("name", type=ComponentName())
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@no_cache_option
@click.pass_obj
def show_plugin(disabled: tuple[str, ...], name: str, as_json: bool, no_cache: bool) -> None:
    """A component with its parameters, or a plugin.

    NAME is a plugin, or a component as a recipe's use has it: name, plugin/name or family:NAME.
    """
    with remembering_registry(disabled, no_cache=no_cache) as registry:
        status = next((plugin for plugin in registry.plugins if plugin.name == name), None)
        pages = _pages(registry, name)
    if status is None and not pages:
        raise _unknown(registry, name)
    if as_json:
        print_json({"plugin": dataclasses.asdict(status) if status else None, "components": pages})
        return
    if status is not None:
        click.echo(f"plugin {status.name}: {status.status} {status.reason}".rstrip())
        click.echo(f"{status.distribution} {status.version}, {status.module}, {status.components} components")
        click.echo(status.traceback, nl=False)
    for page in pages:
        _print_page(page)


@plugins.command("check")
@click.argument("name", type=ComponentName())
@click.option(
    "--recipe", type=UserPath(), help="A recipe with parameters and values, where the defaults are not enough."
)
@click.option("--except", "excepted", multiple=True, metavar="CHECK=REASON", help="A check that is meant to fail.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def check_installed(
    disabled: tuple[str, ...], name: str, recipe: Path | None, excepted: tuple[str, ...], as_json: bool
) -> None:
    """Try whether components keep their promises.

    NAME is a plugin, or one of its components as a recipe's use has it. Each is tried by coview.testing. The exit
    status is 3 where one does not keep a promise.
    """
    from coview.plugins.discovery import load_plugins
    from coview.recipe.load import load_recipe
    from coview.testing.plugin import check_plugin, components_of

    registry = load_plugins(disable=disabled)
    if not components_of(name, registry) and name not in {status.name for status in registry.plugins}:
        raise _unknown(registry, name)
    loaded = None if recipe is None else load_recipe(recipe, registry)
    found = check_plugin(name, registry, recipe=loaded, except_for=_excepted(excepted))
    if as_json:
        reasons = [{check: reason._asdict() for check, reason in one.reasons.items()} for one in found]
        print_json([{**dataclasses.asdict(one), "reasons": why} for one, why in zip(found, reasons, strict=True)])
    else:
        print_columns(
            [(one.kind, one.name, one.modality or "", one.status, one.reason or "; ".join(one.notes)) for one in found]
        )
        for one in found:
            for problem in one.problems:
                click.echo(f"{one.kind} {one.name}: {problem}")
        for check, reason in {check: reason for one in found for check, reason in one.reasons.items()}.items():
            click.echo(f"\n{check} matters: {reason.why}\n  what helps: {reason.mend}")
    if any(one.status == "problems" for one in found):
        raise click.exceptions.Exit(PROMISES_NOT_KEPT)


def _excepted(given: tuple[str, ...]) -> dict[str, str]:
    found = dict(one.partition("=")[::2] for one in given)
    for check, reason in found.items():
        if not reason:
            raise CoviewError(f"--except {check}: say why it is meant to fail: --except '{check}=REASON'")
    return found


@plugins.command("new")
@click.argument("name")
@click.option(
    "--kind",
    required=True,
    shell_complete=complete_kind,
    help="What it is: loss, augmentation, encoder, dataset, ….",
)
@click.option("--modality", default="", help="The modality that an augmentation or an encoder is for.")
@click.option("--out", default=".", show_default=True, type=UserPath(), help="Where its folder is made.")
def new_plugin(name: str, kind: str, modality: str, out: Path) -> None:
    """Write the package of a new plugin.

    The package has one component, a test that tries what such a component promises, and a recipe of a few seconds. Both
    work as they are: change them from there.
    """
    from coview.scaffold.package import new_package

    folder, files = new_package(name, kind, out, modality=modality)
    for file in files:
        click.echo(folder / file)
    click.echo("\nnext:")
    click.echo(f"  cd {shlex.quote(str(folder))} && pip install -e '.[test]' && pytest")
    if Path("recipe.toml") in files:
        click.echo("  coview run recipe.toml")


def _about_hook(name: str) -> str:
    """When a lifecycle hook is called, from its specification."""
    from coview.plugins.hookspecs import Hooks

    return (vars(Hooks)[name].__doc__ or "").partition("\n")[0].rstrip(".")


def _unknown(registry: Registry, name: str) -> CoviewError:
    """What is wrong with the name: what the kind that it nearly is says of it, else the nearest names."""
    from coview.plugins.nearest import did_you_mean
    from coview.plugins.registry import lacks_name

    head, colon, argument = name.partition(":")
    named = [component for component in registry.components if head in (component.name, component.qualified)]
    if named and not argument and all(component.is_family for component in named):
        return CoviewError(lacks_name(name, *named))
    for component in named:
        try:
            registry.resolve(component.kind, name)
        except CoviewError as error:
            return error
    plugin = head.rpartition("/")[0]
    known = {component.qualified if plugin else component.name for component in registry.components}
    known |= {status.name for status in registry.plugins}
    near = did_you_mean(head, known, colon + argument)
    return CoviewError(f'there is no plugin or component "{name}"{near}', hint="coview plugins list shows them all")


def _pages(registry: Registry, name: str) -> list[dict[str, Any]]:
    """One page for each component that answers to the name, of whatever kind, modality or plugin."""
    from coview.plugins.own_settings import own_keys

    head, colon, argument = name.partition(":")
    pages = []
    for component in registry.components:
        if head not in (component.name, component.qualified) or component.is_family != bool(colon and argument):
            continue
        use = f"{component.qualified}{colon}{argument}"
        page = {**dataclasses.asdict(component), "use": use, "qualified": component.qualified}
        page["own_keys"] = own_keys(component.kind)
        try:
            parameters = registry.parameters(component.kind, use, modality=component.modality)
            page |= {
                "doc": parameters.doc,
                "parameters": [dataclasses.asdict(parameter) for parameter in parameters.parameters],
            }
        except CoviewError as error:
            page |= {"error": str(error), "doc": "", "parameters": []}
        pages.append(page)
    return pages


def _print_page(page: dict[str, Any]) -> None:
    click.echo(f"{page['kind']} {page['qualified']}: {page['summary']}")
    if page["source"]:
        click.echo(f"source: {page['source']}")
    if page["doc"]:
        click.echo(f"\n{page['doc']}")
    if "error" in page:
        click.echo(f"\ncannot be used: {page['error']}")
    if page["parameters"]:
        click.echo()
    for parameter in page["parameters"]:
        _print_parameter(parameter)
    if page["own_keys"]:
        click.echo(f"\nin the same table, coview's own: {', '.join(page['own_keys'])}")


def _print_parameter(parameter: dict[str, Any]) -> None:
    default = parameter["default"]
    if parameter["required"]:
        ending = "  (required)"
    else:
        ending = "" if default is None else f"  (default {json.dumps(default, ensure_ascii=False)})"
    click.echo(f"  {parameter['name']}  {parameter['type']}{ending}")
    if parameter["doc"]:
        click.echo(click.wrap_text(parameter["doc"], 100, "      ", "      "))
