import tomllib

import jsonschema
import pytest

from conftest import RECIPES
from coview.recipe.json_schema import recipe_schema
from coview.recipe.override import parse_set
from coview.recipe.shipped import recipe_files


@pytest.fixture(scope="module")
def schema(registry):
    schema = recipe_schema(registry)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", list(recipe_files(RECIPES)), ids=lambda path: path.name)
def test_every_shipped_recipe_is_valid(schema, path):
    schema.validate(tomllib.loads(path.read_text()))


def with_sets(text, *sets):
    from coview.recipe.merge import Layers

    layers = Layers()
    layers.add_override(tomllib.loads(text), "")
    layers.add_override(parse_set(sets), "--set")
    return layers.table


def test_the_small_recipe_is_valid(schema, small_recipe):
    schema.validate(tomllib.loads(small_recipe))


def test_a_schedule_of_a_value_is_valid_and_a_misspelt_key_beside_it_is_not(schema, small_recipe):
    text = small_recipe + '\n[schedule]\nuse = "linear"\n[schedule."loss.temperature"]\nend = 0.1\nover = "1 epoch"\n'
    table = tomllib.loads(text)
    schema.validate(table)
    assert not schema.is_valid({**table, "schedule": {"loss.temperature": {"end": "low"}}})
    assert not schema.is_valid({**table, "schedule": {"use": "linear", "loss": {"temperature": {"end": 1}}}})


def test_a_mixture_is_valid_and_mistakes_in_it_are_not(schema, small_recipe):
    mixed = small_recipe.replace(
        '[data]\nuse = "digits"\n', '[[data]]\nuse = "digits"\nweight = 2\n[[data]]\nuse = "fashion_mnist"\n'
    )
    table = tomllib.loads(mixed)
    schema.validate(table)
    for wrong in ({"use": "digits", "wieght": 1}, {"weight": 1}, {"use": "digits", "weight": 0}):
        assert not schema.is_valid({**table, "data": [table["data"][0], wrong]})
    assert not schema.is_valid({**table, "data": []})


@pytest.mark.parametrize(
    "sets",
    [
        ["schema=2"],
        ["name=a/b"],
        ["seed=-1"],
        ["sed=1"],
        ["data.use=digitz"],
        ["data.rot=1"],
        ["data.views=0"],
        ["data.workers=few"],
        ["encoder.use=resnet19"],
        ["encoder.stem=tiny"],
        ["encoder.width=1.5"],
        ["projector.hidden=0"],
        ["projector.hiden=8"],
        ["loss.temperature=-1"],
        ["loss.temperature=warm"],
        ["loss.temprature=0.5"],
        ["optimizer.lr=0"],
        ["train.epochs=3", "train.steps=4"],
        ["optimizer.use=adam"],
        ["train.checkpoint_every=10 minutes"],
        ["train.wamup=1"],
        ["augment.0.size=0"],
        ["augment.0.use=crop"],
        ["evaluate.0.k=0"],
        ["evaluate.0.kk=3"],
        ["evaluate.0.labels_per_class=[]"],
        ["evaluate.0.labels_per_class=[10, 10]"],
        ["sweep.gird.seed=[1]"],
    ],
    ids=str,
)
def test_it_refuses_what_the_checker_refuses(schema, registry, small_recipe, write_recipe, sets):
    from coview import load_recipe
    from coview.errors import RecipeError

    with pytest.raises(RecipeError):
        load_recipe(write_recipe(), sets=sets, registry=registry)
    assert not schema.is_valid(with_sets(small_recipe, *sets))
