"""With ``train.batch_norm = "per_view"`` each view goes through the model by itself, as a loop by hand has it."""

import copy
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity
from torchvision.models import resnet18

import coview
from coview.builtin.projectors import MLP
from coview.data.batch import Batch
from coview.model.context import InContext
from coview.model.loss_terms import LossTerms, Term
from coview.model.teacher import Teacher
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from ragged import MeanOfRagged, RaggedGraphs
from ring import Around

N, D = 6, 8


@cache
def two_stages():
    """The stem and the first two stages of torchvision's ResNet-18, which have every kind of its layers."""
    network = resnet18()
    network.layer3, network.layer4, network.fc = (nn.Identity() for _ in range(3))
    return network


class Encoder(nn.Module):
    """A ResNet of torchvision's."""

    width = 128

    def __init__(self):
        super().__init__()
        self.network = copy.deepcopy(two_stages())

    def forward(self, batch):
        return coview.Encoding(self.network(batch))


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def towers(*, views=2, global_views=2, predictor=True, apart=True, encoder=None):
    torch.manual_seed(0)
    encoder = encoder or Encoder()
    projector = MLP(encoder.width, hidden=16, width=D, last_batch_norm=True)
    tower = Tower(encoder, projector, MLP(D, hidden=16, width=D) if predictor else None)
    return Towers({"image": tower}, ("image",) * views, global_views, apart=apart)


def topology(registry, table, **options):
    student = towers(**options)
    loss = LossTerms([Term("loss", 1.0, registry.build("loss", "negative_cosine"))])
    teacher = None if table.stop_gradient else Teacher(student, table, 0)
    return Topology(student, loss, teacher, stop_gradient=table.stop_gradient)


def pictures(views=2, size=32, seed=1):
    return torch.randn(views * N, 3, size, size, generator=torch.Generator().manual_seed(seed))


def batch(x, local=None):
    return Batch({"image": x}, torch.arange(N), None, None, None, {} if local is None else {"image": local})


def step(built, given, rows=None, share=1.0):
    built.train()
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    gradient = GradientOfBatch(built, built.student, accelerator, rows=rows, batch_size=N, seed=5, channels_last=False)
    return gradient.add(given, step=0, part=0, share=share, progress=0.0, synchronise=True)


def gradients(module):
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def assert_alike(found, expected, tolerance=1e-9):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name].double(), tensor.double(), rtol=0, atol=tolerance), name


def negative(p_ND, z_ND):
    return -cosine_similarity(p_ND, z_ND, dim=1).mean()


def test_it_is_simsiams_two_forward_passes(registry):
    """Loss, gradients and running statistics of the two passes of its authors' code."""
    built = topology(registry, TeacherTable(stop_gradient=True))
    tower = copy.deepcopy(built.student.towers["image"]).train()
    found = step(built, batch(x := pictures()))
    z1, z2 = (tower.projector(tower.encoder(view).pooled_ND) for view in x.chunk(2))
    p1, p2 = tower.predictor(z1), tower.predictor(z2)
    loss = (negative(p1, z2.detach()) + negative(p2, z1.detach())) / 2
    loss.backward()
    assert float(found.outputs["loss"]) == pytest.approx(loss.item(), abs=1e-12)
    assert_alike(gradients(built.student.towers["image"]), gradients(tower))
    assert_alike(dict(built.student.towers["image"].named_buffers()), dict(tower.named_buffers()))
    assert next(b for n, b in built.student.named_buffers() if "num_batches_tracked" in n) == 2


def test_it_is_byols_passes_and_the_teacher_sees_one_view_at_a_time_too(registry):
    built = topology(registry, TeacherTable(momentum=0.9))
    tower = copy.deepcopy(built.student.towers["image"]).train()
    target = copy.deepcopy(built.teacher.towers.towers["image"]).train()
    found = step(built, batch(x := pictures()))
    p1, p2 = (tower.predictor(tower.projector(tower.encoder(view).pooled_ND)) for view in x.chunk(2))
    with torch.no_grad():
        z1, z2 = (target.projector(target.encoder(view).pooled_ND) for view in x.chunk(2))
    loss = (negative(p1, z2) + negative(p2, z1)) / 2
    loss.backward()
    assert float(found.outputs["loss"]) == pytest.approx(loss.item(), abs=1e-12)
    assert_alike(gradients(built.student.towers["image"]), gradients(tower))
    together = topology(registry, TeacherTable(momentum=0.9), apart=False)
    assert float(step(together, batch(x)).outputs["loss"]) != pytest.approx(loss.item(), abs=1e-3)


def test_local_views_are_one_by_one_too():
    student = towers(views=4, predictor=False).train()
    tower = copy.deepcopy(student.towers["image"])
    large, small = pictures(), pictures(size=16, seed=2)
    z_VND = student({"image": large}, {"image": small}).projections
    for found, view in zip(z_VND, [*large.chunk(2), *small.chunk(2)], strict=True):
        assert torch.allclose(found, tower.projector(tower.encoder(view).pooled_ND), rtol=0, atol=1e-9)
    assert_alike(dict(student.towers["image"].named_buffers()), dict(tower.named_buffers()))


