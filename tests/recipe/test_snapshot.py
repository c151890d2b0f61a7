"""What a run writes as its recipe can be read by every command."""

import pytest

import coview
from conftest import RECIPES
from coview.recipe.comparison import is_comparison_of_several
from coview.recipe.load import load_recipe
from coview.recipe.shipped import recipe_files
from coview.recipe.snapshot import to_toml

SINGLE = [path for path in recipe_files(RECIPES) if not is_comparison_of_several(path)]
OVERRIDES = [
    {},
    {"train.steps": 0},
    {"train.epochs": 1, "optimizer.use": "adamw", "train.accumulate": 2, "seed": 7, "name": "other"},
    {"data.views": 3},
    {"data.local_views": 2},
    {"teacher.momentum": 0.9, "queue.size": 256},
]


@pytest.mark.parametrize("path", SINGLE, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_the_snapshot_of_a_recipe_is_the_recipe(path, registry, tmp_path):
    """With any override that the recipe takes: a run's folder is made of it, and every command reads it."""
    written = tmp_path / "recipe.toml"
    taken = 0
    for values in OVERRIDES:
        try:
            recipe = load_recipe(path, registry, sets=[f"{key}={_toml(value)}" for key, value in values.items()])
        except coview.RecipeError:  # this recipe does not take it
            continue
        taken += 1
        written.write_text(to_toml(recipe.tables), encoding="utf-8")
        again = load_recipe(written, registry)
        assert again.tables == recipe.tables, values
        assert again.hash == recipe.hash, values
    assert taken >= 2, "with no override, and with no step"


def _toml(value):
    return f'"{value}"' if isinstance(value, str) else str(value)
