"""A comparison is read from one recipe with a sweep, or from a file that names several."""

from __future__ import annotations

import pytest

import coview
from coview.recipe.comparison import is_comparison_of_several, load_comparison

SWEEP = """
[compare]
question = "Does it matter?"
variant = "how"
metric = "knn/accuracy"

[sweep.grid]
seed = [0, 1]

[[sweep.zip]]
label = "hot"
"loss.temperature" = 1.0

[[sweep.zip]]
"loss.temperature" = 0.1
"optimizer.lr" = 0.2
"""

OF_SEVERAL = """\
schema = 1
name = "both"

[compare]
question = "Which?"
recipes = ["one.toml", "two.toml"]
variant = "loss"

[train]
steps = 3

[sweep.grid]
seed = [5]

[[sweep.zip]]
label = "a"
loss = { use = "nt_xent" }

[[sweep.zip]]
label = "b"
loss = { use = "vicreg" }
"predictor.hidden" = 4
"""


def test_a_recipe_with_a_sweep(write_recipe, small_recipe, registry):
    path = write_recipe(small_recipe + SWEEP)
    comparison = load_comparison(path, registry=registry)
    assert (comparison.name, comparison.question, comparison.metric) == ("small", "Does it matter?", "knn/accuracy")
    assert comparison.axes == {"how": ("hot", "loss.temperature=0.1, optimizer.lr=0.2"), "seed": ("0", "1")}
    assert [cell.name for cell in comparison.cells][:2] == ["hot · seed 0", "hot · seed 1"]
    assert [cell.recipe.loss[0].parameters["temperature"] for cell in comparison.cells] == [1.0, 1.0, 0.1, 0.1]
    assert [cell.recipe.seed for cell in comparison.cells] == [0, 1, 0, 1]
    assert len({cell.recipe.hash for cell in comparison.cells}) == 4
    for cell in comparison.cells:  # a cell is the recipe that one would have written by hand
        assert "sweep" not in cell.recipe.tables
        assert "compare" not in cell.recipe.tables
    assert not is_comparison_of_several(path)


def test_a_baseline_is_one_of_the_variants(write_recipe, small_recipe, registry, call):
    text = small_recipe + SWEEP.replace('variant = "how"', 'variant = "how"\nbaseline = "hott"')
    path = write_recipe(text)
    with pytest.raises(coview.CoviewError) as caught:
        load_comparison(path, registry=registry)
    line = text.splitlines().index('baseline = "hott"') + 1
    assert str(caught.value) == (
        f'{path}:{line}: compare.baseline: no variant is called "hott", did you mean "hot"? '
        "(variants: hot, loss.temperature=0.1, optimizer.lr=0.2)"
    )
    assert str(caught.value) in call("recipe", "check", path).err
    assert load_comparison(path, sets=["compare.baseline=hot"], registry=registry).baseline == "hot"
    done = call("compare", path, "--set", "compare.baseline=hot", "--baseline", "cold", "--dry-run")
    assert (done.status, 'no variant is called "cold"' in done.err) == (2, True)


def test_a_number_that_no_evaluator_measures_is_refused_before_anything_runs(write_recipe, small_recipe, call):
    path = write_recipe(small_recipe + SWEEP)
    for command in ((), ("--dry-run",)):
        done = call("compare", path, "--set", "compare.metric=kn/accuracy", *command)
        assert (done.status, done.out) == (2, "")
        assert (
            'compare.metric: no [[evaluate]] has the evaluator "kn" that could measure kn/accuracy, did you mean "knn"?'
        ) in done.err
        assert "evaluators: knn" in done.err
    assert not (path.parent / "runs").exists()
    # runs that are there may have been evaluated by others since
    assert "no cell has a finished run" in call("compare", path, "--set", "compare.metric=kn/accuracy", "--no-run").err


