"""Two small towers and a view of hard negatives, which some samples lack: by hand, row by row, and as coview has it."""

from __future__ import annotations

import torch
from torch import nn

import coview
from coview.data.batch import NO_NEGATIVE, OF_NO_SAMPLE, Batch
from coview.model.loss_terms import LossTerms, Term
from coview.model.queue import Queue
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.recipe.needs import NEGATIVE
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from lacking import D, Encoder, Head

N = 11
BOUNDS = {1: (0, N), 2: (0, 4, N)}
IDS = torch.arange(N) * 7 + 3
NEGATIVE_IDS = torch.full((N,), OF_NO_SAMPLE)
NEGATIVE_IDS[1] = NEGATIVE_IDS[8] = NO_NEGATIVE
NEGATIVE_IDS[2] = IDS[5]  # what is a hard negative of sample 2 is a value of sample 5


def inputs() -> dict[str, torch.Tensor]:
    """Of a one view, of b two: the value and the hard negative."""
    generator = torch.Generator().manual_seed(3)
    return {"a": torch.randn(N, 5, generator=generator), "b": torch.randn(2 * N, 5, generator=generator)}


def topology(registry, use: str, *, stops: bool = False, queue: bool = False, **parameters) -> Topology:
    """The views a, b, and the hard negatives of b."""
    torch.manual_seed(0)
    towers = {name: Tower(Encoder(nn.LayerNorm), Head(6, D)) for name in ("a", "b")}
    student = Towers(towers, ("a", "b", "b"), 3, roles=("", "", NEGATIVE))
    loss = registry.build("loss", use, supplied=supplied(registry, use), **parameters)
    rows = Queue(16, D) if queue else None
    built = Topology(student, LossTerms([Term(use, 1.0, loss)]), queue=rows, stop_gradient=stops).double()
    if rows is not None:
        generator = torch.Generator().manual_seed(5)
        rows.put(
            coview.Views.of(
                torch.randn(2, 5, D, generator=generator), ids=torch.arange(1000, 1005), modalities=("a", "b")
            )
        )
    return built.train()


def supplied(registry, use):
    return dict.fromkeys(registry.parameters("loss", use).supplied, D)


def batch_of(first: int = 0, last: int = N) -> Batch:
    """The rows of one rank."""
    values = {name: value.unflatten(0, (-1, N))[:, first:last].flatten(0, 1) for name, value in inputs().items()}
    return Batch(values, IDS[first:last], None, None, None, negative_ids=NEGATIVE_IDS[first:last])


def by_coview(built: Topology, ranks: int = 1, rank: int = 0, rows: int | None = None):
    """The gradients of all parameters, averaged over the ranks, and what the loss came to."""
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    first, last = BOUNDS[ranks][rank : rank + 2]
    student = accelerator.prepare_model(built.student)
    step = GradientOfBatch(built, student, accelerator, rows=rows, batch_size=last - first, seed=5, channels_last=False)
    found = step.add(batch_of(first, last), step=4, part=0, share=1.0, progress=0.25, synchronise=True)
    coview.model.gather.average_gradients(built.loss.parameters())
    return {name: p.grad.clone() for name, p in built.named_parameters() if p.grad is not None}, found


def projections(built: Topology) -> dict[str, torch.Tensor]:
    """Each value through its tower alone: ``a``, ``b`` and ``negative``, with gradient."""
    values = inputs()
    of = {"a": values["a"], "b": values["b"][:N], "negative": values["b"][N:]}
    towers = {"a": "a", "b": "b", "negative": "b"}
    found = {}
    for name, rows in of.items():
        tower = built.student.towers[towers[name]]
        found[name] = torch.cat([tower.projector(tower.encoder(row[None]).pooled_ND) for row in rows])
    return found


def candidates(row: int, anchors: str) -> list[tuple[str, int]]:
    """What an anchor of a modality meets in the other one beside its own: other samples, and hard negatives of b."""
    other = "b" if anchors == "a" else "a"
    found = [(other, sample) for sample in range(N) if sample != row]
    if other == "b":
        found += [("negative", sample) for sample in range(N) if NEGATIVE_IDS[sample] not in (NO_NEGATIVE, IDS[row])]
    return found


def between_by_hand(z: dict[str, torch.Tensor], temperature: float, ways=("a", "b")) -> torch.Tensor:
    """The mean cross-entropy of a sample's other value among its candidates."""
    losses = []
    for anchors in ways:
        other = "b" if anchors == "a" else "a"
        for row in range(N):
            rows = [(other, row), *candidates(row, anchors)]
            s = torch.stack([cosine(z[anchors][row], z[name][sample]) / temperature for name, sample in rows])
            losses.append(s.logsumexp(0) - s[0])
    return torch.stack(losses).mean()


def siglip_by_hand(z: dict[str, torch.Tensor], scale: float = 10.0, bias: float = -10.0) -> torch.Tensor:
    losses = []
    for anchors in ("a", "b"):
        other = "b" if anchors == "a" else "a"
        for row in range(N):
            own = scale * cosine(z[anchors][row], z[other][row]) + bias
            others = [scale * cosine(z[anchors][row], z[name][of]) + bias for name, of in candidates(row, anchors)]
            losses.append(-nn.functional.logsigmoid(own) - sum(nn.functional.logsigmoid(-one) for one in others))
    return torch.stack(losses).mean()


def among_all_by_hand(z: dict[str, torch.Tensor], temperature: float) -> torch.Tensor:
    """NT-Xent: an anchor meets both values of all other samples, and all hard negatives but its own sample's values."""
    losses = []
    for anchors in ("a", "b"):
        other = "b" if anchors == "a" else "a"
        for row in range(N):
            rows = [(other, row)] + [(name, of) for name in ("a", "b") for of in range(N) if of != row]
            rows += [("negative", of) for of in range(N) if NEGATIVE_IDS[of] not in (NO_NEGATIVE, IDS[row])]
            s = torch.stack([cosine(z[anchors][row], z[name][of]) / temperature for name, of in rows])
            losses.append(s.logsumexp(0) - s[0])
    return torch.stack(losses).mean()


def cosine(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (x @ y) / (x @ x).sqrt() / (y @ y).sqrt()
