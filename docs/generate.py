"""Writes the reference pages in ``docs/reference/``, and ``docs/methods.md``: ``python docs/generate.py [FOLDER]``.

They come from what ``coview recipe check`` checks by and ``coview plugins show`` prints, so that they cannot say
anything else: the tables of ``coview.recipe.tables`` and the registry of installed plugins, of which only coview's own
are written. ``tests/docs/test_docs_reference.py`` compares what is committed with what this writes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from generate_api import api_page
from generate_methods import methods_page
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

import coview
from coview.plugins.component import KINDS, Component, Kind
from coview.plugins.own_settings import OWN_SETTINGS, LoraTable, ValueScheduleSettings, own_keys
from coview.plugins.parameters import Parameter
from coview.recipe import tables, tune_table
from coview.recipe.json_schema import recipe_schema
from coview.recipe.merge import ALTERNATIVES, DEFAULT_USE
from coview.recipe.snapshot import NO_EFFECT_ON_RESULTS
from coview.recipe.tables import KIND_OF_TABLE, TopTable, key_types

HERE = Path(__file__).resolve().parent

GENERATED = "<!-- Written by docs/generate.py from the code: edit that, and run `make docs`. -->\n"

PLURAL: dict[Kind, str] = {kind: f"{kind}s" for kind in KINDS} | {"modality": "modalities", "loss": "losses"}

ABOUT: dict[Kind, str] = {
    "modality": "A modality says what a value of its kind is, how values become a batch, and how to show one to a "
    "person. Its settings stand in `[modality]`; the data set says which modality that is.",
    "dataset": "A data set yields samples. It stands in `[data]`, beside `views` and `workers`.",
    "augmentation": "An augmentation makes a new value of the same modality. Each stands in an `[[augment]]` of its "
    "own; a view is made by all of them in the order of the file.",
    "encoder": "An encoder turns a batch into one vector for each sample. It stands in `[encoder]`, and is what is "
    "evaluated and exported.",
    "projector": "A projector stands between the encoder and the loss, in `[projector]`; it is not part of what is "
    "evaluated.",
    "predictor": "A predictor stands behind the projector, on the student's side only, in `[predictor]`; without that "
    "table there is none.",
    "loss": "A loss sees the projections of all views of a batch and returns the number that training makes smaller. "
    "It stands in `[loss]`, or several in `[[loss]]`.",
    "mask": "A mask hides some tokens of a view from the encoder: patches of a picture, of the log-mel of a sound, or "
    "tokens of a text. It stands in `[mask]`.",
    "decoder": "A decoder predicts hidden tokens from those that were seen. It stands in `[decoder]`.",
    "target": "A target says what hidden tokens have to be. It stands in `[target]`.",
    "optimizer": "An optimiser takes the steps. It stands in `[optimizer]`; what is special about some parameters "
    "stands in `[[optimizer.group]]`.",
    "schedule": "A schedule says what the learning rate is multiplied by after the warm-up. It stands in `[schedule]`, "
    "or as `schedule` in an `[[optimizer.group]]`.",
    "sampler": "A sampler says which samples are in which batch of an epoch. It stands in `[sampler]`.",
    "evaluator": "An evaluator turns frozen representations into numbers with intervals. Each stands in an "
    "`[[evaluate]]` of its own.",
    "callback": "A callback is called while a run trains, and may end it. Each stands in a `[[callback]]` of its "
    "own; see [Callbacks](../callbacks.md).",
    "resource": "Files that other components need and that no wheel of coview carries. `coview data fetch NAME` brings "
    "them into the cache, once.",
}

RECIPE_INTRO = """\
# Recipe reference

A recipe is one TOML file. It holds the tables below, and nothing else. If a key is unknown, coview names the file, the
line and the nearest key that exists. `coview recipe show RECIPE --resolved` writes a recipe out with every
default in it, `--origin` says where each value comes from, and `coview recipe schema` prints all of this page as a JSON
Schema for your editor.

Types are TOML's. "Absent" as a default means that the key is not there unless you write it.
"""

TABLE_RULES = """\
## Where a relative path leads

A relative path in a file is relative to the folder of that file. In `--set` and from Python it is relative to the
current folder. That holds for `extends`, `compare.recipes` and every parameter of type "a path", such as `root` of
`[data]`. A path in a recipe that is extended is relative to the folder of that recipe. `~` is the home folder. In the
name of a component, such as `hf:./model`, a path begins with `.`, `~` or `/`; any other name is a name of the hub.

