"""Which modalities a term of the loss sees, and what each mistake is told."""

import pytest

import coview
from coview.errors import RecipeError
from triples import RECIPE, registry


@pytest.fixture
def check(write_recipe):
    def check(text=RECIPE, *sets):
        return coview.load_recipe(write_recipe(text), sets=sets, registry=registry())

    return check


def mistakes(check, text):
    with pytest.raises(RecipeError) as raised:
        check(text)
    lines = text.splitlines()
    return [
        (mistake.path, mistake.message, lines[int(mistake.where.rpartition(":")[2]) - 1])
        for mistake in raised.value.mistakes
    ]


def test_a_term_keeps_what_it_names(check):
    recipe = check()
    assert [term.settings.between for term in recipe.loss] == [("picture", "caption"), ("picture", "sound")]
    assert recipe.tables["loss"][0]["between"] == ["picture", "caption"]
    plain = check(RECIPE.replace('between = ["picture", "caption"]\n', ""))
    assert "between" not in plain.tables["loss"][0]
    assert plain.hash != recipe.hash


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('["picture", "captoin"]', 'the views are of picture and caption and sound, and none is of "captoin", did you'),
        ('["picture", "picture"]', 'names "picture" twice'),
        ('["picture"]', "clip needs 2 views of each sample in picture together, got 1"),
        ("[]", "with at least 1 entry, got []"),
        ("3", "has to be"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(check, given, message):
    text = RECIPE.replace('["picture", "caption"]', given)
    path, said, line = mistakes(check, text)[0]
    assert (path, line) == ("loss.0.between", f"between = {given}")
    assert message in said


def test_one_modality_with_two_views_is_enough(check):
    text = RECIPE.replace("views = 1", "views = { picture = 2, caption = 1, sound = 1 }")
    recipe = check(text.replace('["picture", "caption"]', '["picture"]'))
    assert recipe.loss[0].settings.between == ("picture",)


def test_a_loss_of_at_most_two_views_takes_two_of_three_modalities(check):
    text = RECIPE.replace('use = "clip"', 'use = "gist"') + "\n[teacher]\nmomentum = 0.99\n"
    assert check(text).loss[0].settings.between == ("picture", "caption")
    path, said, _ = mistakes(check, text.replace('between = ["picture", "caption"]\n', ""))[0]
    assert path == "data.views"
    assert said == "gist takes at most 2 views of each sample, got 3"


def test_roles_are_looked_for_among_the_views_that_a_term_sees(check):
    views = 'views = { picture = ["question"], caption = ["other"], sound = ["answer"] }'
    text = RECIPE.replace("views = 1", views).replace('use = "clip"', 'use = "finds_roles"')
    assert "none is answer" in mistakes(check, text)[0][1]
    assert check(text.replace('["picture", "caption"]', '["picture", "sound"]')).roles == (
        "question",
        "other",
        "answer",
    )


def test_a_recipe_of_one_modality_has_no_other(write_recipe, small_recipe):
    text = small_recipe.replace('use = "nt_xent"', 'use = "nt_xent"\nbetween = ["text"]')
    with pytest.raises(RecipeError, match='the views are of image, and none is of "text"'):
        coview.load_recipe(write_recipe(text))
