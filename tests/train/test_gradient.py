"""Promise 4: the gradient cache gives the gradient of the plain step, dropout on, for every loss."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import coview
from coview import Views
from coview.data.batch import Batch
from coview.model.encoder import Encoding
from coview.model.loss_terms import LossTerms, Term
from coview.model.queue import Queue
from coview.model.teacher import Teacher
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable
from coview.testing.loss_under_test import LossUnderTest
from coview.train.accelerator import make_accelerator
from coview.train.device import Precision
from coview.train.gradient import GradientOfBatch, _mix

N, D = 11, 6


class Encoder(nn.Module):
    width = 8

    def __init__(self, norm):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), norm, nn.Tanh(), nn.Dropout(0.4), nn.Linear(8, 8))

    def forward(self, batch):
        return Encoding(self.layers(batch))


class Head(nn.Sequential):
    width = D

    def __init__(self, wide):
        super().__init__(nn.Linear(wide, D), nn.Dropout(0.2))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def topology(registry, use, *, predictor=False, teacher=None, norm=None, local=False, queue=False):
    torch.manual_seed(0)
    views = 2 if not local else 4
    student = Towers(
        {"a": Tower(Encoder(norm or nn.LayerNorm(8)), Head(8), Head(D) if predictor else None)}, ("a",) * views, 2
    )
    asks = registry.parameters("loss", use).supplied
    loss = LossTerms([Term("loss", 1.0, registry.build("loss", use, supplied=dict.fromkeys(asks, D)))])
    averaged = None if teacher is None or teacher.stop_gradient else Teacher(student, teacher, 0)
    carried = Queue(16, D) if queue else None
    stops = teacher is not None and teacher.stop_gradient
    return Topology(student, loss, averaged, carried, stop_gradient=stops).double()


def batch(local=False):
    generator = torch.Generator().manual_seed(3)
    inputs = {"a": torch.randn(2 * N, 5, generator=generator)}
    small = {"a": torch.randn(2 * N, 5, generator=generator)} if local else {}
    ids = torch.arange(N)
    ids[4] = ids[9]  # a sample that is there twice
    return Batch(inputs, ids, torch.arange(N) % 3, None, None, small)


def gradients(parts, built, rows):
    precision: Precision = "fp32"
    accelerator = make_accelerator(torch.device("cpu"), precision)
    built.train()
    step = GradientOfBatch(built, built.student, accelerator, rows=rows, batch_size=N, seed=5, channels_last=False)
    found = step.add(parts, step=4, part=0, share=1.0, progress=0.25, synchronise=True)
    return {name: p.grad for name, p in built.named_parameters() if p.grad is not None}, found


def by_hand(parts, built, rows):
    """One graph over all parts, each encoded after its own seed: the plain step with the same dropout masks."""
    built.train()
    z, p = [], []
    seed = _mix(5, 4, 0, 0)
    x = parts.inputs["a"].unflatten(0, (2, N))
    small = parts.local_inputs["a"].unflatten(0, (2, N)) if parts.local_inputs else None
    pieces = torch.arange(N).tensor_split(-(-N // rows))
    for number, piece in enumerate(pieces):
        torch.manual_seed(seed + number)
        local = {} if small is None else {"a": small[:, piece].flatten(0, 1)}
        output = built.student({"a": x[:, piece].flatten(0, 1)}, local)
        z.append(output.projections)
        p.append(output.predictions)
    z, p = torch.cat(z, 1), torch.cat(p, 1)
    teacher = p[:2]
    if built.stop_gradient:
        teacher = z[:2].detach().clone()  # in memory of its own, which the student's in training is not
    queue = None if built.queue is None else built.queue.content()
    has_teacher = built.stop_gradient
    views = Views(
        p,
        teacher,
        ("a",) * len(p),
        parts.ids,
        slice(0, N),
        has_teacher=has_teacher,
        labels=parts.labels,
        progress=0.25,
    )
    if queue is not None:
        views = replace(views, queue=queue[0], queue_ids=queue[1])
    built.loss(views)["loss"].backward()
    return {name: q.grad for name, q in built.named_parameters() if q.grad is not None}


def every_loss():
    registry = coview.load_plugins()
    for component in registry.of_kind("loss"):
        if not component.is_family:
            needs = getattr(LossUnderTest(component.load(), width=D).fresh(), "needs", coview.Needs())
            if needs.tokens != "unused":  # test_gradient_of_hidden_tokens.py
                continue
            yield pytest.param(component.qualified, needs, id=component.name)


def test_looking_for_what_fits_leaves_no_trace(registry, monkeypatch):
    """A trial encodes samples there and back: batch norm, gradients and dropout are as if nobody had."""

    def tried(encode, samples, rows_of_loss, reserve, device):
        assert (samples, rows_of_loss, reserve) == (N, 2 * N, 5.0)
        encode(2)
        encode(5)
        return 4

    def outcome(look):
        built = topology(registry, "nt_xent", norm=nn.BatchNorm1d(8)).train()
        accelerator = make_accelerator(torch.device("cpu"), "fp32")
        of = None if look else 4
        step = GradientOfBatch(built, built.student, accelerator, rows=of, batch_size=N, seed=5, channels_last=False)
        if look:
            assert step.divide(batch(), 5.0) == 4
            assert all(parameter.grad is None for parameter in built.parameters())
        step.add(batch(), step=4, part=0, share=1.0, progress=0.25, synchronise=True)
        return [*(p.grad for p in built.parameters()), *built.buffers()]

    monkeypatch.setattr("coview.train.gradient.part_that_fits", tried)
    for found, expected in zip(outcome(look=True), outcome(look=False), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("use", "needs"), every_loss())
@pytest.mark.parametrize(("rows", "stops"), [(1, False), (4, False), (4, True)])
def test_the_cache_gives_the_gradient_of_the_plain_step(registry, use, needs, rows, stops):
    teacher = TeacherTable(stop_gradient=True) if needs.teacher or stops else None
    options = {
        "predictor": needs.predictor,
        "teacher": teacher,
        "local": needs.local_views,
        "queue": needs.queue == "required",
    }
    parts = batch(local=needs.local_views)
    plain = by_hand(parts, topology(registry, use, **options), rows)
    cached, _ = gradients(parts, topology(registry, use, **options), rows)
    assert cached.keys() == plain.keys()
    for name, expected in plain.items():
        assert torch.allclose(cached[name], expected, rtol=0, atol=1e-10), name
    assert max(gradient.abs().max() for gradient in plain.values()) > 1e-6


def test_a_part_as_large_as_the_batch_is_the_plain_step(registry):
    plain, _ = gradients(batch(), topology(registry, "nt_xent"), None)
    cached, _ = gradients(batch(), topology(registry, "nt_xent"), 100)
    assert all(torch.equal(cached[name], expected) for name, expected in plain.items())


def test_running_statistics_are_taken_once_for_each_part(registry):
    built = topology(registry, "nt_xent", norm=nn.BatchNorm1d(8))
    gradients(batch(), built, 4)
    norm = built.student.encoder("a").layers[1]
    assert norm.num_batches_tracked == 3  # of 4, 4 and 3 samples
    reference = topology(registry, "nt_xent", norm=nn.BatchNorm1d(8))
    by_hand(batch(), reference, 4)
    assert torch.allclose(norm.running_mean, reference.student.encoder("a").layers[1].running_mean, atol=1e-12)


def test_a_teacher_gets_no_gradient_and_its_projections_are_the_target(registry):
    built = topology(registry, "info_nce", teacher=TeacherTable(momentum=0.9), queue=True)
    found_gradients, found = gradients(batch(), built, None)
    assert not any(name.startswith("teacher") for name in found_gradients)
    assert found.views.teacher.shape == (2, N, D)
    assert not found.views.teacher.requires_grad
    assert found.views.queue.shape == (0, D)


def test_two_terms_add_up_with_their_weights(registry):
    generator = torch.Generator().manual_seed(1)
    views = Views.of(torch.randn(2, N, D, generator=generator))
    first, second = registry.build("loss", "nt_xent"), registry.build("loss", "info_nce")
    outputs = LossTerms([Term("nt_xent", 2.0, first), Term("info_nce", 0.5, second)])(views)
    assert outputs["loss"] == pytest.approx(float(2 * first(views) + 0.5 * second(views)), abs=1e-12)
    assert float(outputs["loss/nt_xent"]) == pytest.approx(float(first(views)), abs=1e-12)
    assert float(outputs["loss/info_nce"]) == pytest.approx(float(second(views)), abs=1e-12)


@pytest.mark.parametrize("trained", [False, True])
def test_a_frozen_encoder_encodes_each_part_once(registry, monkeypatch, trained):
    """And the gradient is that of the plain step; an encoder that is trained has to encode twice."""
    calls = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, value: calls.append(len(value)) or forward(self, value))

    def built():
        made = topology(registry, "nt_xent", predictor=False)
        encoder = made.student.encoder("a")
        if not trained:
            encoder.requires_grad_(False)
        train = made.train

        def to_training(mode=True):
            train(mode)
            encoder.train(mode and trained)
            return made

        made.train = to_training
        return made

    plain, cached = built(), built()
    gradients(batch(), plain, None)
    calls.clear()
    gradients(batch(), cached, 4)
    assert len(calls) == (6 if trained else 3), "eleven samples in parts of four"
    assert sum(calls) == (4 if trained else 2) * N
    if not trained:
        expected = {name: q.grad for name, q in plain.student.named_parameters() if q.grad is not None}
        found = {name: q.grad for name, q in cached.student.named_parameters() if q.grad is not None}
        assert found.keys() == expected.keys()
        assert all(name.startswith("towers.a.projector") for name in found)
        dropped = [module for module in cached.student.modules() if isinstance(module, nn.Dropout)]
        assert dropped
    assert not any(tower._kept for tower in cached.student.towers.values())
