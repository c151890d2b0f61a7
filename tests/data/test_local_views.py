"""Multi-crop: local views have a pipeline of their own, are collated apart, and only the student sees them."""

import torch

from coview import load_recipe
from coview.data.building import build_dataset, build_modalities, build_view_maker
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.model.token_task import Part
from coview.model.topology import Taught, build_topology

MULTI_CROP = """\
schema = 1
name = "crops"

[data]
use = "digits"
views = 2
local_views = 3
workers = 0

[[augment]]
use = "random_resized_crop"
size = 12
views = "global"

[[augment]]
use = "random_resized_crop"
size = 6
views = "local"

[[augment]]
use = "random_flip"
views = [1]

[encoder]
use = "resnet18"
stem = "small"
width = 8

[projector]
hidden = 8
width = 5

[teacher]

[loss]
use = "LOSS"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = 2
batch_size = 4
"""


def first_batch(recipe, registry):
    dataset = build_dataset(recipe.data, "train", registry)
    maker, modalities = build_view_maker(recipe, registry), build_modalities(recipe, registry)
    batches = RankBatches(Order(len(dataset), 4, recipe.seed), 0, 1)
    return maker, next(iter(view_loader(dataset, maker, modalities, batches, workers=0)))


def local_loss(registry):
    return next(
        c.name
        for c in registry.of_kind("loss")
        if getattr(getattr(c.load(), "needs", None), "local_views", False) and not c.load().needs.predictor
    )


def test_views_take_the_steps_that_are_for_them(write_recipe, registry):
    recipe = load_recipe(write_recipe(MULTI_CROP.replace("LOSS", local_loss(registry))), registry=registry)
    maker, batch = first_batch(recipe, registry)
    assert [[step.position for step in pipeline] for pipeline in maker.pipelines] == [[0], [0, 2], [1], [1], [1]]
    assert batch.inputs["image"].shape == (2 * 4, 3, 12, 12)
    assert batch.local_inputs["image"].shape == (3 * 4, 3, 6, 6)


def test_the_student_sees_all_views_and_the_teacher_the_global_ones(write_recipe, registry):
    recipe = load_recipe(write_recipe(MULTI_CROP.replace("LOSS", local_loss(registry))), registry=registry)
    _, batch = first_batch(recipe, registry)
    topology = build_topology(recipe, registry).eval()
    student = topology.student(batch.inputs, batch.local_inputs)
    assert student.projections.shape == (5, 4, 5)
    teacher_GND = topology.teacher(batch.inputs, 4, 0)
    assert teacher_GND.shape == (2, 4, 5)
    # equal weights, evaluation mode: the same input gives the same projection, in the order of the views
    assert torch.allclose(student.projections[:2], teacher_GND, atol=1e-6)
    tower = topology.student.towers["image"]
    third_local = tower([Part(batch.local_inputs["image"][8:12], None)])[0]
    assert torch.allclose(student.projections[4], third_local, atol=1e-6)
    views = topology.views(student, Taught(teacher_GND, None), batch, 0.5)
    assert views.student.shape == (5, 4, 5)
    assert views.teacher.shape == (2, 4, 5)
    assert views.progress == 0.5
