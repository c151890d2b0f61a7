"""Three small towers and batches whose samples lack modalities unevenly: by hand, sample by sample, and as coview has it."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

import coview
from coview.data.batch import Batch
from coview.model.encoder import Encoding
from coview.model.loss_terms import LossTerms, Term
from coview.model.queue import Queue
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch

N, D = 30, 4
NAMES = ("a", "b", "c")
TERMS = ((("a", "b"), 1.0), (("b", "c"), 0.5), (("a", "c"), 0.25))
BOUNDS = {1: (0, N), 2: (0, 11, N), 4: (0, 6, 9, 20, N)}
"""Of the ranks' rows: the second of four ranks has no b at all, and the third no c."""


def has() -> dict[str, np.ndarray]:
    """Whether each sample has a modality."""
    rows = np.arange(N)
    b, c = rows % 5 != 2, rows % 3 != 1
    b[6:9] = False
    c[9:20] = False
    return {"a": np.ones(N, dtype=bool), "b": b, "c": c}


def inputs() -> dict[str, torch.Tensor]:
    """Of each modality a row for each sample, those that are lacking included: nothing may see them."""
    generator = torch.Generator().manual_seed(3)
    return {name: torch.randn(N, 5, generator=generator) for name in NAMES}


def ids() -> torch.Tensor:
    """Two samples that are there twice."""
    found = torch.arange(N) * 3
    found[[4, 23]] = found[[3, 24]]
    return found


class Encoder(nn.Module):
    width = 6

    def __init__(self, norm=nn.LayerNorm):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), norm(6), nn.Linear(6, 6))

    def forward(self, batch):
        return Encoding(self.layers(batch))


class Head(nn.Linear):
    width = D


def needs_of(registry, use):
    asks = registry.parameters("loss", use).supplied
    return getattr(registry.build("loss", use, supplied=dict.fromkeys(asks, D)), "needs", coview.Needs())


def topology(registry, use, *, stops=False, norm=nn.LayerNorm):
    """A loss of each pair of modalities, of its own parameters."""
    torch.manual_seed(0)
    needs = needs_of(registry, use)
    towers = {name: Tower(Encoder(norm), Head(6, D), Head(D, D) if needs.predictor else None) for name in NAMES}
    student = Towers(towers, NAMES, 3, gives_representations=needs.representations)
    asks = registry.parameters("loss", use).supplied
    terms = []
    for between, weight in TERMS:
        loss = registry.build("loss", use, supplied=dict.fromkeys(asks, D))
        terms.append(Term("-".join(between), weight, loss, between=between))
    queue = Queue(16, D, labelled=needs.labels) if needs.queue == "required" else None
    stops = stops or needs.teacher
    built = Topology(student, LossTerms(terms), queue=queue, stop_gradient=stops).double()
    if queue is not None:
        generator = torch.Generator().manual_seed(5)
        queue.put(
            coview.Views.of(
                torch.randn(3, 5, D, generator=generator),
                ids=torch.arange(1000, 1005),
                labels=torch.arange(5) % 3,
                modalities=NAMES,
            )
        )
    return built.train()


def batch_of(first: int, last: int) -> Batch:
    """The rows of one rank."""
    present = {name: np.flatnonzero(has_N[first:last]) for name, has_N in has().items() if name != "a"}
    values = {name: value[first:last][torch.from_numpy(has()[name][first:last])] for name, value in inputs().items()}
    labels = torch.arange(N) % 3
    return Batch(values, ids()[first:last], labels[first:last], None, None, present=present)


def by_coview(built, ranks=1, rank=0, rows=None):
    """The gradients of all parameters, averaged over the ranks, and what the loss came to."""
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    first, last = BOUNDS[ranks][rank : rank + 2]
    student = accelerator.prepare_model(built.student)
    step = GradientOfBatch(built, student, accelerator, rows=rows, batch_size=last - first, seed=5, channels_last=False)
    batch = built.augmented(batch_of(first, last))
    found = step.add(batch, step=4, part=0, share=1.0, progress=0.25, synchronise=True)
    coview.model.gather.average_gradients(built.loss.parameters())
    return gradients_of(built), found


def by_loop(built):
    """Each sample through each tower that it has a value for, alone; each term of the samples that have both."""
    z, p, pooled = ({name: {} for name in NAMES} for _ in range(3))
    there = has()
    for name, value in inputs().items():
        tower = built.student.towers[name]
        for row in range(N):
            if there[name][row]:
                pooled[name][row] = tower.encoder(value[row : row + 1]).pooled_ND[0]
                z[name][row] = tower.projector(pooled[name][row])
                p[name][row] = z[name][row] if tower.predictor is None else tower.predictor(z[name][row])
    total, outputs = 0, {}
    for term, (between, weight) in zip(built.loss.terms, TERMS, strict=True):
        rows = [row for row in range(N) if all(there[name][row] for name in between)]
        student = torch.stack([torch.stack([p[name][row] for row in rows]) for name in between])
        teacher = torch.stack([torch.stack([z[name][row] for row in rows]) for name in between]).detach()
        queue = {}
        if built.queue is not None:
            chosen = torch.cat([torch.arange(5) + 5 * NAMES.index(name) for name in between])
            queue = {
                "queue": built.queue.rows_QD[chosen],
                "queue_ids": built.queue.ids_Q[chosen],
                "queue_views": torch.tensor([0] * 5 + [1] * 5),
                "queue_labels": None if built.queue.labels_Q is None else built.queue.labels_Q[chosen],
            }
        views = coview.Views.of(
            student,
            teacher=teacher if built.stop_gradient else None,
            modalities=between,
            ids=ids()[rows],
            labels=torch.arange(N)[rows] % 3,
            representations=torch.stack([torch.stack([pooled[name][row] for row in rows]) for name in between]),
            progress=0.25,
            **queue,
        )
        outputs[term.name] = Term(term.name, 1.0, term.loss)(views)
        total = total + weight * outputs[term.name]["loss"]
    total.backward()
    return gradients_of(built), total.detach(), outputs


def gradients_of(built):
    return {name: p.grad.clone() for name, p in built.named_parameters() if p.grad is not None}


def fresh(built):
    return copy.deepcopy(built)


def every_loss(registry):
    """Those that are of pairs of views and hide no tokens."""
    for component in registry.of_kind("loss"):
        if not component.is_family:
            needs = needs_of(registry, component.qualified)
            if needs.tokens == "unused" and needs.views <= 2:
                yield component.qualified
