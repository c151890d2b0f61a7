"""A teacher that has an encoder of its own: its rows are what that encoder makes, with its own batches."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import coview
from coview.data.batch import some_samples
from coview.data.building import build_collators, build_view_maker
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.errors import RecipeError
from coview.model.encoder_hooks import collators
from coview.model.topology import build_topology
from coview.train.checkpoint import tensors_of


class Tokens(nn.Module):
    """An encoder that makes its batches itself: the pictures' rows, times a number."""

    def __init__(self, *, width: int = 7, scale: float = 1.0):
        super().__init__()
        self.width, self.scale = width, scale
        self.linear = nn.Linear(64, width)
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(width)

    def collate(self, values):
        flat = [np.asarray(value, dtype=np.float32).reshape(-1)[:64] for value in values]
        return {"rows": self.scale * torch.from_numpy(np.stack(flat))}

    def forward(self, batch):
        return coview.Encoding(self.norm(self.dropout(self.linear(batch["rows"]))))


class Fitted(Tokens):
    def fit(self, values):
        pass


class SeesBoth(nn.Module):
    """A loss that keeps what it has seen."""

    needs = coview.Needs(teacher=True, teacher_width="any")
    seen: ClassVar[list[coview.Views]] = []

    def forward(self, views):
        self.seen.append(views)
        return views.student.square().mean()


@pytest.fixture
def registry():
    mine = coview.Registrar("mine")
    mine.encoder("tokens", f"{__name__}:Tokens", modality="image", summary="rows")
    mine.encoder("fitted", f"{__name__}:Fitted", modality="image", summary="rows")
    mine.loss("sees_both", f"{__name__}:SeesBoth", summary="keeps its views")
    return coview.load_plugins().plus(mine)


TEACHER = '\n[teacher.encoder]\nuse = "tokens"\nwidth = 7\nscale = 3.0\n'


@pytest.fixture
def write(write_recipe, small_recipe, registry):
    def write(more=TEACHER, *, loss="sees_both", encoder='use = "tokens"\nwidth = 5'):
        before, _, after = small_recipe.partition("[encoder]\n")
        text = f"{before}[encoder]\n{encoder}\n\n{after[after.index('[') :]}"
        return write_recipe(text.replace('use = "nt_xent"', f'use = "{loss}"') + more)

    return write


def test_its_rows_are_what_its_encoder_makes_of_its_own_batches(write, registry):
    recipe = coview.load_recipe(write(), registry=registry)
    dataset = registry.build("dataset", "digits", supplied={"split": "train"})
    topology = build_topology(recipe, registry).train()
    batch = next(
        view_loader(
            dataset,
            build_view_maker(recipe, registry),
            collators(build_collators(recipe, registry), topology.student),
            RankBatches(Order(len(dataset), 6, 0), 0, 1),
            workers=0,
            taught_by=topology.collators_of_teacher(),
        )
    )
    torch.testing.assert_close(batch.taught_inputs["image"]["rows"], 3 * batch.inputs["image"]["rows"])
    rows_GND = topology.taught(batch, 0).projections
    encoder = topology.outside.encoder
    assert not encoder.training
    expected = encoder.linear(3 * batch.inputs["image"]["rows"]) / (1 + encoder.norm.eps) ** 0.5
    torch.testing.assert_close(rows_GND, expected.unflatten(0, (2, 6)), atol=1e-6, rtol=1e-5)
    assert not rows_GND.requires_grad
    part = topology.taught(some_samples(batch, slice(2, 5)), 0).projections
    torch.testing.assert_close(part, rows_GND[:, 2:5])


