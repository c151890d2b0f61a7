import pytest

import coview
from coview import load_recipe
from coview.errors import RecipeError
from coview.plugins.duration import Duration
from coview.recipe.comparison import is_comparison_of_several, load_comparison
from coview.recipe.load import load_cells
from coview.recipe.moved_keys import MOVED
from coview.recipe.shipped import recipe_files
from coview.recipe.snapshot import to_toml


def mistakes_of(path, registry, **options):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry=registry, **options)
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


def test_the_small_recipe_is_valid_and_has_every_default(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry)
    assert recipe.view_modalities == ("image", "image")
    assert recipe.tables["optimizer"] == {
        "use": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False,
    }  # fmt: skip
    assert recipe.tables["schedule"] == {"use": "cosine", "warmup": 0, "warmup_start": 0.0, "end": 0.0}
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
[optimizer]
use = "sgd"
lr = 1
[schedule]
wamup = 3
[train]
epochs = "3"
batch_size = 0
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
        "17: schedule.wamup:": 'did you mean "warmup"?',
        "19: train.epochs:": 'has to be an integer, got "3"',
        "20: train.batch_size:": "got 0",
        "23: evaluate.0.k:": "got 20.5",
        "24: evalute:": 'did you mean "evaluate"?',
    }
    for start, says in expected.items():
        assert any(line.startswith(start) and says in line for line in found), (start, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["train.epochs=3", "train.steps=4"], "both epochs and steps"),
        (["optimizer.lr=nan"], "optimizer.lr"),
        (["train.batch_size=1"], "nt_xent needs at least 2 samples"),
        (["data.views=1"], "nt_xent needs 2 views"),
        (["data.views={text = 2}"], "the data has image"),
        (["loss.use=video/nt_xent"], 'no plugin "video" is installed'),
        (["train.checkpoint_every=10 minutes"], "train.checkpoint_every"),
        (["schedule.warmup=10m"], "schedule.warmup"),
        (["schedule.warmup_start=1.5"], "schedule.warmup_start: has to be"),
        (["schedule.warmup_start=-0.1"], "schedule.warmup_start: has to be"),
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
@pytest.mark.parametrize("key", ["schedule.warmup", "train.checkpoint_every"])
@pytest.mark.parametrize("unit", ["steps", "epochs", "h"])
def test_lengths_that_no_run_has_are_refused(write_recipe, registry, key, amount, unit):
    (mistake,) = mistakes_of(write_recipe(), registry, overrides={key: f"{amount} {unit}"})
    assert f"{key}: is not of the right form" in mistake


WHOLE = ("schedule.warmup", "train.checkpoint_every", "train.steps", "train.accumulate")


@pytest.mark.parametrize("key", [*WHOLE, "optimizer.lr", "optimizer.weight_decay", "train.clip_norm"])
def test_numbers_that_no_training_has_are_refused(write_recipe, registry, key):
    (mistake,) = mistakes_of(write_recipe(), registry, overrides={key: 2**63 - 1 if key in WHOLE else 1e308})
    assert f"{key}: has to be" in mistake


FORMER = """[train]
optimizer = "lars"
lr = 0.3
momentum = 0.8
trust_coefficient = 0.02
weight_decay = 1e-6
schedule = "constant"
warmup = "2 epochs"
"""


def test_keys_that_have_moved_are_read_with_a_warning(write_recipe, small_recipe, registry):
    before = small_recipe.replace('[optimizer]\nuse = "sgd"\nlr = 0.05\n', "").replace("[train]\n", FORMER)
    now = {
        "optimizer": {"use": "lars", "lr": 0.3, "momentum": 0.8, "trust_coefficient": 0.02, "weight_decay": 1e-6},
        "schedule": {"use": "constant", "warmup": "2 epochs", "warmup_start": 0.0},
    }
    recipe = load_recipe(write_recipe(before), registry=registry)
    path = write_recipe(small_recipe, "now.toml")
    assert recipe.hash == load_recipe(path, registry=registry, overrides=now).hash
    lines = before.splitlines()
    assert list(recipe.warnings) == [
        f"{recipe.path}:{1 + lines.index(line)}: train.{key} is now {'.'.join(place)}: write {place[1]} in the table "
        f"[{place[0]}]"
        for (_, key), place in MOVED.items()
        for line in lines
        if line.startswith(f"{key} = ") and key != "betas" and line in FORMER
    ]
    assert len(recipe.warnings) == 7


def test_what_a_former_run_wrote_out_is_read(write_recipe, small_recipe, registry):
    """With the settings of all optimisers, and the default one."""
    former = "[train]\nlr = 0.05\nbetas = [0.9, 0.999]\ntrust_coefficient = 0.001\nmomentum = 0.9\n"
    before = small_recipe.replace('[optimizer]\nuse = "sgd"\nlr = 0.05\n', "").replace("[train]\n", former)
    assert (
        load_recipe(write_recipe(before), registry=registry).hash
        == load_recipe(write_recipe(small_recipe, "now.toml"), registry=registry).hash
    )


