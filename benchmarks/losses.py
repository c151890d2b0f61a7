"""Losses, forward and backward, beside their peers and the obvious form: time, and memory beyond the inputs.

In each case the contenders take turns in one process, so that what else the machine does hits all alike; the ratio is
of the fastest calls, as other work only ever adds time. All have to come to the same value. Memory is measured in a
process of its own for each contender on a CPU, the gradient of the inputs included.

    python benchmarks/losses.py [--only CASE …] [--seconds 20] [--device cpu]
    python benchmarks/losses.py --operations [--only CASE …]

With ``--operations`` nothing is timed or even computed: on PyTorch's meta device, which has no values, it counts the
operations of a forward and a backward pass, and what they read and write. An operation is at least one kernel of a GPU;
what only views memory, or makes room for it, is none. A contender that asks the device for a value has no such row.

Inputs are fp32. A contender that would need more memory than the machine has is left out: "plain", a matrix product and
``cross_entropy``, takes 13 bytes for each element of the square matrix of logits, and pytorch-metric-learning's NT-Xent
grows with the cube of the batch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from measuring import Operations, added_to_peak, added_to_peak_apart, now, where
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor], Tensor]


def ours(name: str, **parameters: object) -> Callable[[], Loss]:
    def build() -> Loss:
        import coview

        loss = coview.load_plugins().build("loss", name, **parameters)

        def value(z_VND: Tensor) -> Tensor:
            output = loss(coview.Views.of(z_VND))
            return output if isinstance(output, Tensor) else output["loss"]

        return value

    return build


def plain_nt_xent() -> Loss:
    def value(z_VND: Tensor) -> Tensor:
        u_KD = functional.normalize(z_VND.flatten(0, 1), dim=1)
        logits_KK = u_KD @ u_KD.T / 0.5
        logits_KK.fill_diagonal_(-torch.inf)
        positive_K = torch.arange(len(u_KD), device=u_KD.device).roll(len(u_KD) // 2)
        return functional.cross_entropy(logits_KK, positive_K)

    return value


def plain_info_nce() -> Loss:
    def value(z_VND: Tensor) -> Tensor:
        a_ND, b_ND = (functional.normalize(z_ND, dim=1) for z_ND in z_VND)
        logits_NN = a_ND @ b_ND.T / 0.07
        own_N = torch.arange(len(a_ND), device=a_ND.device)
        return (functional.cross_entropy(logits_NN, own_N) + functional.cross_entropy(logits_NN.T, own_N)) / 2

    return value


def lightly(name: str, **parameters: object) -> Callable[[], Loss]:
    def build() -> Loss:
        import lightly.loss

        loss = getattr(lightly.loss, name)(**parameters)
        return lambda z_VND: loss(z_VND[0], z_VND[1])

    return build


def metric_learning_nt_xent() -> Loss:
    from pytorch_metric_learning.losses import NTXentLoss

    loss = NTXentLoss(temperature=0.5)
    return lambda z_VND: loss(z_VND.flatten(0, 1), torch.arange(z_VND.shape[1], device=z_VND.device).repeat(2))


def metric_learning_triplet() -> Loss:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    distance = LpDistance(normalize_embeddings=False)
    miner = BatchHardMiner(distance=distance)
    loss = TripletMarginLoss(margin=0.5, distance=distance, reducer=MeanReducer())

    def value(z_VND: Tensor) -> Tensor:
        rows, labels = z_VND.flatten(0, 1), torch.arange(z_VND.shape[1], device=z_VND.device).repeat(2)
        return loss(rows, labels, miner(rows, labels))

    return value


def plain_barlow_twins() -> Loss:
    def value(z_VND: Tensor) -> Tensor:
        a_ND, b_ND = (functional.batch_norm(z_ND, None, None, training=True) for z_ND in z_VND)
        c_DD = a_ND.T @ b_ND / len(a_ND)
        off_diagonal_DD = c_DD - torch.diag(c_DD.diag())
        return (1 - c_DD.diag()).square().sum() + 0.005 * off_diagonal_DD.square().sum()

    return value


def plain_vicreg() -> Loss:
    def value(z_VND: Tensor) -> Tensor:
        loss = 25 * functional.mse_loss(z_VND[0], z_VND[1])
        for z_ND in z_VND:
            N, D = z_ND.shape
            c_DD = (z_ND - z_ND.mean(0)).T @ (z_ND - z_ND.mean(0)) / (N - 1)
            variance_D = c_DD.diag()
            loss = loss + 25 * torch.relu(1 - (variance_D + 1e-4).sqrt()).mean() / 2
            loss = loss + (c_DD.square().sum() - variance_D.square().sum()) / D
        return loss

    return value


@dataclass(frozen=True)
class Case:
    """Contenders on the same rows; ratios are to the one named."""

    shape: tuple[int, int, int]
    contenders: dict[str, Callable[[], Loss]]
    ratio_to: str

    def rows(self, device: torch.device) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        first = torch.randn(self.shape[1:], generator=generator)
        second = first + torch.randn(self.shape[1:], generator=generator)
        return torch.stack([first, second]).to(device).requires_grad_()


def nt_xent(rows: int) -> Case:
    contenders = {"coview": ours("nt_xent", temperature=0.5)}
    if rows <= 16384:
        contenders |= {"plain": plain_nt_xent, "lightly": lightly("NTXentLoss", temperature=0.5)}
    if rows <= 512:
        contenders["pytorch-metric-learning"] = metric_learning_nt_xent
    return Case((2, rows // 2, 128), contenders, "plain" if rows <= 16384 else "coview")


def info_nce(rows: int) -> Case:
    contenders = {"coview": ours("info_nce", temperature=0.07), "plain": plain_info_nce}
    return Case((2, rows // 2, 128), contenders, "plain")


def barlow_twins(rows: int, width: int) -> Case:
    contenders = {
        "coview": ours("barlow_twins"),
        "plain": plain_barlow_twins,
        "lightly": lightly("BarlowTwinsLoss"),
    }
    return Case((2, rows, width), contenders, "lightly")


def vicreg(rows: int, width: int) -> Case:
    contenders = {"coview": ours("vicreg"), "plain": plain_vicreg, "lightly": lightly("VICRegLoss")}
    return Case((2, rows, width), contenders, "lightly")


CASES = {
    "nt_xent-512": nt_xent(512),
    "nt_xent-4096": nt_xent(4096),
    "nt_xent-8192": nt_xent(8192),
    "nt_xent-16384": nt_xent(16384),
    "nt_xent-65536": nt_xent(65536),
    "info_nce-512": info_nce(512),
    "info_nce-4096": info_nce(4096),
    "info_nce-8192": info_nce(8192),
    "triplet-8192": Case(
        (2, 4096, 128),
        {
            "coview": ours("triplet", mining="hard", margin=0.5),
            "pytorch-metric-learning": metric_learning_triplet,
        },
        "pytorch-metric-learning",
    ),
    "barlow_twins-256x8192": barlow_twins(256, 8192),
    "vicreg-256x8192": vicreg(256, 8192),
    "barlow_twins-2048x512": barlow_twins(2048, 512),
    "vicreg-2048x512": vicreg(2048, 512),
}


TURN = 0.05
"""Seconds. Calls that are shorter are repeated before it is another's turn, as each has to load the caches anew."""


