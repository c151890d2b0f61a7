"""A structured batch is taken apart as a tensor is: whatever takes batches apart gives what it gives of tensors."""

import numpy as np
import pytest
import torch
from torch import nn

import coview
from coview.data.batch import Batch, some_samples
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.views import ViewMaker
from coview.experiment.trial import try_out
from coview.model.loss_terms import LossTerms, Term
from coview.model.teacher import Teacher
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from ragged import MeanOfRagged, RaggedGraphs, Structured

N, D = 11, 6


class Wrapped:
    """A tensor that is none, so that every bit can be compared."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def select(self, rows):
        return Wrapped(self.rows[rows])

    def to(self, device):
        return Wrapped(self.rows.to(device))

    def pin_memory(self):
        return Wrapped(self.rows.pin_memory())


class OfRows(nn.Module):
    width = D

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, D), nn.BatchNorm1d(D), nn.Tanh(), nn.Dropout(0.3), nn.Linear(D, D))

    def forward(self, batch):
        return coview.Encoding(self.layers(batch.rows if isinstance(batch, Wrapped) else batch))


class Head(nn.Linear):
    width = D


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(registry, encoder, inputs, rows, groups=0, local=None):
    torch.manual_seed(0)
    student = Towers({"a": Tower(encoder(), Head(D, D))}, ("a",) * (2 if local is None else 3), 2)
    loss = LossTerms([Term("loss", 1.0, registry.build("loss", "nt_xent"))])
    teacher = Teacher(student, TeacherTable(shuffle_groups=groups), 0) if groups else None
    built = Topology(student, loss, teacher).double().train()
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    step = GradientOfBatch(built, student, accelerator, rows=rows, batch_size=N, seed=5, channels_last=False)
    batch = Batch({"a": inputs}, torch.arange(N), None, None, None, {} if local is None else {"a": local})
    step.add(batch, step=4, part=0, share=1.0, progress=0.25, synchronise=True)
    return {name: p.grad for name, p in student.named_parameters()}


@pytest.mark.parametrize("rows", [None, 4])
@pytest.mark.parametrize("groups", [0, 1, 3])
def test_every_bit_is_that_of_a_tensor(registry, rows, groups):
    x, small = torch.randn(2 * N, 3), torch.randn(N, 3)
    of_tensor = gradients(registry, OfRows, x, rows, groups, small)
    structured = gradients(registry, OfRows, Wrapped(x), rows, groups, Wrapped(small))
    assert all(torch.equal(of_tensor[name], structured[name]) for name in of_tensor)
    assert max(float(gradient.abs().max()) for gradient in structured.values()) > 1e-4


def graphs():
    sizes = torch.arange(2 * N) % 5 + 1
    return RaggedGraphs(torch.randn(int(sizes.sum()), 3, generator=torch.Generator().manual_seed(1)), sizes)


@pytest.mark.parametrize("rows", [1, 4])
def test_the_gradient_cache_cuts_ragged_graphs(registry, rows):
    plain, cached = (gradients(registry, MeanOfRagged, graphs(), each) for each in (None, rows))
    for name, expected in plain.items():
        assert torch.allclose(cached[name], expected, rtol=0, atol=1e-10), name
    assert max(float(gradient.abs().max()) for gradient in plain.values()) > 1e-4


def test_some_samples_are_their_rows_of_every_view():
    batch = Batch({"a": {"graphs": graphs()}}, torch.arange(N), None, None, None)
    found = some_samples(batch, slice(3, 6)).inputs["a"]["graphs"]
    nodes = graphs().nodes.split(graphs().sizes.tolist())
    assert torch.equal(found.nodes, torch.cat([nodes[row] for row in (3, 4, 5, N + 3, N + 4, N + 5)]))


@pytest.mark.parametrize("workers", [0, 2])
def test_it_comes_out_of_loader_processes_as_it_went_in(workers):
    class Molecules:
        modalities, classes = ("graph",), None

        def __getitem__(self, index):
            nodes = np.full((1 + index % 4, 3), index, dtype=np.float64)
            return coview.Sample({"graph": nodes}, id=index)

    maker = ViewMaker(0, ("graph", "graph"), ((), ()), 2)
    batches = RankBatches(Order(20, 6, 0), 0, 3)
    for batch in view_loader(Molecules(), maker, {"graph": Structured()}, batches, workers=workers):
        found = batch.to(torch.device("cpu")).inputs["graph"]
        assert isinstance(found, RaggedGraphs)
        expected = torch.tensor(batch.rows * 2)
        assert torch.equal(found.sizes, 1 + expected % 4)
        assert torch.equal(found.nodes[:, 0], expected.repeat_interleave(1 + expected % 4).double())


RECIPE = """
schema = 1
name = "graphs"

[data]
use = "molecules"
workers = 0

[[augment]]
use = "shift"
{augment}

[encoder]
use = "mean"

[projector]
use = "identity"

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.01

[teacher]
shuffle_groups = 2

[train]
steps = 2
batch_size = 8
grad_cache = 3
device = "cpu"
precision = "fp32"

[[evaluate]]
use = "geometry"
"""


@pytest.fixture
def recipe_of(write_recipe):
    torch.set_default_dtype(torch.float32)
    mine = coview.Registrar("mine")
    mine.modality("graph", "ragged:Structured", summary="graphs")
    mine.dataset("molecules", "ragged:Molecules", summary="graphs")
    mine.augmentation("shift", "ragged:Shift", modality="graph", summary="moves graphs")
    mine.encoder("mean", "ragged:MeanOfRagged", modality="graph", summary="the mean")
    found = coview.load_plugins().plus(mine)
    return lambda augment="": (coview.load_recipe(write_recipe(RECIPE.format(augment=augment)), registry=found), found)


def test_a_run_goes_by_its_rows(recipe_of, tmp_path):
    recipe, registry = recipe_of()
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert run.checkpoint.step == 2


def test_what_would_put_batches_together_is_refused_before_training(recipe_of, tmp_path):
    recipe, registry = recipe_of("views = [1]")
    for refused in (
        lambda: coview.run(recipe, tmp_path / "runs", registry=registry),
        lambda: try_out(recipe, registry),
    ):
        with pytest.raises(coview.CoviewError) as caught:
            refused()
        assert caught.value.message.endswith(
            "recipe.toml:10: augment.0.use: makes only some of the views on the device, and a RaggedGraphs, which the "
            "batches of graph are, cannot be put together again"
        )
    assert not (tmp_path / "runs").exists()