def test_a_moved_key_overrides_that_of_the_file(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry, sets=["train.lr=0.3"])
    assert recipe.tables["optimizer"]["lr"] == 0.3
    assert recipe.warnings == ("--set: train.lr is now optimizer.lr: write lr in the table [optimizer]",)
    (mistake,) = mistakes_of(write_recipe(), registry, sets=["train.lr=0"])
    assert mistake.startswith("--set: optimizer.lr: has to be greater than 0")


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("3", "optimizer.group: has to be an array of tables"),
        ("[{lr_scale = 2.0}]", "optimizer.group.0.match: is missing"),
        ('[{match = "*"}]', "optimizer.group.0: sets nothing for what it matches"),
        ('[{match = "*", lr = 1.0}]', "optimizer.group.0.lr: lr_scale multiplies the learning rate of a group"),
        (
            '[{match = "*", initial_accumulator_value = 0.1}]',
            "optimizer.group.0.initial_accumulator_value: Adagrad starts all parameters alike",
        ),
        ('[{match = "*", weight_decy = 1.0}]', 'unknown key, did you mean "weight_decay"?'),
        (
            '[{match = "*", weight_decay = -1.0}]',
            "optimizer.group.0.weight_decay: has to be greater than or equal to 0",
        ),
        ('[{match = "*", betas = [0.9, 0.9]}]', "optimizer.group.0.betas: unknown key"),
        ('[{match = "*", lr_scale = 0.0}]', "optimizer.group.0.lr_scale: has to be greater than 0"),
        ('[{match = "*", layer_decay = 1.5}]', "optimizer.group.0.layer_decay: has to be less than or equal to 1"),
        ('[{match = "*", freeze = "10m"}]', "optimizer.group.0.freeze: is not of the right form"),
        ('[{match = "*", schedule = "cosin"}]', 'optimizer.group.0.schedule.use: unknown schedule "cosin"'),
        ('[{match = "*", schedule = {use = "step"}}]', "optimizer.group.0.schedule.at: is missing"),
    ],
)
def test_what_is_wrong_with_a_group_is_said(write_recipe, registry, group, says):
    (mistake,) = mistakes_of(write_recipe(), registry, sets=[f"optimizer.group={group}"])
    assert says in mistake


def test_mistakes_of_several_groups_are_all_said(write_recipe, registry):
    groups = '[{match = "*", lr = 1.0}, {match = "*", nesterv = true}]'
    assert len(mistakes_of(write_recipe(), registry, sets=[f"optimizer.group={groups}"])) == 2


def test_a_recipe_that_trains_needs_an_optimizer(write_recipe, small_recipe, registry):
    text = small_recipe.replace('[optimizer]\nuse = "sgd"\nlr = 0.05\n', "")
    assert text != small_recipe
    (mistake,) = mistakes_of(write_recipe(text), registry)
    assert 'optimizer: is missing; such as [optimizer] with use = "adamw" and lr = 0.001' in mistake
    assert load_recipe(write_recipe(text), registry=registry, sets=["train.steps=0"]).optimizer is None


def test_groups_resolve_to_themselves(write_recipe, registry):
    groups = '[{match = "*", schedule = "constant", weight_decay = 0.1}, {match = "encoder.*", freeze = "1 epoch"}]'
    recipe = load_recipe(write_recipe(), registry=registry, sets=[f"optimizer.group={groups}"])
    again = load_recipe(write_recipe(to_toml(recipe.tables), "resolved.toml"), registry=registry)
    assert again.hash == recipe.hash
    schedules = [group.schedule for group in recipe.optimizer.groups]
    assert [group.schedule for group in again.optimizer.groups] == schedules
    assert schedules[0].use == "constant"
    assert schedules[1] is None


@pytest.mark.parametrize("unit", ["steps", "epochs"])
def test_the_longest_lengths_can_be_counted_in_steps(write_recipe, registry, unit):
    recipe = load_recipe(write_recipe(), registry=registry, overrides={"schedule.warmup": f"{'9' * 12} {unit}"})
    per_epoch = 10**6
    expected = (10**12 - 1) * (per_epoch if unit == "epochs" else 1)
    assert Duration.parse(recipe.schedule.settings.warmup).in_steps(per_epoch) == pytest.approx(expected, rel=1e-12)


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

    assert of() == of("name=other", "data.workers=2", "train.keep=9", "train.log_every=1", "optimizer.lr=0.050")
    assert len({of(), of("optimizer.lr=0.06"), of("seed=4"), of("loss.temperature=0.4"), of("evaluate.0.k=6")}) == 5


def test_a_setting_without_effect_is_a_warning(write_recipe, registry):
    recipe = load_recipe(write_recipe(), registry=registry, sets=["teacher={stop_gradient=true, momentum=0.9}"])
    assert "teacher.momentum has no effect" in recipe.warnings[0]
    path = write_recipe()
    assert load_recipe(path, registry=registry, sets=["schedule={warmup=1, warmup_start=0.1}"]).warnings == ()
    (warning,) = load_recipe(path, registry=registry, sets=["schedule.warmup_start=0.1"]).warnings
    assert "schedule.warmup_start has no effect without a warm" in warning
    (warning,) = load_recipe(path, registry=registry, sets=["train.clip_norm_of=each"]).warnings
    assert warning == "--set: train.clip_norm_of has no effect without train.clip_norm"
    assert load_recipe(path, registry=registry, sets=["train.clip_norm=1.0", "train.clip_norm_of=each"]).warnings == ()


def test_a_sweep_expands_to_valid_cells(write_recipe, small_recipe, registry):
    sweep = '[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\nseed = [0, 1, 2]\n[[sweep.zip]]\n"optimizer.lr" = 0.1\n"train.batch_size" = 64\n'
    recipe = load_recipe(write_recipe(small_recipe + sweep), registry=registry)
    cells = [cell for _, cell in load_cells(recipe, registry)]
    assert len(cells) == 6
    assert [(c.loss[0].parameters["temperature"], c.seed) for c in cells] == [
        (t, s) for t in (0.1, 0.5) for s in range(3)
    ]
    assert {(c.optimizer.parameters["lr"], c.train.batch_size) for c in cells} == {(0.1, 64)}
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
