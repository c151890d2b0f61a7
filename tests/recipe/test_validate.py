import pytest

import coview
from coview.api import load_recipe
from coview.errors import RecipeError
from coview.recipe.comparison import is_comparison_of_several, load_comparison
from coview.recipe.duration import Duration
from coview.recipe.load import load_cells
from coview.recipe.shipped import recipe_files
from coview.recipe.snapshot import to_toml


def mistakes_of(path, registry, **options):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry=registry, **options)
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


def test_the_small_recipe_is_valid_and_has_every_default(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry)
    assert recipe.view_modalities == ("image", "image")
    assert recipe.tables["train"]["optimizer"] == "sgd"
    assert recipe.tables["encoder"]["channels"] == 3
    assert recipe.train.steps == 6


def test_all_mistakes_come_at_once_with_line_and_suggestion(write_recipe, registry):
    path = write_recipe("""\
schema = 1
name = "x/y"
[data]
use = "digitz"
[encoder]
use = "resnet18"
stem = "tiny"
[projector]
hidden = -1
[loss]
use = "nt_xent"
temprature = 0.5
[train]
epochs = "3"
batch_size = 0
lr = 1
wamup = 3
[[evaluate]]
use = "knn"
k = 20.5
[evalute]
""")
    found = mistakes_of(path, registry)
    expected = {
        "2: name:": "letters, digits",
        "4: data.use:": 'did you mean "digits"',
        "7: encoder.stem:": "'imagenet' or 'small', got \"tiny\"",
        "9: projector.hidden:": "greater than or equal to 1, got -1",
        "12: loss.temprature:": 'unknown key, did you mean "temperature"?',
        "14: train.epochs:": 'has to be an integer, got "3"',
        "15: train.batch_size:": "got 0",
        "17: train.wamup:": 'did you mean "warmup"?',
        "20: evaluate.0.k:": "got 20.5",
        "21: evalute:": 'did you mean "evaluate"?',
    }
    for start, says in expected.items():
        assert any(line.startswith(start) and says in line for line in found), (start, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["train.epochs=3", "train.steps=4"], "both epochs and steps"),
        (["train.lr=nan"], "train.lr"),
        (["train.batch_size=1"], "nt_xent needs at least 2 samples"),
        (["data.views=1"], "nt_xent needs 2 views"),
        (["data.views={text = 2}"], "the data has image"),
        (["loss.use=video/nt_xent"], 'no plugin "video" is installed'),
        (["train.checkpoint_every=10 minutes"], "train.checkpoint_every"),
        (["train.warmup=10m"], "train.warmup"),
        (["schema=2"], "schema"),
        (["seed=-1"], "seed"),
        (["seed=1979-05-27"], "seed"),
        (["encoder.image.use=resnet18", "encoder.use=resnet18"], "encoder.image"),
        (["augment={}"], "array of tables"),
        (["evaluate=3"], "evaluate"),
        (["loss=3"], "loss"),
    ],
)
def test_what_is_wrong_is_said(write_recipe, registry, sets, says):
    assert any(says in line for line in mistakes_of(write_recipe(), registry, sets=sets))


@pytest.mark.parametrize("amount", ["9" * 400, "9" * 13, "1." + "9" * 400])
@pytest.mark.parametrize("key", ["train.warmup", "train.checkpoint_every"])
@pytest.mark.parametrize("unit", ["steps", "epochs", "h"])
def test_lengths_that_no_run_has_are_refused(write_recipe, registry, key, amount, unit):
    (mistake,) = mistakes_of(write_recipe(), registry, overrides={key: f"{amount} {unit}"})
    assert f"{key}: is not of the right form" in mistake


@pytest.mark.parametrize(
    "key",
    ["warmup", "checkpoint_every", "steps", "accumulate", "lr", "weight_decay", "clip_norm", "trust_coefficient"],
)
def test_numbers_that_no_training_has_are_refused(write_recipe, registry, key):
    whole = key in ("warmup", "checkpoint_every", "steps", "accumulate")
    (mistake,) = mistakes_of(write_recipe(), registry, overrides={f"train.{key}": 2**63 - 1 if whole else 1e308})
    assert f"train.{key}: has to be" in mistake