The hash is computed from the text, so it is the same in every checkout. For each such path a run keeps the folder
(`relative_to` in its `recipe.toml`), so it finds its data wherever `coview` is started. If the data were moved,
`--set data.root=/new/place` says where they are.

## What is merged how

- A recipe that `extends` another is merged over it: tables deeply, key by key; arrays, such as `[[augment]]`, replace
  what was there.
- A table whose `use` changes is replaced whole, since the parameters of one component mean nothing to another{own}.
- Some keys say the same in two ways ({alternatives}). The one that is given last replaces the other.
- `--set KEY=VALUE` is merged last. `VALUE` is read as TOML, and as a string if it is not TOML. A number in a key
  selects an element of an array: `evaluate.0.k=5`.
- If `use` is left out it is{default}.
- Two recipes are the same, and a run of one can be resumed by the other, if they agree in everything but {unhashed}:
  those keys change nothing that is computed. Callbacks that only report may differ, too. If a callback changes the run,
  `train.log_every` may not differ, since it says how often that callback is called.
"""


def main(folder: Path) -> None:
    """Writes every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def methods() -> str:
    """``docs/methods.md``."""
    return methods_page(coview.load_plugins())


def schema() -> str:
    """The JSON Schema of coview's own components, which the shipped recipes name for editors."""
    registry = coview.load_plugins()
    own = {status.name for status in registry.plugins if status.distribution == "coview"}
    ours = tuple(component for component in registry.components if component.plugin in own)
    return json.dumps(recipe_schema(replace(registry, components=ours)), separators=(",", ":")) + "\n"


def pages() -> dict[str, str]:
    """File name to text."""
    registry = coview.load_plugins()
    own = {status.name for status in registry.plugins if status.distribution == "coview"}
    broken = [status for status in registry.plugins if status.name in own and status.status != "ok"]
    if broken:
        raise SystemExit(f"{broken[0].name} is {broken[0].status}: {broken[0].reason}")
    written = {"recipe.md": recipe_page(registry)}
    for kind in KINDS:
        components = [component for component in registry.of_kind(kind) if component.plugin in own]
        written[f"{PLURAL[kind]}.md"] = kind_page(registry, kind, components)
    written["python.md"] = GENERATED + "\n" + api_page()
    return written


def recipe_page(registry: coview.Registry) -> str:
    """Every table with its keys."""
    properties = recipe_schema(registry)["properties"]
    extends, relative_to = (properties[key]["description"] for key in ("extends", "relative_to"))
    parts = [RECIPE_INTRO, "## The top of the file", *keys_of(TopTable, only_scalars=True)]
    parts.append(entry("**`extends`** · `string` · absent by default", extends))
    parts.append(entry("**`relative_to`** · `table` · absent by default", relative_to))
    for name, field in TopTable.model_fields.items():
        if name in _scalars(TopTable):
            continue
        kinds = str(field.annotation)
        spellings = [f"`[{name}]`"] * kinds.startswith("dict") + [f"`[[{name}]]`"] * ("list[" in kinds)
        title = " or ".join(spellings)
        parts.append(f"## {title}\n\n{field.description}")
        parts += table_keys(name)
    unhashed = [f"`{'.'.join(path)}`" for path in NO_EFFECT_ON_RESULTS]
    settings = [
        f"{', '.join(f'`{key}`' for key in keys)} of `{name}`"
        for name, kind in KIND_OF_TABLE.items()
        if (keys := own_keys(kind))
    ]
    parts.append(
        TABLE_RULES.format(
            own=f"; coview's own keys in it stay: {'; '.join(settings)}",
            alternatives="; ".join(
                " and ".join(f"`{'.'.join((*path, name))}`" for name in names) for path, names in ALTERNATIVES.items()
            ),
            default=" and".join(f' `"{use}"` in `[{kind}]`' for kind, use in DEFAULT_USE.items()),
            unhashed=f"{', '.join(unhashed[:-1])} and {unhashed[-1]}",
        ).rstrip()
    )
    return GENERATED + "\n" + "\n\n".join(part.strip() for part in parts) + "\n"


