"""The page of the public Python names: their signatures and docstrings, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import docstring_parser

import coview
from coview import evaluating
from coview.plugins import lifecycle
from coview.plugins.hookspecs import Hooks

INTRO = """\
# Python reference

The public names: those of `coview` itself, and at the end those of `coview.evaluating`. [From Python](../python.md)
shows how they are used, and [Write a plugin](../plugins.md) what the contracts are for.
"""

CONTRACTS = ("Modality", "Dataset", "Augmentation", "Encoder", "Evaluator")
"""What a plugin implements."""


def api_page() -> str:
    """Functions, classes, contracts, hooks."""
    names = [name for name in coview.__all__ if not name.startswith("_")]
    objects = {name: getattr(coview, name) for name in names}
    functions = [name for name in names if inspect.isfunction(objects[name])]
    classes = [name for name in names if inspect.isclass(objects[name]) and name not in CONTRACTS]
    rest = [name for name in names if name not in (*functions, *classes, *CONTRACTS)]
    parts = [INTRO, "## Functions"]
    for name in functions:
        parts += [f"### `{name}`", *described(objects[name], f"coview.{name}")]
    parts.append("## Classes")
    for name in classes:
        parts += [f"### `{name}`", *class_described(objects[name], f"coview.{name}")]
    parts.append("## Contracts\n\nA plugin's classes need not inherit from these; they have to have what is in them.")
    for name in CONTRACTS:
        parts += [f"### `{name}`", *class_described(objects[name], f"class {name}")]
    parts.append("## Hooks\n\nMarked `@coview.hookimpl`; the contexts are in `coview.plugins.lifecycle`.")
    for name, hook in _own_functions(Hooks):
        parts += [f"### `{name}`", signature(hook, name), _markdown(inspect.getdoc(hook) or "")]
    for name, context in inspect.getmembers(lifecycle, inspect.isclass):
        if context.__module__ == lifecycle.__name__:
            parts += [f"### `{name}`", *class_described(context, name)]
    parts.append("## Other names")
    parts.append("\n".join(f"- `coview.{name}`: {ABOUT_REST[name]}" for name in rest))
    parts.append("## What evaluators are made of\n\nThe names of `coview.evaluating`.")
    for name in evaluating.__all__:
        parts += evaluating_described(name, getattr(evaluating, name))
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def evaluating_described(name: str, thing: Any) -> Iterator[str]:
    """A function, a class, the functions of a module, or a type."""
    yield f"### `evaluating.{name}`"
    if inspect.ismodule(thing):
        for inner, function in inspect.getmembers(thing, inspect.isfunction):
            if function.__module__ == thing.__name__ and not inner.startswith("_"):
                yield f"#### `{name}.{inner}`"
                yield from described(function, f"{name}.{inner}")
    elif inspect.isclass(thing):
        yield from class_described(thing, name)
    elif inspect.isfunction(thing):
        yield from described(thing, name)
    else:
        yield ABOUT_REST[name]


ABOUT_REST = {
    "LabelBudgets": 'the type of a parameter that is one budget of labels or several, such as `[1, "10%", "all"]`.',
    "LabelsPerClass": 'the type of a parameter that is one budget of labels, such as `10`, `"10%"` or `"all"`.',
    "NEGATIVE": 'the name of the view that is made of hard negatives: "negative".',
    "Sees": 'what a target is made of: "input", "teacher" or "teacher_decoder".',
    "API": "the number of the plugin interface; a plugin whose `coview_api` is higher is refused.",
    "TrainingLength": 'the type of a parameter that is a length of training: steps, or a text such as "10 epochs".',
    "hookimpl": "marks a function as an implementation of a hook.",
}


def class_described(cls: type, title: str) -> Iterator[str]:
    """A class with what is in it."""
    yield from described(cls, title)
    for name, member in _own_functions(cls):
        if doc := inspect.getdoc(member):
            yield f"#### `{cls.__name__}.{name}`"
            if isinstance(member, property):
                yield _markdown(doc)
            else:
                yield from described(getattr(cls, name), f"{cls.__name__}.{name}", doc)


def described(thing: Any, title: str, doc: str | None = None) -> Iterator[str]:
    """A signature, and the docstring with its sections."""
    if not (inspect.isclass(thing) and getattr(thing, "_is_protocol", False)):
        yield signature(thing, title)
    parsed = docstring_parser.parse(doc or inspect.getdoc(thing) or "")
    yield _markdown("\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part))
    documented = {param.arg_name for param in parsed.params}
    if getattr(thing, "_is_protocol", False):
        for name, annotation in inspect.get_annotations(thing).items():
            if name not in documented:
                yield f"`{name}: {_annotation(annotation)}`"
    for param in parsed.params:
        yield f"`{param.arg_name}`\n:   {_in_line(param.description)}"
    if parsed.returns:
        yield f"Returns\n:   {_in_line(parsed.returns.description)}"
    for raised in parsed.raises:
        yield f"Raises `{raised.type_name}`\n:   {_in_line(raised.description)}"


def signature(thing: Any, title: str) -> str:
    """The call, on one line where it fits."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parts = list(_declarations([p for p in found.parameters.values() if p.name not in ("self", "cls")]))
    returns = (
        "" if found.return_annotation in (found.empty, None, "None") else f" -> {_annotation(found.return_annotation)}"
    )
    text = f"({', '.join(parts)}){returns}"
    if len(title) + len(text) > 100:
        text = "(\n    " + ",\n    ".join(parts) + f",\n){returns}"
    return f"```python\n{title}{text}\n```"


def _declarations(parameters: list[inspect.Parameter]) -> Iterator[str]:
    before = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for parameter in parameters:
        if before is parameter.POSITIONAL_ONLY is not parameter.kind:
            yield "/"
        if parameter.kind is parameter.KEYWORD_ONLY is not before:
            yield "*"
        before = parameter.kind
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        typed = "" if parameter.annotation is parameter.empty else f": {_annotation(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {_literal(parameter.default)}"
        yield f"{stars}{parameter.name}{typed}{default if typed else default.replace(' ', '')}"
    if before is inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def _literal(value: Any) -> str:
    """A value as the linter's formatter writes it."""
    text = repr(value)
    return text.replace("'", '"') if isinstance(value, str | bytes) and '"' not in text else text


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _own_functions(cls: type) -> list[tuple[str, Any]]:
    """Public methods and properties, in the order of the source."""
    return [
        (name, member.__func__ if isinstance(member, classmethod | staticmethod) else member)
        for name, member in vars(cls).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod))
    ]


def _markdown(text: str) -> str:
    return re.sub(r":(?:class|func|meth|mod|data):`~?([^`]+)`", r"`\1`", text).strip()


def _in_line(text: str | None) -> str:
    return " ".join(_markdown(text or "").split())