@pytest.mark.parametrize("unit", ["steps", "epochs"])
def test_the_longest_lengths_can_be_counted_in_steps(write_recipe, registry, unit):
    recipe = load_recipe(write_recipe(), registry=registry, overrides={"train.warmup": f"{'9' * 12} {unit}"})
    per_epoch = 10**6
    expected = (10**12 - 1) * (per_epoch if unit == "epochs" else 1)
    assert Duration.parse(recipe.train.warmup).in_steps(per_epoch) == pytest.approx(expected, rel=1e-12)


def test_a_mistake_in_an_override_is_located_there(write_recipe, registry):
    assert mistakes_of(write_recipe(), registry, sets=["loss.temperature=-1"])[0].startswith("--set: loss.temperature")
    assert mistakes_of(write_recipe(), registry, overrides={"seed": -1})[0].startswith("overrides: seed")


def test_the_resolved_recipe_resolves_to_itself(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry)
    again = load_recipe(write_recipe(to_toml(recipe.tables), "resolved.toml"), registry=registry)
    assert again.tables == recipe.tables
    assert again.hash == recipe.hash


def test_the_hash_is_of_what_can_change_a_result(write_recipe, registry):
    path = write_recipe()

    def of(*sets):
        return load_recipe(path, registry=registry, sets=sets).hash

    assert of() == of("name=other", "data.workers=2", "train.keep=9", "train.log_every=1", "train.lr=0.050")
    assert len({of(), of("train.lr=0.06"), of("seed=4"), of("loss.temperature=0.4"), of("evaluate.0.k=6")}) == 5


def test_a_setting_without_effect_is_a_warning(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry, sets=["train.betas=[0.9, 0.99]"])
    assert "train.betas has no effect" in recipe.warnings[0]


def test_a_sweep_expands_to_valid_cells(write_recipe, small_recipe, registry):
    sweep = '[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\nseed = [0, 1, 2]\n[[sweep.zip]]\n"train.lr" = 0.1\n"train.batch_size" = 64\n'
    recipe = load_recipe(write_recipe(small_recipe + sweep), registry=registry)
    cells = [cell for _, cell in load_cells(recipe, registry)]
    assert len(cells) == 6
    assert [(c.loss[0].parameters["temperature"], c.seed) for c in cells] == [
        (t, s) for t in (0.1, 0.5) for s in range(3)
    ]
    assert {(c.train.lr, c.train.batch_size) for c in cells} == {(0.1, 64)}
    assert len({cell.hash for cell in cells}) == 6


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        ("[sweep.grid]\nseed = []\n", "no values"),
        ("[sweep.grid]\nseed = [1]\n[[sweep.zip]]\nseed = 1\n", "both in grid and in zip"),
        ("[sweep.grid]\nseed = 1\n", "sweep.grid.seed"),
        ("[sweep]\ngird = {}\n", 'did you mean "grid"'),
    ],
)
def test_a_wrong_sweep_is_said(write_recipe, small_recipe, registry, sweep, says):
    assert any(says in line for line in mistakes_of(write_recipe(small_recipe + sweep), registry))


def test_a_cell_that_is_no_recipe_names_its_values(write_recipe, small_recipe, registry):
    recipe = load_recipe(
        write_recipe(small_recipe + '[sweep.grid]\n"loss.temperature" = [0.1, -1]\n'), registry=registry
    )
    with pytest.raises(coview.RecipeError, match=r"sweep loss.temperature=-1"):
        load_cells(recipe, registry)


def test_every_shipped_recipe_is_valid(registry):
    from conftest import RECIPES

    paths = list(recipe_files(RECIPES))
    assert paths
    for path in paths:
        load = load_comparison if is_comparison_of_several(path) else load_recipe
        load(path, registry=registry)