def table_keys(name: str) -> Iterator[str]:
    """The keys of one table: coview's own, and those of the component that it uses."""
    kind = KIND_OF_TABLE.get(name, name)
    own = {**vars(tables), **vars(tune_table)}
    model = own.get(f"{name.capitalize()}Table") or OWN_SETTINGS.get(kind)
    if kind not in KINDS and model is None:
        raise SystemExit(f"docs/generate.py: nothing says what is in [{name}]")
    if kind in KINDS:
        page = f"[{PLURAL[kind]}]({PLURAL[kind]}.md)"
        if kind == "modality":
            yield f"Takes no `use`: the parameters are those of the data's modality, see {page}."
        else:
            implied = f', `"{DEFAULT_USE[name]}"` by default' if name in DEFAULT_USE else ""
            yield entry("**`use`** · `string`", f"One of the {page}{implied}; its parameters stand beside it.")
    if model is not None:
        yield from keys_of(model)
    if name == "encoder":
        yield "### `[encoder.lora]`"
        yield "Small matrices that are trained in place of the encoder's weights: [LoRA](../training.md#lora)."
        yield from keys_of(LoraTable)
    if name == "schedule":
        yield '### `[schedule."TABLE.KEY"]`'
        yield "Of another value, such as `loss.temperature`, beside `use` and the schedule's own parameters."
        yield from keys_of(ValueScheduleSettings)


def keys_of(model: type[BaseModel], *, only_scalars: bool = False) -> Iterator[str]:
    """An entry for each key of one of coview's own tables."""
    types = key_types(model)
    for name, field in model.model_fields.items():
        if only_scalars and name not in _scalars(model):
            continue
        key = field.alias or name
        default = None if field.is_required() else to_jsonable_python(field.default)
        yield item(Parameter(key, types[key], default, field.is_required(), field.description or ""))


def kind_page(registry: coview.Registry, kind: Kind, components: list[Component]) -> str:
    """Every component of a kind, with its parameters."""
    parts = [f"# {PLURAL[kind].capitalize()}", ABOUT[kind]]
    for component in components:
        use = component.example if component.is_family else component.name
        title = f"{component.name}:NAME" if component.is_family else component.name
        parts.append(f"## `{title}`")
        parts.append(f"{capital(component.summary)}.")
        parts.append(facts(component))
        parameters = registry.parameters(kind, use, modality=component.modality)
        if component.is_family and not _written_here(registry, component):
            parts.append(f"The parameters are the library's: `coview plugins show {use}` prints those of one name.")
            continue
        parts.append(parameters.doc)
        parts += map(item, parameters.parameters)
        if not parameters.parameters and kind != "resource":
            parts.append("It takes no parameters.")
    return GENERATED + "\n" + "\n\n".join(tidy(part) for part in parts) + "\n"


def facts(component: Component) -> str:
    """The line below a component's name."""
    said = [f"`{component.qualified}`"]
    if component.modality:
        said.append(f"for {component.modality}")
    if component.is_family:
        said.append(f'such as `use = "{component.example}"`')
    if component.source:
        said.append(linked(component.source))
    if component.licence:
        said.append(f"licence: {component.licence}")
    if component.extra:
        said.append(f"`pip install '{component.extra}'`")
    return " · ".join(said)


def item(parameter: Parameter) -> str:
    """One key or parameter: name, type with range, default, meaning."""
    ending = "**required**" if parameter.required else "absent by default"
    if parameter.default is not None and not parameter.required:
        ending = f"default `{json.dumps(parameter.default, ensure_ascii=False)}`"
    return entry(f"**`{parameter.name}`** · {parameter.type} · {ending}", parameter.doc)


def entry(head: str, meaning: str) -> str:
    """A term and its meaning, as a definition list."""
    return f"{head}\n:   {tidy(meaning)}" if meaning else f"{head}\n:   –"


def linked(source: str) -> str:
    """A paper or address as a link."""
    if source.startswith("http"):
        return f"[{source.split('//')[1].rstrip('/')}]({source})"
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)


def tidy(text: str) -> str:
    """A docstring as Markdown: its code spans have two backticks, which Markdown reads the same."""
    return re.sub(r":(?:class|func|meth|mod):`~?([^`]+)`", r"`\1`", text).strip()


def capital(text: str) -> str:
    """With a capital letter, unless the first word is a name in code or already has one."""
    return text[:1].upper() + text[1:]


def _scalars(model: type[BaseModel]) -> list[str]:
    """The keys that are no tables."""
    return [name for name, field in model.model_fields.items() if "dict" not in str(field.annotation)]


def _written_here(registry: coview.Registry, component: Component) -> bool:
    """Whether a family's parameters are of coview's own writing, and so the same for every name."""
    factory: Any = registry.resolve(component.kind, component.example, modality=component.modality).factory()
    return getattr(factory, "parameters_model", None) is None


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "reference")
    (HERE.parent / "recipes" / "recipe.schema.json").write_text(schema(), encoding="utf-8")
    (HERE / "methods.md").write_text(methods(), encoding="utf-8")