@pytest.mark.parametrize("table", [TeacherTable(stop_gradient=True), TeacherTable(), TeacherTable(shuffle_groups=2)])
def test_the_gradient_cache_sees_each_view_of_each_part_apart(registry, table):
    """Against one graph over all parts and views: with the cache batch norm sees one of each at a time."""
    built = topology(registry, table)
    reference = copy.deepcopy(built).train()
    given = batch(x := pictures())
    found = step(built, given, rows=3)
    student, halves = reference.student.towers["image"], [slice(0, 3), slice(3, 6)]
    z, p = ([], []), ([], [])
    for rows in halves:
        for view, of_view in enumerate(x.chunk(2)):
            z[view].append(student.projector(student.encoder(of_view[rows]).pooled_ND))
            p[view].append(student.predictor(z[view][-1]))
    z1, z2, p1, p2 = (torch.cat(parts) for parts in (*z, *p))
    if not table.stop_gradient:
        target = reference.teacher.towers.towers["image"]
        groups = halves
        if table.shuffle_groups == 2:
            groups = torch.randperm(N, generator=torch.Generator().manual_seed(0)).tensor_split(2)
        z1, z2 = torch.empty(N, D), torch.empty(N, D)
        with torch.no_grad():
            for rows in groups:
                for into, of_view in ((z1, x[:N]), (z2, x[N:])):
                    into[rows] = target.projector(target.encoder(of_view[rows]).pooled_ND)
    loss = (negative(p1, z2.detach()) + negative(p2, z1.detach())) / 2
    loss.backward()
    assert float(found.outputs["loss"]) == pytest.approx(loss.item(), abs=1e-12)
    assert_alike(gradients(built.student.towers["image"]), gradients(student))
    assert_alike(dict(built.student.named_buffers()), dict(reference.student.named_buffers()))


class Norms(nn.Module):
    """Without batch norm."""

    width = 512

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 512), nn.LayerNorm(512), nn.Tanh())

    def forward(self, batch):
        return coview.Encoding(self.layers(batch))


def test_without_batch_norm_nothing_is_changed():
    def made(apart):
        torch.manual_seed(0)
        head = MLP(512, hidden=16, width=D, batch_norm=False)
        student = Towers({"image": Tower(Norms(), head)}, ("image",) * 2, 2, apart=apart).train()
        z_VND = student({"image": pictures()}).projections
        (z_VND**2).sum().backward()
        return {"z": z_VND.detach(), **gradients(student)}

    assert_alike(made(apart=True), made(apart=False), 1e-12)


def test_structured_batches_and_contexts_are_taken_apart():
    sizes = torch.tensor([2, 1, 3, 2, 2, 4])
    graphs = RaggedGraphs(torch.randn(int(sizes.sum()), 3), sizes)
    student = towers(encoder=MeanOfRagged(), predictor=False).train()
    tower = copy.deepcopy(student.towers["image"])
    z_VND = student({"image": graphs}).projections
    for view, found in enumerate(z_VND):
        alone = tower.projector(tower.encoder(graphs.select(torch.arange(3) + 3 * view)).pooled_ND)
        assert torch.allclose(found, alone, rtol=0, atol=1e-9)
    rows = torch.tensor([0, 5, 7, 1, 2, 30])
    contexts = tuple({"features": torch.randn(48, 3)} for _ in range(2))
    for given in (contexts, contexts[:1]):
        student = towers(encoder=Around(), predictor=False)
        student.train()
        student.towers["image"].encoder.eval()  # no dropout
        tower = copy.deepcopy(student.towers["image"])
        z_VND = student({"image": InContext(rows, given)}).projections
        for found, of_view, context in zip(z_VND, rows.chunk(2), given * (2 // len(given)), strict=True):
            alone = tower.projector(tower.encoder(of_view, context).pooled_ND)
            assert torch.allclose(found, alone, rtol=0, atol=1e-9)


def test_channels_last_views_stay_so_and_a_traced_model_gives_the_same():
    x = pictures()
    student = towers(predictor=False).train()
    plain = copy.deepcopy(student)({"image": x}).projections
    traced = copy.deepcopy(student)
    traced.compile(backend="eager", fullgraph=True)
    assert torch.allclose(traced({"image": x}).projections, plain, rtol=0, atol=1e-12)
    student.to(memory_format=torch.channels_last)
    seen = []
    student.towers["image"].encoder.network.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    found = student({"image": x.contiguous(memory_format=torch.channels_last)}).projections
    assert torch.allclose(found, plain, rtol=0, atol=1e-9)
    assert [view.is_contiguous(memory_format=torch.channels_last) for view in seen] == [True, True]
