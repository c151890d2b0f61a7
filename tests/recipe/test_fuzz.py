"""No recipe, however broken, gives anything but a recipe or a list of located mistakes."""

import datetime
import math
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SMALL
from coview import load_recipe
from coview.errors import RecipeError
from coview.recipe.json_schema import recipe_schema
from coview.recipe.load import load_cells
from coview.recipe.recipe import Recipe


def fuzz(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


ODD_LINES = st.sampled_from(
    [
        "seed = 1979-05-27",
        "seed = 07:32:00",
        "seed = 9223372036854775808",
        "seed = 0x" + "f" * 5000,
        "lr = nan",
        "lr = -inf",
        "lr = 1e999",
        "width = true",
        'use = "timm:"',
        'use = "albumentations:Posterize"',
        'use = ":"',
        'use = "/"',
        "use = 3",
        '"²" = 1',
        '"a.b" = 1',
        '"" = 0',
        '"0" = 0',
        "x.y.z = [[], {}, [1, 'a']]",
        "a" + ".a" * 1500 + " = 1",
        "deep = " + "[" * 40 + "]" * 40,
        "[data]",
        "[[data]]",
        "[[train]]",
        "[augment]",
        "[augment.image]",
        "[[augment.image]]",
        "[encoder.image]",
        "[[encoder]]",
        "[evaluate.0]",
        "[sweep]",
        "[sweep.grid]",
        "[[sweep.zip]]",
        "[sweep.grid.seed]",
        '"sweep.seed" = [1]',
        '"a b" = [1, 2]',
        '"train" = [1, 2]',
        '"optimizer.lr" = [0.1, "x"]',
        "seed = [" + "1," * 200 + "]",
        'extends = "recipe.toml"',
        'extends = "none.toml"',
        'extends = "\\u0000"',
        'views = {image = 2, "ü" = 1}',
        "views = {}",
        "\ufeff",
        "\t",
        "'''",
        "]",
        "=",
        "# a comment",
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 300),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(
            ["nt_xent", "digits", "mlp", "image", "all", "auto", "10 epochs", "1h", datetime.date(2020, 1, 1)]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def check(text, registry, **options):
    """Loads a text, and holds what comes of it to the promise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            recipe = load_recipe(path, registry=registry, **options)
            load_cells(recipe, registry)
        except RecipeError as error:
            mistakes = error.mistakes
        else:
            assert isinstance(recipe, Recipe)
            assert len(recipe.hash) == 64
            return recipe
    assert mistakes
    for mistake in mistakes:
        assert mistake.where, mistake
        assert mistake.message, mistake
        str(mistake).encode()
    return None


KEYS = st.sampled_from(
    [
        "seed", "data.use", "data.views", "augment", "augment.0", "augment.0.use", "augment.5.p", "encoder", "encoder.use",
        "encoder.image.use", "projector", "projector.width", "loss.use", "loss.x", "train", "optimizer.lr", "schedule.warmup",
        "evaluate", "evaluate.0.k", "evaluate.²", "callback", "callback.0.use", "sweep.grid.seed", "sweep.zip", "modality.size", "modality.image.size",
        "name", "extends", "schema", "a." * 100 + "a",
    ]
)  # fmt: skip
RIGHT_SIDES = st.sampled_from(
    [
        "1", "-1", "0.5", "nan", "[]", "{}", "{use = 'x'}", "[{}]", "[1, 2]", "true", "''", "1979-05-27", "timm:resnet18",
        "nt_xent", "albumentations:Blur", "hf:/nowhere", "9" * 30, "{image = {}}",
    ]
)  # fmt: skip


@st.composite
def broken_lines(draw):
    lines = SMALL.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1)) if lines else 0
        action = draw(st.sampled_from(["delete", "insert", "replace", "duplicate", "move", "cut"]))
        if action == "insert" or not lines:
            lines.insert(at, draw(ODD_LINES))
        elif action == "delete":
            del lines[at]
        elif action == "replace":
            key = lines[at].partition(" = ")[0]
            odd = draw(ODD_LINES)
            lines[at] = f"{key} = {odd.partition(' = ')[2]}" if " = " in odd and draw(st.booleans()) else odd
        elif action == "duplicate":
            lines.insert(at, lines[at])
        elif action == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        else:
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
    return "\n".join(lines)


@fuzz(120)
@given(text=broken_lines())
def test_a_recipe_with_broken_lines(registry, text):
    check(text, registry)


@st.composite
def paths_of(draw, table):
    """A path to some value of a nested table."""
    path, value = [], table
    while isinstance(value, dict | list) and value and (not path or draw(st.booleans())):
        key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        path.append(key)
        value = value[key]
    return path


def put(table, path, value):
    *parents, last = path
    for key in parents:
        table = table[key]
    table[last] = value


def without_none(value):
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value if item is not None]
    return value


@st.composite
def other_values(draw):
    table = tomllib.loads(SMALL)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(paths_of(table))
        put(table, path, draw(VALUES))
    return without_none(table)


@fuzz(150)
@given(table=other_values())
def test_a_recipe_with_other_values(registry, table):
    check(tomli_w.dumps(table), registry)


@fuzz(100)
@given(
    sets=st.lists(
        st.one_of(st.text(max_size=20), st.builds("{}={}".format, KEYS, RIGHT_SIDES)),
        max_size=3,
    )
)
def test_a_recipe_with_any_set(registry, sets):
    check(SMALL, registry, sets=sets)


@fuzz(60)
@given(
    overrides=st.dictionaries(
        st.sampled_from(["seed", "optimizer.lr", "a b", "augment", "loss", "ü", ""]), VALUES, max_size=3
    )
)
def test_a_recipe_with_any_override_from_python(registry, overrides):
    check(SMALL, registry, overrides=overrides)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, {1, 2}, b"x", "\ud800", 2**64, complex(1)], ids=lambda value: type(value).__name__
)
def test_an_override_that_toml_has_not_is_a_mistake(write_recipe, registry, value):
    with pytest.raises(RecipeError, match="overrides"):
        load_recipe(write_recipe(), overrides={"loss.temperature": value}, registry=registry)


def test_a_path_from_python_is_one(write_recipe, registry, tmp_path):
    overrides = {"data": {"use": "image_folder", "root": tmp_path}, "augment": ()}
    assert load_recipe(write_recipe(), overrides=overrides, registry=registry).data.parameters["root"] == str(tmp_path)


# ---- the JSON Schema and the checker are two readers of the same constructors -----------------------------------


@pytest.fixture(scope="module")
def valid_by_schema(registry):
    return jsonschema.Draft202012Validator(recipe_schema(registry)).is_valid


LEAVES = [
    ("schema",), ("seed",), ("data", "views"), ("data", "workers"), ("data", "test_fraction"), ("data", "split_seed"),
    ("augment", 0, "size"), ("augment", 0, "scale"), ("augment", 0, "ratio"), ("encoder", "stem"),
    ("encoder", "width"), ("encoder", "channels"), ("projector", "hidden"), ("projector", "layers"),
    ("projector", "batch_norm"), ("loss", "temperature"), ("train", "steps"), ("optimizer", "lr"),
    ("optimizer", "momentum"), ("optimizer", "nesterov"), ("optimizer", "use"), ("optimizer", "group"),
    ("optimizer", "nothing"), ("schedule", "warmup"), ("schedule", "end"), ("schedule", "use"),
    ("train", "checkpoint_every"), ("train", "compile"),
    ("train", "precision"), ("evaluate", 0, "k"), ("evaluate", 0, "temperature"), ("evaluate", 0, "labels_per_class"),
    ("evaluate", 0, "draws"), ("evaluate", 0, "use"), ("loss", "use"), ("encoder", "use"), ("augment", 0, "use"),
    ("projector", "use"), ("modality", "size"), ("nothing",), ("data", "nothing"), ("augment", 0, "nothing"),
    ("encoder", "nothing"), ("projector", "nothing"), ("loss", "nothing"), ("train", "nothing"),
    ("evaluate", 0, "nothing"), ("modality", "nothing"), ("sweep", "nothing"),
]  # fmt: skip
JSON_VALUES = st.one_of(
    st.booleans(),
    st.integers(-2, 70),
    st.floats(-2, 70).map(lambda x: math.floor(x) + 0.25),  # 2.0 is an integer to JSON Schema, and none to TOML
    st.sampled_from(["", "x", "all", "auto", "small", "10 epochs", "10 minutes", "1h", "bf16"]),
    st.lists(st.sampled_from([0.25, 0.5, 3, "all", True]), max_size=3),
    st.dictionaries(st.sampled_from(["use", "image", "x"]), st.integers(0, 3), max_size=1),
)


@fuzz(200)
@given(path=st.sampled_from(LEAVES), value=JSON_VALUES)
def test_the_schema_refuses_what_the_checker_refuses(registry, valid_by_schema, path, value):
    table = tomllib.loads(SMALL)
    table.setdefault(path[0], {})
    put(table, path, value)
    accepted = check(tomli_w.dumps(table), registry) is not None
    if accepted != valid_by_schema(table):
        assert not accepted, f"the checker takes {path} = {value!r} and the schema does not"
        assert _beyond_one_value(table, path), f"the schema takes {path} = {value!r} and the checker does not"


def _beyond_one_value(table: Mapping, path: tuple) -> bool:
    """Whether what is wrong lies between several values, of which a schema for one key at a time knows nothing."""
    return path in {
        ("data", "views"),  # a contrastive loss needs two; a view of a modality that the data does not have
        ("augment", 0, "scale"),  # the smaller number first
        ("augment", 0, "ratio"),
        ("modality", "size"),
    }
