"""``coview plugins``: what is installed, whether it works, and what each component takes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from coview.cli.output import print_columns, print_json
from coview.errors import CoviewError


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
        click.echo(
            f"{plugin.name}  {plugin.status}  ({plugin.distribution} {plugin.version}, {plugin.module})"
        )
        if plugin.reason:
            click.echo(f"  {plugin.reason}")
        for warning in plugin.warnings:
            click.echo(f"  warning: {warning}")
        own = [component for component in registry.components if component.plugin == plugin.name]
        print_columns([(c.kind, c.example if c.is_family else c.name, c.summary) for c in own], indent="  ")


@plugins.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show_plugin(disabled: tuple[str, ...], name: str, as_json: bool) -> None:
    """A component (nt_xent, image/resnet18, timm:convnext_atto) with its parameters, or a plugin."""
    from coview.plugins.discovery import load_plugins

    registry = load_plugins(disable=disabled)
    status = next((plugin for plugin in registry.plugins if plugin.name == name), None)
    pages = _pages(registry, name)
    if status is None and not pages:
        known = ", ".join(sorted({component.name for component in registry.components}))
        raise CoviewError(f'there is no plugin or component "{name}"', hint=f"there are: {known}")
    if as_json:
        print_json({"plugin": dataclasses.asdict(status) if status else None, "components": pages})
        return
    if status is not None:
        click.echo(f"plugin {status.name}: {status.status} {status.reason}".rstrip())
        click.echo(f"{status.distribution} {status.version}, {status.module}, {status.components} components")
        click.echo(status.traceback, nl=False)
    for page in pages:
        _print_page(page)


def _pages(registry: Any, name: str) -> list[dict[str, Any]]:
    """One page for each kind of component, and each modality, that answers to the name."""
    from coview.plugins.component import KINDS

    pages = []
    modalities = [None, *(component.name for component in registry.of_kind("modality"))]
    for kind in KINDS:
        seen = set()
        for modality in modalities:
            try:
                use = registry.resolve(kind, name, modality=modality)
            except CoviewError as error:
                if "ambiguous" in str(error) and modality is None:
                    click.echo(f"{kind}: {error}", err=True)
                continue
            if use.component in seen:
                continue
            seen.add(use.component)
            page = {**dataclasses.asdict(use.component), "use": name, "qualified": use.component.qualified}
            try:
                parameters = registry.parameters(kind, name, modality=use.component.modality)
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
        default = parameter["default"]
        ending = (
            "required"
            if parameter["required"]
            else ("" if default is None else f"default {json.dumps(default)}")
        )
        click.echo(f"  {parameter['name']}  {parameter['type']}" + (f"  ({ending})" if ending else ""))
        if parameter["doc"]:
            click.echo(f"      {parameter['doc']}")
