"""Tokens of samples that share a context can be hidden, and a decoder sees what is around them: nodes of a ring."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import coview
from coview.data.batch import Batch
from coview.experiment.trial import try_out
from coview.model.context import build_contexts
from coview.model.topology import build_topology
from coview.testing import check_decoder, check_encoder
from ring import NODES, Around, Blank, Nodes, Ring

ARC = 4

RECIPE = """
schema = 1
name = "arcs"

[data]
use = "arcs"
views = 2
workers = 0

[[augment]]
use = "blank"

[encoder]
use = "hides"

[mask]
use = "random"
ratio = 0.5
hide = "replace"

[decoder]
use = "beside"

[projector]
use = "identity"

[loss]
use = "token_mse"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = 3
batch_size = 8
device = "cpu"
precision = "fp32"
checkpoint_every = 3
"""


class Arcs(Ring):
    """Each sample is some nodes of the ring, side by side."""

    def __init__(self, *, split: str = "train"):
        super().__init__(split=split)
        self.rows = [row for row in range(0, NODES, ARC) if (row % 12 == 0) == (split == "test")]

    def __getitem__(self, index):
        row = self.rows[index]
        numbers = np.arange(row, row + ARC)
        return coview.Sample({"graph": (numbers, self.features[numbers].mean(0))}, id=row, label=row // 24)


class ArcNodes(Nodes):
    """What some nodes are."""

    def collate(self, values):
        return torch.from_numpy(np.stack([numbers for numbers, _ in values]))


class Hides(Around):
    """A layer on the mean of a node and those beside it, where some nodes can be hidden."""

    hides, token_width, mask_width, value_width, classes = ("replace",), 6, 3, 3, 0

    def forward(self, batch, context):
        return self.encode_tokens(batch, context, None)

    def token_layout(self, batch, context):
        real_NT = torch.ones_like(batch, dtype=torch.bool)
        return coview.TokenLayout(real_NT, real_NT, (batch.shape[1],))

    def token_values(self, batch, context):
        return context["features"][batch]

    def encode_tokens(self, batch, context, mask, *, mask_token_D=None, layers=0):
        rows = []
        for row, numbers_T in enumerate(batch):
            x_NF = context["features"]
            if mask is not None and mask_token_D is not None:
                is_hidden_N = torch.zeros(NODES, dtype=torch.bool)
                is_hidden_N[numbers_T[mask.replaced_NT[row]]] = True
                x_NF = torch.where(is_hidden_N[:, None], mask_token_D, x_NF)
            rows.append(self.layers[:2]((x_NF + x_NF.roll(1, 0) + x_NF.roll(-1, 0)) / 3)[numbers_T])
        tokens_NTD = torch.stack(rows)
        return coview.Encoding(tokens_NTD.mean(1), tokens_NTD, None, (tokens_NTD,) * layers)


class Beside(nn.Module):
    """A layer on the token, and on the features of the node that comes before it in the ring."""

    takes_batch = True

    def __init__(self, in_width: int, width: int):
        super().__init__()
        self.layer = nn.Linear(in_width + 3, width)

    def forward(self, seen):
        before_MTF = seen.context["features"].roll(1, 0)[seen.batch]
        return self.layer(torch.cat([seen.tokens_MTD, before_MTF], -1)[seen.wanted_MT])


def registry():
    mine = coview.Registrar("mine")
    for kind, parts in {"dataset": [("arcs", Arcs)], "modality": [("graph", ArcNodes)]}.items():
        for name, part in parts:
            getattr(mine, kind)(name, f"{__name__}:{part.__name__}", summary="a part")
    mine.augmentation("blank", f"ring:{Blank.__name__}", modality="graph", summary="hides features")
    mine.encoder("hides", f"{__name__}:Hides", modality="graph", summary="an encoder")
    mine.decoder("beside", f"{__name__}:Beside", summary="a decoder")
    return coview.load_plugins().plus(mine)


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(*sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(RECIPE), sets=sets, registry=found)
        run = coview.run(recipe, tmp_path / name, registry=found, quiet=True)
        return load_file(run.checkpoint.path / "weights.safetensors")

    return trained


def test_the_loss_is_a_loop_over_views_and_hidden_nodes(write_recipe):
    """Each view has its own features: those that are hidden, those beside them, and those to be predicted."""
    found = registry()
    recipe = coview.load_recipe(write_recipe(RECIPE), registry=found)
    data = Arcs()
    topology = build_topology(recipe, found, data)
    contexts = build_contexts(recipe, found, data, topology.student.encoder, torch.device("cpu"))
    numbers_NT = torch.stack([torch.from_numpy(data[row]["graph"][0]) for row in range(5)])
    batch = Batch({"graph": numbers_NT.repeat(2, 1)}, torch.tensor(data.rows[:5]), None, None, None)
    masked = topology.masked(contexts.around(topology.augmented(batch)))
    student = topology.student(masked.inputs, None, masked.masks)
    loss = topology.loss(topology.views(student, topology.taught(masked, 0), masked, 0.0))["loss"]

    encoder, decoder = topology.student.encoder("graph"), topology.student.towers["graph"].decoder
    token_D = topology.student.towers["graph"].mask_token
    errors, hidden_NT = [], masked.masks["graph"].hidden_NT
    assert hidden_NT.sum(1).tolist() == [2] * 10
    for view, context in enumerate(masked.inputs["graph"].contexts):
        x_NF = context["features"]
        for numbers_T, hidden_T in zip(numbers_NT, hidden_NT.chunk(2)[view], strict=True):
            hidden = numbers_T[hidden_T].tolist()
            shown = torch.stack([token_D if node in hidden else x_NF[node] for node in range(NODES)])
            for node in hidden:
                mixed = (shown[node] + shown[node - 1] + shown[(node + 1) % NODES]) / 3
                token = torch.cat([encoder.layers[:2](mixed), x_NF[node - 1]])
                errors.append((decoder.layer(token) - x_NF[node]).square().mean())
    torch.testing.assert_close(loss, torch.stack(errors).mean())
    assert not torch.equal(*(context["features"] for context in masked.inputs["graph"].contexts))


def test_the_cache_and_one_view_at_a_time_train_the_same(trained):
    plain, cached = trained(), trained("train.grad_cache=3", name="cached")
    for name, weight in plain.items():
        torch.testing.assert_close(cached[name], weight, rtol=0, atol=1e-6)


def test_a_teacher_makes_targets_in_the_context_of_each_view(trained):
    weights = trained("target.use=teacher_tokens", "teacher.momentum=0.9")
    assert all(bool(weight.isfinite().all()) for weight in weights.values() if weight.is_floating_point())


def test_the_kit_tries_both_in_the_context():
    data = Arcs()
    check_encoder(Hides, ArcNodes(), [data[row]["graph"] for row in range(4)], context=data.context)

    def around(seen):
        rows, tokens = seen.wanted_MT.shape
        return replace(seen, batch=torch.arange(tokens).expand(rows, tokens), context=data.context)

    replaced = {"does_not_see_what_was_hidden": "it is for tokens that are replaced"}
    check_decoder(Beside, around=around, except_for=replaced)


def test_it_is_tried_out_before_training(write_recipe):
    found = registry()
    told = try_out(coview.load_recipe(write_recipe(RECIPE), registry=found), found)
    assert told.startswith("8 samples, 3 steps")
