"""A JSON Schema for recipes that covers the installed plugins, for editors and other tools.

Every shipped recipe is valid by it. What a single file cannot know (what it inherits through ``extends``) is left
open: a component's table without ``use`` may hold anything, and a file with ``extends`` need not be complete.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from coview.errors import CoviewError
from coview.plugins.component import Component, Kind
from coview.plugins.parameters import Parameters
from coview.plugins.registry import Registry
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.tables import DataSettings, SweepTable, TopTable, TrainTable

Schema = dict[str, Any]

_REQUIRED = ("schema", "name", "data", "encoder", "loss", "train")


def recipe_schema(registry: Registry) -> Schema:
    """The schema. Imports the target of every installed component; one that cannot be imported takes anything."""
    definitions: Schema = {}
    top = _model_schema(TopTable, definitions)
    properties: Schema = dict(top["properties"])
    modalities = sorted(component.name for component in registry.of_kind("modality"))
    settings = _model_schema(DataSettings, definitions)["properties"]
    component = {kind: _component_schema(registry, kind, definitions) for kind in _KINDS}
    data = _component_schema(registry, "dataset", definitions, also=settings)
    train = _model_schema(TrainTable, definitions)
    sweep = _model_schema(SweepTable, definitions)
    definitions |= {f"{kind}": schema for kind, schema in component.items()}

    def table(kind: Kind) -> Schema:
        return {"$ref": f"#/$defs/{kind}"}

    def by_modality(one: Schema) -> Schema:
        split = {"type": "object", "additionalProperties": False, "minProperties": 1,
                 "properties": dict.fromkeys(modalities, one)}  # fmt: skip
        return {"anyOf": [one, split]}

    def implied(kind: Kind) -> Schema:
        """In a recipe that extends none, a table without ``use`` is of the default component."""
        use = DEFAULT_USE[kind]
        strict = _only(registry, kind, use, definitions)
        return {"if": {"not": {"required": ["use"]}}, "then": strict}

    modality = {"anyOf": [_only(registry, "modality", name, definitions) for name in modalities]}
    properties |= {
        "extends": {
            "type": "string",
            "minLength": 1,
            "description": "A recipe to start from, relative to this one.",
        },
        "data": data,
        "modality": by_modality(modality) if modalities else {"type": "object"},
        "augment": by_modality({"type": "array", "items": table("augmentation")}),
        "encoder": by_modality(table("encoder")),
        "projector": by_modality(table("projector")),
        "loss": table("loss"),
        "evaluate": {"type": "array", "items": table("evaluator")},
        "train": train | {"required": []},
        "sweep": sweep,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "coview recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": ["schema"],
        "if": {"not": {"required": ["extends"]}},
        "then": {
            "required": list(_REQUIRED),
            "properties": {
                "train": {
                    "required": ["batch_size", "lr"],
                    "oneOf": [{"required": ["epochs"]}, {"required": ["steps"]}],
                },
                **{key: {"required": ["use"]} for key in ("data", "loss")},
                "projector": by_modality(implied("projector")),
            },
        },
        "$defs": definitions,
    }


_KINDS: tuple[Kind, ...] = ("augmentation", "encoder", "projector", "loss", "evaluator")


def _component_schema(
    registry: Registry, kind: Kind, definitions: Schema, also: Schema | None = None
) -> Schema:
    """One branch for each component, chosen by ``use``; a table without ``use`` may hold anything."""
    also = also or {}
    components = [component for component in registry.components if component.kind == kind]
    names: list[str] = []
    families: list[str] = []
    branches: list[Schema] = []
    for component in components:
        spellings = [component.qualified]
        if sum(other.name == component.name for other in components) == 1:
            spellings.append(component.name)
        if component.is_family:
            families += spellings
            continue
        names += spellings
        parameters = _parameters_schema(component, definitions)
        if parameters is not None:
            properties = {"use": {"enum": spellings}, **also, **parameters["properties"]}
            then: Schema = {"properties": properties, "additionalProperties": False}
            if parameters.get("required"):
                then["required"] = parameters["required"]
            branches.append(
                {"if": {"required": ["use"], "properties": {"use": {"enum": spellings}}}, "then": then}
            )
    uses: list[Schema] = [{"enum": sorted(names)}]
    if families:
        uses.append({"type": "string", "pattern": f"^({'|'.join(sorted(families))}):.+"})
    schema: Schema = {"type": "object", "properties": {"use": {"anyOf": uses}, **also}, "allOf": branches}
    if kind in DEFAULT_USE:
        schema["description"] = f'use = "{DEFAULT_USE[kind]}" unless said otherwise'
    return schema


def _parameters_schema(component: Component, definitions: Schema) -> Schema | None:
    try:
        model = Parameters.of(component.load(), component.kind).model
    except CoviewError:
        return None
    return _model_schema(model, definitions)


def _only(registry: Registry, kind: Kind, name: str, definitions: Schema) -> Schema:
    """The parameters of one component, without ``use``."""
    component = next(component for component in registry.of_kind(kind) if component.name == name)
    parameters = _parameters_schema(component, definitions)
    if parameters is None:
        return {"type": "object"}
    return {"type": "object", "properties": parameters["properties"], "additionalProperties": False}


def _model_schema(model: type[BaseModel], definitions: Schema) -> Schema:
    schema = model.model_json_schema(by_alias=True)
    definitions |= schema.pop("$defs", {})
    schema.setdefault("properties", {})
    schema.pop("title", None)
    for value in schema["properties"].values():
        value.pop("title", None)
    return schema
