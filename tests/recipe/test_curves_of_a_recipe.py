"""What a recipe says of curves: what has none is refused with file and line, and what changes nothing is not hashed."""

from __future__ import annotations

import pytest

import coview


@pytest.mark.parametrize(
    ("evaluate", "keep_best", "says"),
    [
        (
            'use = "knn"\nevery = "0 epochs"',
            "",
            r':39: evaluate\.0\.every: has to be more than nothing, .*got "0 epochs"',
        ),
        ('use = "knn"\nevery = 0', "", r":39: evaluate\.0\.every: has to be an integer from 1"),
        ('use = "knn"\nevery = "10m"', "", r':39: evaluate\.0\.every: is not of the right form .*got "10m"'),
        ('use = "cost"\nevery = 2', "", r":39: evaluate\.0\.every: cost takes the encoder itself"),
        ('use = "robustness"\nevery = 2', "", r":39: evaluate\.0\.every: robustness takes the encoder itself"),
        (
            'use = "knn"\nevery = 2\n[[evaluate]]\nuse = "knn"\nk = 3\nevery = 2',
            "",
            r":43: evaluate\.1\.every: another knn has it already",
        ),
        ('use = "knn"', "knn/accuracy", r":36: train\.keep_best: no evaluator measures while training"),
        (
            'use = "knn"\nevery = 2\n[[evaluate]]\nuse = "clustering"',
            "clustering/nmi",
            r":36: train\.keep_best: has to be a number of an evaluator with every.*those with every: knn",
        ),
    ],
)
def test_what_has_no_curve_is_refused_with_file_and_line(
    evaluate, keep_best, says, write_recipe, small_recipe, registry
):
    text = small_recipe.split("[[evaluate]]")[0].rstrip() + "\n"
    line = f'keep_best = "{keep_best}"\n' if keep_best else "keep = 2\n"
    with pytest.raises(coview.RecipeError, match=says):
        coview.load_recipe(write_recipe(f"{text}{line}[[evaluate]]\n{evaluate}\n"), registry=registry)


WITH_CURVES = ('use = "knn"', 'use = "knn"\nevery = "2 epochs"')


def test_curves_change_nothing_that_is_computed_and_not_the_hash(write_recipe, small_recipe, registry):
    plain = coview.load_recipe(write_recipe(small_recipe), registry=registry)
    text = small_recipe.replace(*WITH_CURVES).replace("log_every = 2", 'log_every = 2\nkeep_best = "knn/accuracy"')
    with_curves = coview.load_recipe(write_recipe(text), registry=registry)
    assert with_curves.hash == plain.hash
    assert with_curves.tables["evaluate"][0]["every"] == "2 epochs"
    assert with_curves.tables["train"]["keep_best"] == "knn/accuracy"
    assert "every" not in plain.tables["evaluate"][0]
    other = coview.load_recipe(write_recipe(text), registry=registry, sets=["evaluate.0.k=7"])
    assert other.hash != plain.hash


def test_a_recipe_of_no_step_says_that_curves_have_no_effect(write_recipe, small_recipe, registry):
    text = small_recipe.replace(*WITH_CURVES).replace("log_every = 2", 'log_every = 2\nkeep_best = "knn/accuracy"')
    recipe = coview.load_recipe(write_recipe(text), registry=registry, sets=["train.steps=0"])
    assert [warning.split(".toml")[1] for warning in recipe.warnings] == [
        ":40: evaluate.0.every has no effect where train.steps is 0",
        ":35: train.keep_best has no effect where train.steps is 0",
    ]
    assert "every" not in recipe.tables["evaluate"][0]
    assert recipe.evaluate[0].every is None
