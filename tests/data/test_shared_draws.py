"""What views of a sample share, and what samples of a batch share: equal to what a loop draws that seeds by hand."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
import torch

import coview
from coview import Rng, Sample
from coview.data.augmented_rows import AugmentedRows
from coview.data.building import build_batch_steps, build_view_maker
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.views import PipelineStep, ViewMaker


def grow(value, rng):
    return [*value, rng.numpy.random(), rng.python.random(), rng.seed32()]


def once(value, rng):
    return [*value, rng.of_view().numpy.random(), rng.of_view().numpy.random(), rng.numpy.random()]


class Values:
    """Twenty samples of two modalities."""

    splits = ("train",)
    modalities = ("a", "b")
    classes = None
    citation = licence = version = ""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return Sample({"a": [float(index)], "b": [float(-index)]}, id=index + 100)


class Listed:
    def collate(self, values):
        return torch.tensor(values, dtype=torch.float64)


def step(position, augmentation=grow, drawn_as=None):
    return PipelineStep(position, augmentation, drawn_as)


def test_without_it_views_are_what_they_were():
    """A hash of views that were made before anything could be shared."""
    pipelines = ((step(0), step(2)), (step(0),), (step(1),))
    maker = ViewMaker(5, ("a", "a", "b"), pipelines, 2)
    made = [maker(Sample({"a": [1.0], "b": [2.0]}, id=f"id-{i}"), epoch, Rng()) for epoch in (0, 3) for i in range(3)]
    digest = hashlib.sha256(repr(made).encode()).hexdigest()
    assert digest == "b8ace1894d3df50def7364dd41038dc095d014b6510bbfae7127b94cdbefc0b8"


# ---- in workers ----------------------------------------------------------------------------------------------------

# of "a" the first step is shared by all, the second each view's own, the third shared; "b" has one of its own
SHARED = ViewMaker(
    5,
    ("a", "a", "b", "b"),
    ((step(0, drawn_as=0), step(1), step(2, drawn_as=0)),) * 2 + ((step(0, drawn_as=2), step(1, once)),) * 2,
    4,
)


def by_hand(row, epoch, batch, view):
    """The view, by NumPy's Philox at keys that are written out."""

    def draws(view, position):
        return grow([], Rng(5, epoch, row + 100, view, position))

    if view < 2:
        return [float(row), *draws(0, 0), *draws(view, 1), *draws(0, 2)]
    once, own = (
        np.random.Generator(np.random.Philox(key=np.array([5, key], np.uint64), counter=[0, 1, view, epoch]))
        for key in (2**63 + batch, row + 100)
    )
    return [float(-row), *draws(2, 0), *once.random(2), own.random()]


def loaded(workers=0, start=0, rank=0, ranks=1):
    batches = RankBatches(Order(20, 6, seed=5), start, 7, rank, ranks)
    found = view_loader(Values(), SHARED, {"a": Listed(), "b": Listed()}, batches, workers=workers)
    return [{name: batch.inputs[name].unflatten(0, (2, -1)) for name in "ab"} for batch in found]