@pytest.mark.parametrize("sets", [(), ("train.grad_cache=16",), ("data.workers=2",)])
def test_a_run_shows_the_loss_its_rows_and_leaves_its_weights(write, registry, tmp_path, sets):
    SeesBoth.seen.clear()
    recipe = coview.load_recipe(write(), sets=["train.steps=3", *sets], registry=registry)
    before = build_topology(recipe, registry).outside.state_dict()
    run = coview.run(recipe, tmp_path / "run", registry=registry, quiet=True)
    after = tensors_of(run.checkpoint.path)
    assert {name for name in after if name.startswith("outside.")} == {f"outside.{name}" for name in before}
    assert all(torch.equal(after[f"outside.{name}"], tensor) for name, tensor in before.items())
    views = SeesBoth.seen[-1]
    assert views.has_teacher
    assert (views.teacher.shape[0], views.teacher.shape[2]) == (2, 7)
    assert views.student.shape[:2] == views.teacher.shape[:2]
    assert views.teacher.std() > 0


def test_the_student_is_what_a_run_gives(write, registry, tmp_path):
    recipe = coview.load_recipe(write(), sets=["train.steps=2"], registry=registry)
    run = coview.run(recipe, tmp_path / "run", registry=registry, quiet=True)
    for encoder in (run.encoder, coview.load_run(run.path, registry=registry).encoder):
        assert isinstance(encoder, Tokens)
        assert encoder.width == 5


def test_the_student_is_what_it_would_be_without(write, registry, tmp_path):
    """Its weights are drawn before, and nothing that the teacher draws comes between."""
    recipes = [
        coview.load_recipe(write(more), sets=["train.steps=3"], registry=registry)
        for more in (TEACHER, "\n[teacher]\nstop_gradient = true\n")
    ]
    one, other = (
        tensors_of(coview.run(recipe, tmp_path / str(n), registry=registry, quiet=True).checkpoint.path)
        for n, recipe in enumerate(recipes)
    )
    assert all(torch.equal(one[name], other[name]) for name in other if name.startswith("student."))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loss": "info_nce"}, "the teacher's rows have 7 numbers and the student's 8, and info_nce compares them"),
        ({"more": TEACHER.replace("tokens", "fitted")}, '"fitted" starts untrained, and a teacher is not trained'),
        ({"encoder": 'use = "resnet18"\nstem = "small"'}, '"tokens" takes other batches than the student'),
    ],
)
def test_what_does_not_go_is_said_with_its_line(write, registry, options, said):
    recipe = coview.load_recipe(write(**options), registry=registry)
    with pytest.raises(coview.CoviewError, match=said) as caught:
        build_topology(recipe, registry)
    assert f"{recipe.path}:" in caught.value.message


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (TEACHER.replace("width = 7", "widht = 7"), "teacher.encoder.widht: "),
        (TEACHER.replace("tokens", "tokns"), "teacher.encoder.use: "),
        ("\n[teacher]\nstop_gradient = true\n" + TEACHER, "teacher.stop_gradient: cannot be true"),
    ],
)
def test_mistakes_in_its_table_are_found_when_the_recipe_is_read(write, registry, more, said):
    with pytest.raises(RecipeError, match=said):
        coview.load_recipe(write(more), registry=registry)


def test_its_table_is_in_the_resolved_recipe_and_nothing_of_an_average(write, registry):
    recipe = coview.load_recipe(write("\n[teacher]\nmomentum = 0.9\n" + TEACHER), registry=registry)
    assert recipe.tables["teacher"] == {"encoder": {"use": "tokens", "width": 7, "scale": 3.0}}
    assert [note for note in recipe.warnings if "teacher.momentum has no effect beside an encoder" in note]
    with pytest.raises(RecipeError, match="teacher"):
        coview.load_recipe(write(), sets=["schedule.'teacher.momentum'.end=1.0"], registry=registry)


def test_prefixes_of_the_projections_leave_its_rows_whole(write, registry, tmp_path):
    SeesBoth.seen.clear()
    recipe = coview.load_recipe(write(), sets=["train.steps=1", "loss.prefixes=[2,4]"], registry=registry)
    coview.run(recipe, tmp_path / "run", registry=registry, quiet=True)
    assert [views.student.shape[2] for views in SeesBoth.seen] == [2, 4]
    assert [views.teacher.shape[2] for views in SeesBoth.seen] == [7, 7]
