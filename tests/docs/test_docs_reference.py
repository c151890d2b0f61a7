"""What is committed in ``docs/reference/`` is what the code says."""

import importlib
import sys

from docs_pages import DOCS

import coview
from coview.recipe.tables import TopTable, TrainTable


def generated(monkeypatch, folder):
    monkeypatch.syspath_prepend(str(DOCS))
    generate = importlib.import_module("generate")
    generate.main(folder)
    for name in ("generate", "generate_api", "generate_methods"):
        sys.modules.pop(name)
    return {path.name: path.read_text() for path in folder.iterdir()}, generate.schema(), generate.methods()


def test_the_reference_is_what_the_code_says(monkeypatch, tmp_path):
    committed = {path.name: path.read_text() for path in (DOCS / "reference").iterdir()}
    new, schema, methods = generated(monkeypatch, tmp_path / "reference")
    assert set(new) == set(committed)
    stale = [name for name in new if new[name] != committed[name]]
    if (DOCS.parent / "recipes" / "recipe.schema.json").read_text() != schema:
        stale.append("recipes/recipe.schema.json")
    if (DOCS / "methods.md").read_text() != methods:
        stale.append("methods.md")
    assert not stale, f"{stale}: run `make docs` and commit what it writes"


def test_the_schema_that_recipes_name_is_there():
    recipes = DOCS.parent / "recipes"
    naming = [path for path in recipes.rglob("*.toml") if path.read_text().startswith("#:schema ")]
    assert len(naming) >= 25
    for path in naming:
        named = path.read_text().splitlines()[0].removeprefix("#:schema ")
        assert (path.parent / named).resolve() == (recipes / "recipe.schema.json").resolve(), path


def test_it_has_every_component_and_parameter_of_coviews_own(registry):
    own = {plugin.name for plugin in registry.plugins if plugin.distribution == "coview"}
    text = "\n".join(path.read_text() for path in (DOCS / "reference").iterdir())
    for component in registry.components:
        if component.plugin in own:
            assert f"`{component.qualified}`" in text
            if not component.is_family:
                use = registry.parameters(component.kind, component.name, modality=component.modality)
                for parameter in use.parameters:
                    assert f"**`{parameter.name}`** · {parameter.type}" in text, f"{component.name}.{parameter.name}"


def test_it_has_every_table_and_key():
    text = (DOCS / "reference" / "recipe.md").read_text()
    for model in (TopTable, TrainTable):
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert f"**`{key}`**" in text or f"## `[{key}]`" in text or f"## `[[{key}]]`" in text, key


def test_it_has_every_public_name():
    text = (DOCS / "reference" / "python.md").read_text()
    for name in coview.__all__:
        assert name == "__version__" or f"### `{name}`" in text or f"`coview.{name}`" in text, name