def test_shared_draws_are_those_of_the_first_view_and_others_each_views_own():
    for number, batch in enumerate(loaded()):
        epoch, in_epoch = divmod(number, 3)
        rows = Order(20, 6, 5).epoch(epoch)[6 * in_epoch :][:6]
        for view, place in itertools.product(range(4), range(6)):
            found = batch["ab"[view // 2]][view % 2, place].tolist()
            assert found == by_hand(int(rows[place]), epoch, in_epoch, view)


@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_workers_and_ranks_and_any_start_give_the_same(workers):
    whole = loaded()
    for found, expected in zip(loaded(workers, start=4), whole[4:], strict=True):
        assert all(found[name].equal(expected[name]) for name in "ab")
    parts = loaded(workers, rank=0, ranks=2), loaded(workers, rank=1, ranks=2)
    for one, other, expected in zip(*parts, whole, strict=True):
        assert all(torch.cat([one[name], other[name]], 1).equal(expected[name]) for name in "ab")


def test_what_shared_steps_make_at_the_beginning_is_made_once():
    calls = []

    def note(value, rng):
        calls.append(value)
        return grow(value, rng)

    pipeline = (step(0, note, 0), step(1, note, 0), step(2, note), step(3, note, 0))
    ViewMaker(5, ("a", "a", "a"), (pipeline, pipeline, (pipeline[1],)), 3)(Sample({"a": [1.0]}, id=1), 0, Rng())
    assert len(calls) == 2 + 2 * 2 + 1  # the third view lacks the first step, and so has none of its results


def test_previews_share_too():
    def rows(view, drawn_as):
        return AugmentedRows(Values(), "b", [3, 4], [step(0, drawn_as=drawn_as), step(1)], seed=7, view=view)

    for row in range(2):
        first, other = rows(0, 2)[row]["b"], rows(1, 2)[row]["b"]
        assert first[:4] == other[:4] == [*first[:1], *grow([], Rng(7, 0, int(103 + row), 2, 0))]
        assert first[4:] != other[4:]
        assert rows(0, None)[row]["b"][:4] != rows(1, None)[row]["b"][:4]


# ---- in recipes ----------------------------------------------------------------------------------------------------

STEPS = """
[[augment]]
use = "random_resized_crop"
size = 8
{on}{shared}
[[augment]]
use = "random_flip"
{on}
[encoder]"""


@pytest.fixture
def read(write_recipe, small_recipe):
    def read(shared="", on="", steps=STEPS):
        before = '[[augment]]\nuse = "random_resized_crop"\nsize = 8\n\n[encoder]'
        assert before in small_recipe
        text = small_recipe.replace(before, steps.format(shared=shared, on=on))
        return coview.load_recipe(write_recipe(text))

    return read


def test_it_is_part_of_the_recipe_and_its_hash(read):
    apart, said, shared = read(), read("shared = false\n"), read("shared = true\n")
    assert apart.hash == said.hash != shared.hash
    assert [step["shared"] for step in shared.tables["augment"]] == [True, False]


@pytest.mark.parametrize(
    ("given", "views"), [("", (0, 0)), ('views = "global"\n', (0, 0)), ("views = [1]\n", (None, 1))]
)
def test_the_first_of_its_views_is_what_all_of_them_draw(read, registry, given, views):
    maker = build_view_maker(read(f"shared = true\n{given}"), registry)
    crops = [
        [step.drawn_as for step in pipeline if type(step.augmentation).__name__ == "RandomResizedCrop"]
        for pipeline in maker.pipelines
    ]
    assert [found[-1] if found else None for found in crops] == list(views)
    assert all(pipeline[-1].drawn_as is None for pipeline in maker.pipelines)


def test_it_holds_on_the_device_too(read, registry):
    steps = build_batch_steps(read("shared = true\n", 'on = "device"\n'), registry)
    assert [step.drawn_as for step in steps] == [0, None]


def test_pictures_of_a_recipe_are_one_crop(read, registry):
    digits = registry.build("dataset", "digits", supplied={"split": "train"})
    steps = '\n[[augment]]\nuse = "random_resized_crop"\nsize = 8\n{shared}\n[encoder]'
    for shared in (False, True):
        maker = build_view_maker(read(f"shared = {str(shared).lower()}\n", steps=steps), registry)
        pairs = [maker(digits[row], 0, Rng()) for row in range(8)]
        assert all((one == other).all() for one, other in pairs) is shared


def test_a_step_in_the_encoder_cannot_share(write_recipe):
    recipe = """schema = 1
name = "x"
[data]
use = "newsgroups"
[[augment]]
use = "dropout_views"
shared = true
[encoder]
use = "text_transformer"
[loss]
use = "nt_xent"
[optimizer]
use = "sgd"
lr = 0.1
[train]
steps = 1
batch_size = 4
"""
    message = (
        r"recipe.toml:7: augment.0.shared: dropout_views works in the encoder, which draws for each view by itself"
    )
    with pytest.raises(coview.RecipeError, match=message):
        coview.load_recipe(write_recipe(recipe))
