"""A JSON Schema for recipes that covers the installed plugins, for editors and other tools.

Every shipped recipe is valid by it. What a single file cannot know (what it inherits through ``extends``) is left
open: a component's table without ``use`` may hold anything, and a file with ``extends`` need not be complete.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind

from coview.errors import CoviewError
from coview.plugins.component import Component, Kind
from coview.plugins.own_settings import OWN_SETTINGS, ValueScheduleSettings
from coview.plugins.parameters import Parameters
from coview.plugins.registry import AmbiguousNameError, Registry
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.tables import (
    CompareTable,
    PaperTable,
    QueueTable,
    StartTable,
    SweepTable,
    TeacherTable,
    TopTable,
    TrainTable,
)
from coview.recipe.tune_table import TuneTable

Schema = dict[str, Any]

_IS_OF_SEVERAL: Schema = {"required": ["compare"], "properties": {"compare": {"required": ["recipes"]}}}
"""A comparison that names its recipes is none itself."""

_REQUIRED = ("schema", "name", "data", "encoder", "train")

_REQUIRED_BY_STEPS = ("loss", "optimizer")
"""What only a recipe needs that trains."""

_NO_STEPS: Schema = {"required": ["steps"], "properties": {"steps": {"const": 0}}}
"""A training that takes none needs no loss and no optimiser either."""


def recipe_schema(registry: Registry) -> Schema:
    """The schema. Imports the target of every installed component; one that cannot be imported takes anything."""
    definitions: Schema = {}
    top = _model_schema(TopTable, definitions)
    properties: Schema = dict(top["properties"])
    modalities = sorted(component.name for component in registry.of_kind("modality"))
    own = {kind: _model_schema(model, definitions)["properties"] for kind, model in OWN_SETTINGS.items()}
    component = {kind: _component_schema(registry, kind, definitions, also=own.get(kind)) for kind in _KINDS}
    definitions["dataset"] = _component_schema(registry, "dataset", definitions, also=own["dataset"])
    train = _model_schema(TrainTable, definitions)
    sweep = _model_schema(SweepTable, definitions)
    for kind in ("augmentation", "evaluator", "callback"):  # they stand in arrays, which replace what is inherited
        component[kind]["required"] = ["use"]
    definitions.update({str(kind): schema for kind, schema in component.items()})

    def table(kind: Kind) -> Schema:
        return {"$ref": f"#/$defs/{kind}"}

    def split(one: Schema) -> Schema:
        return {"type": "object", "additionalProperties": False, "minProperties": 1,
                "properties": dict.fromkeys(modalities, one)}  # fmt: skip

    def by_modality(one: Schema) -> Schema:
        return {"anyOf": [one, split(one)]}

    def implied(kind: Kind) -> Schema:
        """In a recipe that extends none, a table without ``use`` is of the default component."""
        use = DEFAULT_USE[kind]
        strict = _only(registry, kind, use, definitions, also=own.get(kind))
        return {"if": {"not": {"required": ["use"]}}, "then": strict}

    required = {"required": ["use"]}
    one_of_several = table("loss") | required
    modality = {"anyOf": [_only(registry, "modality", name, definitions) for name in modalities]}
    path = {"type": "string", "minLength": 1}
    properties |= {
        "extends": {
            "anyOf": [path, {"type": "array", "items": path}],
            "description": "A recipe to start from: a path relative to this one, or the name of one that comes with "
            "coview, such as base/simclr; or several, each merged over those before.",
        },
        "relative_to": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "In a resolved recipe, as a run keeps it: for each key with a relative path the folder that "
            "it is relative to. Absent: this file's own.",
        },
        "data": {"anyOf": [table("dataset"), {"type": "array", "minItems": 1, "items": table("dataset") | required}]},
        "modality": by_modality(modality) if modalities else {"type": "object"},
        "augment": by_modality({"type": "array", "items": table("augmentation")}),
        "encoder": by_modality(table("encoder")),
        "projector": by_modality(table("projector")),
        "predictor": by_modality(table("predictor")),
        "start": by_modality(_model_schema(StartTable, definitions)),
        "teacher": _with_encoder(_model_schema(TeacherTable, definitions), table("encoder")),
        "queue": _model_schema(QueueTable, definitions),
        "mask": table("mask"),
        "decoder": table("decoder"),
        "target": table("target"),
        "loss": {"anyOf": [table("loss"), {"type": "array", "minItems": 1, "items": one_of_several}]},
        "optimizer": table("optimizer"),
        "schedule": table("schedule"),
        "sampler": table("sampler"),
        "evaluate": {"type": "array", "items": table("evaluator")},
        "callback": {"type": "array", "items": table("callback")},
        "train": train | {"required": [], "not": {"required": ["epochs", "steps"]}},
        "paper": _model_schema(PaperTable, definitions),
        "sweep": sweep,
        "compare": _model_schema(CompareTable, definitions),
        "tune": _model_schema(TuneTable, definitions),
    }
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "coview recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": ["schema"],
        "if": {"not": {"anyOf": [{"required": ["extends"]}, _IS_OF_SEVERAL]}},
        "then": {
            "required": list(_REQUIRED),
            "if": {"not": {"properties": {"train": _NO_STEPS}}},
            "then": {"required": list(_REQUIRED_BY_STEPS)},
            "properties": {
                "train": {
                    "if": {"not": _NO_STEPS},
                    "then": {"required": ["batch_size"]},
                    "oneOf": [{"required": ["epochs"]}, {"required": ["steps"]}],
                },
                "data": {"anyOf": [{"type": "array"}, required]},
                "loss": {"anyOf": [{"type": "array"}, {"required": ["use"]}]},
                "optimizer": {"required": ["use"]},
                "encoder": {"anyOf": [required, split({"anyOf": [required, {"required": ["shared"]}]})]},
                "projector": by_modality(implied("projector")),
                "predictor": by_modality(implied("predictor")),
                "decoder": implied("decoder"),
                "target": implied("target"),
                "mask": {"required": ["use"]},
                "schedule": implied("schedule"),
                "sampler": implied("sampler"),
            },
        },
        "$defs": definitions,
    }
    return _with_whole_bounds(schema)  # type: ignore[no-any-return]


def schema_lasts(registry: Registry) -> bool:
    """Whether the schema stays as it is while nothing is installed or changed: what cannot be imported lacks a package,
    and fails for no other reason."""
    for component in registry.components:
        try:
            component.load()
        except CoviewError as error:
            if not isinstance(error.__cause__, ModuleNotFoundError):
                return False
    return True


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _with_whole_bounds(schema: Any) -> Any:
    """The same with bounds such as 10000.0 written as 10000.

    ``typing`` keeps one of ``Annotated[float, Le(1e4)]`` and ``Annotated[float, Le(10_000)]``: whichever a process has
    met first, which is no matter of the recipe's.
    """
    if isinstance(schema, list):
        return [_with_whole_bounds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: int(value)
        if key in _BOUNDS and isinstance(value, float) and value.is_integer()
        else _with_whole_bounds(value)
        for key, value in schema.items()
    }


def _with_encoder(teacher: Schema, encoder: Schema) -> Schema:
    """``[teacher]`` with what its encoder may be."""
    properties = {**teacher["properties"], "encoder": {**encoder, "description": _about_encoder(teacher)}}
    return {**teacher, "properties": properties}


def _about_encoder(teacher: Schema) -> str:
    return str(teacher["properties"]["encoder"]["description"])


_KINDS: tuple[Kind, ...] = (
    "augmentation",
    "encoder",
    "projector",
    "predictor",
    "mask",
    "decoder",
    "target",
    "loss",
    "optimizer",
    "schedule",
    "sampler",
    "evaluator",
    "callback",
)


def _component_schema(registry: Registry, kind: Kind, definitions: Schema, also: Schema | None = None) -> Schema:
    """One branch for each spelling of ``use``; a table without ``use`` may hold anything."""
    also = also or {}
    families: list[str] = []
    by_use: dict[str, list[Component]] = {}
    for component in registry.of_kind(kind):
        for spelling in _spellings(registry, component):
            if component.is_family:
                families.append(re.escape(spelling))
            else:
                by_use.setdefault(spelling, []).append(component)
    branches: dict[str, Schema] = {}
    for use, components in by_use.items():
        # one for each modality; which of them is meant is not known here
        tables = [_table_schema(component, definitions, also) for component in components]
        then = tables[0] if len(tables) == 1 else {"anyOf": tables}
        branch = branches.setdefault(json.dumps(then), {"uses": [], "then": then})
        branch["uses"].append(use)
    uses: list[Schema] = [{"enum": sorted(by_use)}]
    if families:
        uses.append({"type": "string", "pattern": f"^({'|'.join(sorted(families))}):.+"})
    schema: Schema = {
        "type": "object",
        "properties": {"use": {"anyOf": uses}, **also},
        "allOf": [
            {"if": {"required": ["use"], "properties": {"use": {"enum": branch["uses"]}}}, "then": branch["then"]}
            for branch in branches.values()
        ],
    }
    if kind in DEFAULT_USE:
        schema["description"] = f'use = "{DEFAULT_USE[kind]}" unless said otherwise'
    return schema


def _spellings(registry: Registry, component: Component) -> list[str]:
    """The values of ``use`` that mean the component: the bare name too, unless it is ambiguous."""
    try:
        registry.resolve(component.kind, component.name + ":x" * component.is_family, modality=component.modality)
    except AmbiguousNameError:
        return [component.qualified]
    return [component.name, component.qualified]


def _table_schema(component: Component, definitions: Schema, also: Schema) -> Schema:
    parameters = _parameters_schema(component, definitions)
    if parameters is None:
        return {"type": "object"}
    properties = {"use": {"type": "string"}, **also, **parameters["properties"]}
    return {
        "properties": properties,
        **_of_values(component.kind),
        "additionalProperties": False,
        "required": parameters.get("required", []),
    }


def _parameters_schema(component: Component, definitions: Schema) -> Schema | None:
    try:
        model = Parameters.of(component.load(), component.kind).model
    except CoviewError:
        return None
    return _model_schema(model, definitions)


def _only(registry: Registry, kind: Kind, name: str, definitions: Schema, also: Schema | None = None) -> Schema:
    """The parameters of one component, without ``use``, and coview's own keys beside them."""
    try:
        component = registry.resolve(kind, name).component
    except CoviewError:
        return {"type": "object"}
    parameters = _parameters_schema(component, definitions)
    if parameters is None:
        return {"type": "object"}
    properties = {**(also or {}), **parameters["properties"]}
    return {"type": "object", "properties": properties, **_of_values(kind), "additionalProperties": False}


def _of_values(kind: Kind) -> Schema:
    """What ``[schedule]`` may have besides: tables of other values, by keys with a dot in them."""
    if kind != "schedule":
        return {}
    own = _model_schema(ValueScheduleSettings, {})["properties"]
    return {"patternProperties": {r"\.": {"type": "object", "properties": {"use": {"type": "string"}, **own}}}}


class _AnyTypes(GenerateJsonSchema):
    """What JSON has no type for, such as a function, may be anything: one plugin's parameter breaks no other's."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Takes anything."""
        return {}


def _model_schema(model: type[BaseModel], definitions: Schema) -> Schema:
    schema = model.model_json_schema(by_alias=True, schema_generator=_AnyTypes)
    definitions |= schema.pop("$defs", {})
    schema.setdefault("properties", {})
    schema.pop("title", None)
    for value in schema["properties"].values():
        value.pop("title", None)
    return schema
