"""Views by name: what they are called, who finds them by it, and what each mistake is told."""

import pytest

import coview
from answers import RECIPE, registry
from coview.errors import RecipeError
from coview.recipe.snapshot import to_toml

PICTURES = """
schema = 1
name = "roles"

[data]
use = "digits"
views = ["query", "positive"]
workers = 0

[[augment]]
use = "random_resized_crop"
size = 8
views = ["positive"]

[encoder]
use = "resnet18"
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = 2
batch_size = 16
"""


@pytest.fixture
def check(write_recipe):
    def check(text=PICTURES, *sets):
        return coview.load_recipe(write_recipe(text), sets=sets, registry=registry())

    return check


def mistakes(check, *arguments):
    with pytest.raises(RecipeError) as raised:
        check(*arguments)
    return [(mistake.path, mistake.message, mistake.where.rpartition(":")[2]) for mistake in raised.value.mistakes]


def test_names_are_numbers_for_what_makes_views(check):
    recipe = check(PICTURES, "data.local_views=1")
    assert recipe.roles == ("query", "positive", "")
    assert recipe.view_modalities == ("image",) * 3
    assert [recipe.augment["image"][0].makes(view, 2) for view in range(3)] == [False, True, False]
    assert recipe.tables["augment"][0]["views"] == [1]
    assert recipe.tables["data"]["views"] == ["query", "positive"]


def test_a_resolved_recipe_says_the_same(check, write_recipe):
    recipe = check()
    again = coview.load_recipe(write_recipe(to_toml(recipe.tables), "resolved.toml"), registry=registry())
    assert (again.tables, again.roles) == (recipe.tables, recipe.roles)


def test_a_recipe_without_names_is_as_it_was(check):
    recipe = check(PICTURES, "data.views=2", "augment.0.views=[1]")
    assert recipe.roles == ()
    assert recipe.tables["data"]["views"] == 2
    assert recipe.tables["augment"] == check().tables["augment"]


def test_names_can_be_of_some_modalities(check):
    recipe = check(RECIPE, 'data.views={question=["asks", "asks-again"], answer=1}')
    assert recipe.roles == ("asks", "asks-again", "")
    assert recipe.view_modalities == ("question", "question", "answer")


def test_a_mask_finds_views_by_name(check):
    text = PICTURES.replace(
        'use = "resnet18"\nwidth = 8', 'use = "vit"\nimage_size = 8\npatch = 2\nwidth = 8\nheads = 2'
    )
    recipe = check(text + '\n[mask]\nuse = "random"\nratio = 0.5\nviews = ["query"]\n')
    assert [recipe.mask.makes(view, 2) for view in range(2)] == [True, False]
    found = mistakes(check, text + '\n[mask]\nuse = "random"\nratio = 0.5\nviews = ["qery"]\n')
    assert [path for path, _, _ in found] == ["mask.views"]


def test_views_that_are_not_there_are_named_with_those_that_are(check):
    assert mistakes(check, PICTURES.replace('views = ["positive"]', 'views = ["positiv"]')) == [
        (
            "augment.0.views",
            'no view is called "positiv": they are called query and positive, did you mean "positive"?',
            "13",
        )
    ]
    assert mistakes(check, PICTURES, "data.views=2")[0][:2] == (
        "augment.0.views",
        'no view is called "positive": none has a name, see views in [data]',
    )
    assert mistakes(check, PICTURES.replace('views = ["positive"]', "views = [2]"))[0][:2] == (
        "augment.0.views",
        "there is no view 2: they are 0 to 1",
    )


@pytest.mark.parametrize(
    ("text", "views", "message"),
    [
        (PICTURES, '["positive", "positive"]', 'two views are called "positive"'),
        (PICTURES, '["positive", ""]', "has to"),
        (PICTURES, "[]", "at least one view is needed"),
        (RECIPE, '["asks", "answers"]', "names views, and the data has question and answer: say which are of which"),
        (RECIPE, '{question=["a"], answer=["a"]}', 'two views are called "a"'),
    ],
)
def test_names_that_are_none_are_refused(check, text, views, message):
    path, said, _ = mistakes(check, text, f"data.views={views}")[0]
    assert path.startswith("data.views")
    assert message in said


NEGATIVES = 'data.views={question=["asks"], answer=["answers", "negative"]}'


def test_a_view_of_hard_negatives_is_for_losses_that_take_them(check):
    text = RECIPE.replace('use = "finds"', 'use = "clip"')
    assert check(text, NEGATIVES).roles == ("asks", "answers", "negative")
    refused = RECIPE.replace('use = "finds"', 'use = "barlow_twins"')
    assert mistakes(check, refused, NEGATIVES)[0][:2] == (
        "data.views",
        'barlow_twins takes no hard negatives, of which "negative" is a view',
    )
    only = mistakes(check, text, 'data.views={question=["asks", "other"], answer=["negative"]}')
    assert only[0][1] == '"negative" is the only view of answer: hard negatives need another view'
    too_few = mistakes(check, text, 'data.views={question=[], answer=["answers", "negative"]}')
    assert any("clip needs 2 views of each sample, got 1" in message for _, message, _ in too_few)
    triplet = RECIPE.replace('use = "finds"', 'use = "triplet"\nmining = "views"')
    assert check(triplet, NEGATIVES).roles == ("asks", "answers", "negative")


def test_a_loss_that_needs_names_is_refused_without_them(check):
    text = RECIPE.replace('use = "finds"', 'use = "finds_roles"')
    needed = "finds_roles needs views that are called question and answer, and none is"
    assert mistakes(check, text) == [("data.views", f"{needed} question and none is answer", "8")]
    lacks = mistakes(check, text, 'data.views={question=["question"], answer=["other"]}')
    assert lacks[0][1] == f"{needed} answer"
    assert check(text, 'data.views={question=["question"], answer=["answer"]}').roles == ("question", "answer")


@pytest.mark.parametrize(
    ("roles", "error", "message"),
    [
        (["a"], TypeError, "roles has to be a tuple of names"),
        (("a", "a"), ValueError, "roles has a name twice"),
        (("a", "b", "c"), ValueError, "roles names 3 views, and views is 2"),
    ],
)
def test_needs_check_their_roles(roles, error, message):
    with pytest.raises(error, match=message):
        coview.Needs(views=2, roles=roles)
