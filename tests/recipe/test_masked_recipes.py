"""What is wrong with ``[mask]``, ``[decoder]`` and ``[target]`` is said with the line, all of it at once."""

from __future__ import annotations

import pytest

import coview
from coview.experiment.trial import try_out

RECIPE = """\
schema = 1
name = "masked"
[data]
use = "digits"
views = 1
LOCAL
[modality]
channels = 1
size = 8
[encoder]
ENCODER
[mask]
use = "random"
ratio = 0.5
MASK
[decoder]
DECODER
[target]
TARGET
[loss]
use = "LOSS"
[optimizer]
use = "sgd"
lr = 0.1
[train]
steps = 2
batch_size = 8
"""
AS_IT_IS = {
    "LOCAL": "",
    "ENCODER": 'use = "vit"\nimage_size = 8\npatch = 2\nwidth = 8\nlayers = 1\nheads = 2\nchannels = 1',
    "MASK": "",
    "DECODER": "",
    "TARGET": "",
    "LOSS": "token_mse",
}


def text(**changes):
    made = RECIPE
    for name, value in (AS_IT_IS | changes).items():
        made = made.replace(name, value)
    return made


def line_of(recipe, words):
    return next(number for number, line in enumerate(recipe.splitlines(), 1) if line.startswith(words))


@pytest.mark.parametrize(
    ("changes", "at", "key", "said"),
    [
        ({"MASK": 'hide = "drp"'}, 'hide = "drp"', "mask.hide", "has to be 'replace' or 'drop'"),
        ({"MASK": 'hide = "drop"\nkept = 0.1'}, "kept", "mask.kept", "what is dropped is not seen at all"),
        ({"MASK": "kept = 0.6\nswapped = 0.5"}, "[mask]", "mask", "1.1 together: nothing is hidden"),
        ({"MASK": "views = [3]"}, "views = [3]", "mask.views", "there is no view 3: they are 0 to 0"),
        ({"MASK": 'views = "local"'}, 'views = "local"', "mask.views", "there are no local views"),
        ({"DECODER": 'use = "transfomer"'}, 'use = "transfomer"', "decoder.use", 'did you mean "transformer"?'),
        ({"TARGET": 'normalise = "patch"'}, "normalise", "target.normalise", "'none' or 'token'"),
        (
            {"TARGET": 'use = "teacher_tokens"'},
            'use = "teacher_tokens"',
            "target.use",
            "needs a teacher that is a moving",
        ),
        (
            {"TARGET": 'use = "teacher_tokens"\n[teacher]\nstop_gradient = true'},
            'use = "teacher_tokens"',
            "target.use",
            "needs a teacher that is a moving average",
        ),
        (
            {"LOCAL": "local_views = 1", "MASK": 'views = "all"', "TARGET": 'use = "teacher_tokens"\n[teacher]'},
            'views = "all"',
            "mask.views",
            "the teacher does not see the local views",
        ),
        (
            {"TARGET": 'use = "teacher_tokens"\n[teacher]\nshuffle_groups = 2'},
            "shuffle_groups",
            "teacher.shuffle_groups",
            "all of a teacher's tokens at once",
        ),
        (
            {"LOSS": "nt_xent", "LOCAL": "", "DECODER": 'use = "mlp"'},
            "[decoder]",
            "decoder",
            "no loss sees hidden tokens",
        ),
    ],
)
def test_a_mistake_is_said_with_its_line(write_recipe, registry, changes, at, key, said):
    recipe = text(**changes)
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(write_recipe(recipe), registry=registry)
    found = [mistake for mistake in caught.value.mistakes if mistake.path == key]
    assert len(found) == 1
    assert said in found[0].message
    assert found[0].where.endswith(f":{line_of(recipe, at)}")


def test_all_of_them_are_said_at_once(write_recipe, registry):
    recipe = text(MASK='hide = "drp"', DECODER='use = "transfomer"', TARGET='normalise = "patch"')
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(write_recipe(recipe), registry=registry)
    assert [mistake.path for mistake in caught.value.mistakes] == ["mask.hide", "decoder.use", "target.normalise"]


def test_hidden_tokens_need_a_mask_and_the_other_tables_too(write_recipe, registry):
    recipe = text(DECODER='use = "mlp"').replace('[mask]\nuse = "random"\nratio = 0.5\n', "")
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(write_recipe(recipe), registry=registry)
    said = {mistake.path: mistake.message for mistake in caught.value.mistakes}
    assert said["loss.use"].startswith("token_mse needs hidden tokens: add [mask]")
    assert said["decoder"] == "no token is hidden: add [mask], or remove this table"


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        (
            {"ENCODER": 'use = "resnet18"\nchannels = 1\nwidth = 2'},
            "[mask]",
            'mask: the encoder "resnet18" takes no mask',
        ),
        (
            {"LOSS": "token_cross_entropy"},
            'use = "token_cross_entropy"',
            "loss.use: token_cross_entropy is a loss of hidden tokens",
        ),
        (
            {"DECODER": 'use = "ibot_head"'},
            'use = "ibot_head"',
            "decoder.use: ibot_head makes predictions of 8192 numbers",
        ),
        (
            {"TARGET": 'use = "teacher_decoder"\n[teacher]'},
            "[decoder]",
            'linear takes its width from the target, and "teacher_decoder" has none',
        ),
        ({"DECODER": 'use = "own"'}, "[decoder]", 'decoder "own": ViT has no head of its own'),
        (
            {"MASK": "swapped = 0.1"},
            "swapped",
            'mask.swapped: the encoder "vit" has no other token to put in its place',
        ),
    ],
)
def test_what_only_the_model_shows_is_said_before_a_run(write_recipe, registry, changes, at, said):
    recipe = text(**changes)
    with pytest.raises(coview.CoviewError) as caught:
        try_out(coview.load_recipe(write_recipe(recipe), registry=registry), registry)
    assert said in caught.value.message
    assert f"recipe.toml:{line_of(recipe, at)}: " in caught.value.message


@pytest.mark.parametrize(
    ("mask", "patch", "said"),
    [
        ('use = "span"\nratio = 0.5', 2, "span hides runs of tokens in a row"),
        ('use = "random"\nratio = 0.5', 8, "it hides nothing of a sample of 1 token"),
    ],
)
def test_a_mask_that_the_tokens_do_not_suit_is_said_before_a_run(write_recipe, registry, mask, patch, said):
    recipe = text().replace('use = "random"\nratio = 0.5', mask).replace("patch = 2", f"patch = {patch}")
    with pytest.raises(coview.CoviewError) as caught:
        try_out(coview.load_recipe(write_recipe(recipe), registry=registry), registry)
    assert said in caught.value.message
    assert "mask.use" in caught.value.message


def test_a_recipe_of_hidden_tokens_alone_has_no_projector(write_recipe, registry):
    recipe = coview.load_recipe(write_recipe(text()), registry=registry)
    assert recipe.projector["image"].use == "identity"
    assert recipe.tables["decoder"] == {"use": "linear"}
    assert recipe.tables["target"] == {"use": "input", "normalise": "none"}
    assert try_out(recipe, registry).endswith("projections 1 × 4 × 8")