def call(loss: Loss, z_VND: Tensor) -> float:
    z_VND.grad = None
    value = loss(z_VND)
    value.backward()
    return value.item()


def memory_of(case: Case, name: str, device: torch.device) -> None:
    """What one contender adds to the peak, after a small call has loaded what it imports."""
    loss = case.contenders[name]()
    call(loss, torch.randn(2, 64, 16, device=device, requires_grad=True))
    z_VND = case.rows(device)
    print(added_to_peak(lambda: call(loss, z_VND), device))


def measure(name: str, seconds: float, device: torch.device) -> None:
    case = CASES[name]
    z_VND = case.rows(device)
    losses = {contender: build() for contender, build in case.contenders.items()}
    values = {contender: call(loss, z_VND) for contender, loss in losses.items()}
    assert max(values.values()) - min(values.values()) < 1e-3 * max(1, abs(values["coview"])), values
    times: dict[str, list[float]] = {contender: [] for contender in losses}
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end or rounds < 2:
        for contender, loss in losses.items():
            if rounds >= 2 and min(times[contender]) > 20 * min(times["coview"]):
                continue  # two calls are enough of it
            turn = time.perf_counter() + TURN
            while len(times[contender]) <= rounds or time.perf_counter() < turn:
                begin = now(device)
                call(loss, z_VND)
                times[contender].append(now(device) - begin)
        rounds += 1
    reference = min(times[case.ratio_to])
    print(f"{name:26}{'fastest':>11}{'median':>11}{'speed':>8}{'MiB':>7}")
    for contender, found in times.items():
        again = partial(call, losses[contender], z_VND)
        mib = added_to_peak_apart(again, device, ["--only", name, "--memory-of", contender])
        fastest, median = (f"{1e3 * value:.2f} ms" for value in (min(found), statistics.median(found)))
        print(
            f"  {contender:24}{fastest:>11}{median:>11}{reference / min(found):8.2f}{mib:7.0f}",
            flush=True,
        )


def count(name: str) -> None:
    """What the operations of a case are, without values; nothing is known that a contender would learn from them."""
    case = CASES[name]
    print(f"{name:26}{'operations':>11}{'forward':>11}{'MiB':>9}")
    for contender, build in case.contenders.items():
        loss, z_VND = build(), torch.empty(case.shape, device="meta", requires_grad=True)
        try:
            loss(z_VND).backward()  # what is kept from the first call is not made again
            z_VND.grad = None
            with Operations() as counted:
                value = loss(z_VND)
                forward = counted.count
                value.backward()
        except (RuntimeError, NotImplementedError):
            continue
        print(f"  {contender:24}{counted.count:11}{forward:11}{counted.bytes / 2**20:9,.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--seconds", type=float, default=20, help="of each case; at least two rounds")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--operations", action="store_true", help="count them, and time nothing")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        memory_of(CASES[args.only[0]], args.memory_of, args.device)
        return
    if args.operations:
        for name in args.only:
            count(name)
        return
    print(f"{where(args.device)}; speed is the fastest call's, as a ratio")
    for name in args.only:
        measure(name, args.seconds, args.device)


if __name__ == "__main__":
    main()
