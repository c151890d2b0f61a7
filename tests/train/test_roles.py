"""A loss finds views by what the recipe calls them, wherever they stand."""

import pytest
import torch

import coview
from answers import RECIPE, FindsRoles, registry
from coview.testing.examples import example_views
from coview.train.checkpoint import tensors_of

BY_ROLE = RECIPE.replace('use = "finds"', 'use = "finds_roles"').replace(
    "views = 1", 'views = { question = ["question"], answer = ["answer"] }'
)


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(text, *sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(text), sets=sets, registry=found)
        run = coview.run(recipe, tmp_path / name, registry=found, quiet=True)
        return tensors_of(run.checkpoint.path)

    return trained


def test_by_name_is_bit_for_bit_by_number(trained):
    by_number, by_name = trained(RECIPE), trained(BY_ROLE, name="by_name")
    assert all(torch.equal(tensor, by_name[name]) for name, tensor in by_number.items())


def test_names_are_what_counts_and_not_the_order(trained):
    """The loss is not symmetric: from the question to the answers."""
    names = 'question = ["{}"], answer = ["{}"]'
    swapped = trained(BY_ROLE.replace(names.format("question", "answer"), names.format("answer", "question")))
    assert not torch.equal(
        swapped["student.towers.question.encoder.layers.0.weight"],
        trained(BY_ROLE, name="plain")["student.towers.question.encoder.layers.0.weight"],
    )


def test_the_gradient_cache_and_a_teacher_leave_the_names(trained):
    plain = trained(BY_ROLE, "teacher.momentum=0.9")
    assert FindsRoles.seen == ("question", "answer")
    cached = trained(BY_ROLE, "teacher.momentum=0.9", "train.grad_cache=5", name="cached")
    assert FindsRoles.seen == ("question", "answer")
    for name, tensor in plain.items():
        assert torch.allclose(tensor, cached[name], atol=1e-5), name


def test_a_name_that_is_not_there_is_a_message():
    views = coview.Views.of(torch.zeros(2, 3, 4), roles=("user", "item"))
    assert (views.role("user"), views.role("item")) == (0, 1)
    with pytest.raises(coview.CoviewError, match='no view is called "other": they are called user and item'):
        views.role("other")
    with pytest.raises(coview.CoviewError, match='no view is called "user": none has a name'):
        coview.Views.of(torch.zeros(2, 3, 4)).role("user")
    with pytest.raises(ValueError, match="roles has to name 2 views, got 1"):
        coview.Views.of(torch.zeros(2, 3, 4), roles=("user",))


def test_the_conformance_kit_gives_a_loss_its_roles():
    assert example_views(FindsRoles.needs, views=3).roles == ("question", "answer", "")
    assert example_views(coview.Needs()).roles == ()
