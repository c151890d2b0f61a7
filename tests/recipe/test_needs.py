"""What a loss needs of a recipe is found at check time, with the line and the table to add."""

import pytest
from PIL import Image

import coview
from coview import load_recipe
from coview.errors import RecipeError

TEACHER = "[teacher]\nmomentum = 0.99\n"
QUEUE = "[queue]\nsize = 64\n"


@pytest.fixture
def mistakes(write_recipe, small_recipe, registry):
    def mistakes(use, more="", **replaced):
        text = small_recipe.replace('use = "nt_xent"', f'use = "{use}"')
        for old, new in replaced.values():
            text = text.replace(old, new)
        path = write_recipe(text + more)
        try:
            load_recipe(path, registry=registry)
        except RecipeError as error:
            return [str(mistake).removeprefix(f"{path}:") for mistake in error.mistakes]
        return []

    return mistakes


def test_what_is_missing_is_named_with_the_table_to_add(mistakes):
    queue, teacher = sorted(mistakes("nnclr"))
    assert queue.startswith("23: loss.use: nnclr needs a queue: add [queue], with size = ")
    assert teacher.startswith("23: loss.use: nnclr needs a teacher: add [teacher], with momentum = 0.996")
    assert mistakes("nnclr", TEACHER + QUEUE) == []
    assert mistakes("nnclr", "[teacher]\nstop_gradient = true\n" + QUEUE) == []


def test_a_queue_that_no_term_can_use(mistakes):
    (found,) = mistakes("sup_con", QUEUE)
    assert found.startswith("40: queue: no queue is used by sup_con")
    assert mistakes("nt_xent", TEACHER + QUEUE) == []


def test_local_views_for_a_loss_that_takes_none(mistakes, monkeypatch):
    monkeypatch.setattr("coview_losses.nt_xent.NTXent.needs", coview.Needs(local_views=False))
    (found,) = mistakes("nt_xent", views=('use = "digits"', 'use = "digits"\nlocal_views = 4'))
    assert found.startswith("7: data.local_views: nt_xent compares every view with every other")


def test_too_few_and_too_many_views(mistakes):
    (found,) = mistakes("nt_xent", views=('use = "digits"', 'use = "digits"\nviews = 1'))
    assert found == "7: data.views: nt_xent needs 2 views of each sample, got 1"


def test_several_losses_are_checked_one_by_one(mistakes):
    two = ('[loss]\nuse = "nt_xent"', '[[loss]]\nuse = "nt_xent"\n\n[[loss]]\nuse = "nnclr"\nweight = 0.5')
    found = mistakes("nt_xent", QUEUE, losses=two)
    assert found == [found[0]]
    assert found[0].startswith("26: loss.1.use: nnclr needs a teacher")


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ("loss = []\n", "loss: at least one loss is needed"),
        ('[[loss]]\nuse = "nt_xent"\nweight = 0\n', "loss.0.weight: has to be greater than 0, got 0"),
        ('[[loss]]\nuse = "nt_xent"\nwieght = 2\n', 'loss.0.wieght: unknown key, did you mean "weight"?'),
        ("[[loss]]\ntemperature = 2\n", "loss.0.use: is missing; it names the loss"),
    ],
)
def test_mistakes_in_an_array_of_losses(mistakes, small_recipe, losses, says):
    given = '[loss]\nuse = "nt_xent"\n'
    if losses.startswith("loss"):  # a bare key has to stand above the tables
        found = mistakes("nt_xent", a=(given, ""), b=("seed = 3", f"seed = 3\n{losses}"))
    else:
        found = mistakes("nt_xent", a=(given, losses))
    assert any(says in line for line in found), found


@pytest.mark.parametrize(
    ("views", "says"),
    [
        ("[0, 2]", "augment.0.views: there is no view 2: they are 0 to 1"),
        ('"globl"', "augment.0.views: has to be"),
        ("[-1]", "augment.0.views"),
    ],
)
def test_the_views_of_an_augmentation(mistakes, views, says):
    found = mistakes("nt_xent", views=("size = 8", f"size = 8\nviews = {views}"))
    assert any(says in line for line in found), found


def test_settings_without_effect_are_warned_of(write_recipe, small_recipe, registry):
    text = small_recipe + "[teacher]\nstop_gradient = true\nmomentum = 0.9\n"
    recipe = load_recipe(write_recipe(text), registry=registry)
    assert "teacher.momentum has no effect with stop_gradient = true" in recipe.warnings[0]


def test_a_loss_that_needs_labels_on_data_that_says_it_has_none(mistakes, monkeypatch):
    assert mistakes("sup_con") == []
    monkeypatch.setattr("coview_image.datasets.digits.Digits.labelled", False, raising=False)
    assert mistakes("sup_con") == ['23: loss.use: sup_con needs class labels, and the data "digits" has none']


def test_labels_that_only_the_data_itself_can_tell_of(call, write_recipe, small_recipe, tmp_path):
    """A flat folder of pictures has no classes, which is found before anything is trained or written."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(40):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(pictures / f"{number}.png")
    recipe = write_recipe(small_recipe.replace('use = "nt_xent"', 'use = "sup_con"'), "recipes/recipe.toml")
    for command in (("run",), ("recipe", "check", "--build")):
        done = call(*command, recipe, "--set", "data.use=image_folder", "--set", f"data.root={pictures}")
        assert done.status == 2
        assert f'{recipe}:23: loss.use: sup_con needs class labels, and the data "image_folder" has none' in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("extras", "says"), [(["user"], "a tuple of names"), (("user", ""), "a tuple"), (("a", "a"), "twice")]
)
def test_extras_are_named_by_a_tuple(extras, says):
    with pytest.raises((TypeError, ValueError), match=f"needs: extras has .*{says}"):
        coview.Needs(extras=extras)
