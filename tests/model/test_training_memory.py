"""What is counted ahead is what a run comes to hold, and what does not fit is refused before it is made."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

import coview
from coview.model import training_memory
from coview.model.loss_terms import build_loss
from coview.model.parameter_groups import parameter_groups
from coview.model.topology import build_topology
from coview.model.tower import build_towers
from coview.model.training_memory import check_training_memory
from coview.train.optimizer import build_optimizer

CPU = torch.device("cpu")
MORE = """
[teacher]
momentum = 0.9

[predictor]
hidden = 24

[queue]
size = 77
"""


def bytes_held(modules):
    tensors = {id(t): t for module in modules if module for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


@pytest.fixture
def in_bytes(monkeypatch):
    """Memory of so many bytes, and messages that name bytes."""
    monkeypatch.setattr(training_memory, "gigabytes", lambda size: f"{size} bytes")
    monkeypatch.setattr(training_memory, "ANY_MACHINE_HAS", 0)

    def free(size, recipe, registry, trains_on=CPU):
        made = bytes_held([build_towers(recipe, registry), build_loss(recipe, registry, 8)])
        monkeypatch.setattr(training_memory, "free_memory", lambda: size - made)

    return free


@pytest.mark.parametrize(
    ("optimizer", "more"),
    [
        ('use = "adamw"', MORE),
        ('use = "sgd"', MORE),
        ('use = "sgd"\nmomentum = 0.0', ""),
        ('use = "lars"', "[teacher]\nstop_gradient = true"),
        ('use = "timm:lion"', ""),
    ],
)
def test_it_is_what_a_step_leaves(registry, write_recipe, small_recipe, in_bytes, optimizer, more):
    text = small_recipe.replace('use = "sgd"', optimizer) + more
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    topology = build_topology(recipe, registry)
    trained = [*topology.student.parameters(), *topology.loss.parameters()]
    made = build_optimizer(recipe, registry, parameter_groups(recipe, registry, topology.student, topology.loss))
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    made.step()
    gradients = sum(p.grad.nbytes for p in trained)
    state = sum(value.nbytes for of in made.state.values() for value in of.values() if value.ndim)
    teacher, queue = bytes_held([topology.teacher]), bytes_held([topology.queue])
    weights = bytes_held([topology.student, topology.loss])
    queue -= 16 if topology.queue else 0  # two counts
    held = weights + gradients + state + teacher + queue

    in_bytes(held, recipe, registry)
    assert build_topology(recipe, registry, trains_on=CPU)
    in_bytes(held - 1, recipe, registry)
    with pytest.raises(coview.CoviewError) as caught:
        build_topology(recipe, registry, trains_on=CPU)
    found = {name: int(size) for name, size in re.findall(r"(\w+)(?: of \S+)? (\d+) bytes", str(caught.value))}
    expected = {"weights": weights, "gradients": gradients, "state": state, "teacher": teacher, "queue": queue}
    assert f"the run needs {held} bytes of memory, and {held - 1} bytes are free" in str(caught.value)
    assert {name: size for name, size in found.items() if name in expected} == {n: s for n, s in expected.items() if s}
    assert re.match(r".*recipe.toml:\d+: encoder.use takes \d+ bytes of it", caught.value.hint)


def test_what_is_not_trained_needs_neither_gradients_nor_state(registry, write_recipe, in_bytes):
    recipe = coview.load_recipe(write_recipe(), registry=registry)
    held = bytes_held([build_topology(recipe, registry)])
    in_bytes(held, recipe, registry)
    assert build_topology(recipe, registry)
    with pytest.raises(coview.CoviewError, match="gradients"):
        build_topology(recipe, registry, trains_on=CPU)


def test_frozen_and_shared_weights_are_counted_as_such(registry, write_recipe, small_recipe, in_bytes):
    text = small_recipe.replace('use = "sgd"', 'use = "adamw"')
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    student, loss = build_towers(recipe, registry), build_loss(recipe, registry, 8)
    student.towers["image"].encoder = frozen = nn.Linear(100, 100)
    frozen.requires_grad_(False)
    student.towers["image"].projector = shared = nn.ModuleList([nn.Linear(10, 10, bias=False) for _ in range(2)])
    shared[1].weight = shared[0].weight
    in_bytes(0, recipe, registry)
    with pytest.raises(coview.CoviewError, match=f"the run needs {4 * (100 * 101 + 4 * 100)} bytes"):
        check_training_memory(recipe, student, loss, CPU, copies=2)


def test_a_queue_that_does_not_fit_beside_the_rest_is_named(call, write_recipe, small_recipe, tmp_path):
    done = call("run", write_recipe(small_recipe + f"\n[queue]\nsize = {2**63 - 1}\n"), "--out", "runs")
    assert done.status == 2
    assert re.search(r"the run needs .* GB of memory, and .* GB are free: weights .*, queue .* GB", done.err)
    assert "queue.size takes" in done.err
    assert not (tmp_path / "runs").exists()