def test_several_recipes(write_recipe, small_recipe, registry):
    write_recipe(small_recipe, "one.toml")
    write_recipe(small_recipe.replace('name = "small"', 'name = "other"').replace("size = 8", "size = 16"), "two.toml")
    path = write_recipe(OF_SEVERAL, "both.toml")
    assert is_comparison_of_several(path)
    comparison = load_comparison(path, registry=registry)
    # both are of pictures: their names tell them apart
    assert comparison.axes == {"modality": ("small", "other"), "loss": ("a", "b"), "seed": ("5",)}
    assert comparison.question == "Which?"
    for cell in comparison.cells:
        assert cell.recipe.train.steps == 3  # the comparison's own tables are merged over each
        assert cell.recipe.loss[0].use == {"a": "nt_xent", "b": "vicreg"}[cell.levels["loss"]]
        assert bool(cell.recipe.predictor) == (cell.levels["loss"] == "b")
    by_hand = coview.load_recipe(
        path.parent / "two.toml", overrides={"train.steps": 3, "seed": 5, "loss": {"use": "nt_xent"}}, registry=registry
    )
    assert comparison.cells[2].recipe.hash == by_hand.hash
    steps = {cell.recipe.train.steps for cell in load_comparison(path, sets=["train.steps=2"], registry=registry).cells}
    assert steps == {2}


def test_an_override_of_one_of_several_recipes(write_recipe, small_recipe, registry, call):
    write_recipe(small_recipe, "one.toml")
    write_recipe(small_recipe.replace('name = "small"', 'name = "other"'), "two.toml")
    path = write_recipe(OF_SEVERAL, "both.toml")
    sets = ["optimizer.lr=0.1", "other.optimizer.lr=0.3", "other.data.use=image_folder", "other.data.root=there"]
    cells = load_comparison(path, sets=sets, registry=registry).cells
    assert {(cell.levels["modality"], cell.recipe.optimizer.parameters["lr"]) for cell in cells} == {
        ("small", 0.1),
        ("other", 0.3),
    }
    found = {cell.levels["modality"]: cell.recipe.data for cell in cells}
    assert found["small"].use == "digits"
    assert found["other"].parameters == {"root": str(path.parent / "there")}  # the current folder, which `call` sets
    done = call("compare", path, "--set", "othre.optimizer.lr=1", "--dry-run")
    assert done.status == 2
    assert 'othre: is neither a table of a recipe nor one of the compared recipes, did you mean "other"' in done.err
    assert "small.data.root=PATH for one (small, other)" in done.err
    done = call("compare", path, "--set", "other.optimizer.lrr=1", "--dry-run")
    assert "--set other: optimizer.lrr: unknown key" in done.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ('"one.toml", "two.toml"', '"one.toml", "tow.toml"'),
            r"both.toml:6: compare.recipes.1: .*tow.toml.*no such file",
        ),
        (('use = "vicreg"', 'use = "vicrge"'), r'unknown loss "vicrge", did you mean "vicreg"'),
        (("variant", "varaint"), r'both.toml:7: compare.varaint: .*did you mean "variant"'),
        (("steps = 3", "stepps = 3"), r'both.toml:10: train.stepps: unknown key, did you mean "steps"'),
        (('label = "b"', 'label = "a"'), "two entries of zip are both called 'a'"),
        (('label = "b"', "label = 3"), "a label of zip has to be a string"),
        (('name = "both"', ""), "a comparison needs a name"),
    ],
)
def test_what_is_wrong_is_said(write_recipe, small_recipe, registry, change, says):
    write_recipe(small_recipe, "one.toml")
    write_recipe(small_recipe.replace('name = "small"', 'name = "other"'), "two.toml")
    path = write_recipe(OF_SEVERAL.replace(*change), "both.toml")
    with pytest.raises(coview.RecipeError, match=says):
        load_comparison(path, registry=registry)


def test_two_recipes_of_one_name(write_recipe, small_recipe, registry):
    write_recipe(small_recipe, "one.toml")
    write_recipe(small_recipe, "two.toml")
    with pytest.raises(coview.CoviewError, match="the same modality and the same name"):
        load_comparison(write_recipe(OF_SEVERAL, "both.toml"), registry=registry)


def test_a_single_recipe_is_no_comparison(write_recipe, registry):
    with pytest.raises(coview.CoviewError, match="nothing to compare"):
        load_comparison(write_recipe(), registry=registry)


def test_the_shipped_ones_are_valid(call):
    done = call("recipe", "check", "compare/losses", "compare/losses-quick")
    assert "54 cells: 3 modality × 6 loss × 3 seed" in done.out
    assert "12 cells: 3 modality × 2 loss × 2 seed" in done.out
