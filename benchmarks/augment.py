"""What augmenting pictures costs: coview's seeded views beside bare Albumentations, batches, and the loader.

Three tables, each of contenders that take turns in one process; processor time of one thread, the median of the rounds,
since the work of a round is drawn too.

- one sample at a time: SimCLR's pipeline by Albumentations' Compose, whose views repeat between loader processes, and
  through coview, where each is a function of (seed, epoch, sample, view);
- whole batches: the same pipeline in its form for the device, and by kornia where that is installed; and torchvision
  v2, which draws once for all it is given, and so gets one picture at a time;
- the loader: samples a second through two worker processes, beside what two processes make that do nothing else.

    python benchmarks/augment.py [--rounds 9] [--device cpu] [--sides 32 224] [--only one-by-one batches loader]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from measuring import now
from torch import Tensor

import coview
from coview.data.batch import Batch
from coview.data.building import BatchStep
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.views import PipelineStep, ViewMaker
from coview.model.batch_augment import BatchAugment
from coview_image.augment.named_pipelines import SimCLR
from coview_image.augment.step import albumentations
from coview_image.modality import ImageModality

PICTURES = {32: 512, 224: 128}
BATCH = 128
SCALE, STRENGTH = (0.2, 1.0), 0.5


def pipeline(side: int) -> SimCLR:
    return SimCLR(size=side, scale=SCALE, strength=STRENGTH)


def pictures(side: int) -> np.ndarray:
    """Somewhat larger than the crops where those are of photographs."""
    source = side if side < 64 else side * 8 // 7
    return np.random.default_rng(0).integers(0, 256, (PICTURES[side], source, source, 3), dtype=np.uint8)


Ways = dict[str, Callable[[int], Any]]


def in_turns(ways: Ways, views: int, rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Microseconds a view, the median of all rounds after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            start = clock()
            way(round_)
            if round_:
                times[name].append((clock() - start) / views * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def show(title: str, times: dict[str, float], base: str) -> None:
    print(f"\n{title:44} {'µs a view':>10} {'speed':>7}")
    for name, time_ in times.items():
        print(f"{name:44} {time_:10.1f} {times[base] / time_:7.2f}")


def one_by_one(side: int, rounds: int) -> None:
    values, rng = pictures(side), coview.Rng()
    steps = [step.transform for step in pipeline(side).steps]  # type: ignore[attr-defined]
    compose = albumentations.Compose(steps, seed=0)
    samples = [coview.Sample({"image": value}, id=row) for row, value in enumerate(values)]
    maker = ViewMaker(0, ("image",), [[PipelineStep(0, pipeline(side))]], 1)
    listed = pipeline(side).steps
    apart = ViewMaker(0, ("image",), [[PipelineStep(*step) for step in enumerate(listed)]], 1)
    ways: Ways = {
        "Albumentations, unseeded": lambda _: [compose(image=value) for value in values],
        "coview, seeded, as one step": lambda epoch: [maker(sample, epoch, rng) for sample in samples],
        "coview, seeded, five steps": lambda epoch: [apart(sample, epoch, rng) for sample in samples],
    }
    show(
        f"one by one, {side} pixels", in_turns(ways, len(values), rounds, time.thread_time), "Albumentations, unseeded"
    )


def kornias(side: int) -> Callable[[Tensor], Tensor]:
    from kornia import augmentation as k

    jitter = 0.8 * STRENGTH
    steps = (
        k.RandomResizedCrop((side, side), scale=SCALE, cropping_mode="resample"),
        k.RandomHorizontalFlip(),
        k.ColorJitter(jitter, jitter, jitter, 0.2 * STRENGTH, p=0.8),
        k.RandomGrayscale(p=0.2),
        k.RandomGaussianBlur((7, 7), (0.1, 2.0), p=0.5),
    )
    sequence: Callable[[Tensor], Tensor] = k.AugmentationSequential(*steps, data_keys=["input"])
    return sequence


def torchvisions(side: int) -> Callable[[Tensor], Tensor]:
    from torchvision.transforms import v2

    jitter = 0.8 * STRENGTH
    steps = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=SCALE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(jitter, jitter, jitter, 0.2 * STRENGTH)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(7, (0.1, 2.0))], p=0.5),
        ]
    )
    return lambda x: torch.stack([steps(row) for row in x])


def batches(side: int, rounds: int, device: torch.device) -> None:
    values = pictures(side)
    compose = albumentations.Compose([step.transform for step in pipeline(side).steps], seed=0)  # type: ignore[attr-defined]
    x = torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().to(device)
    grey = torch.from_numpy(values[..., :1].copy()).permute(0, 3, 1, 2).contiguous().to(device)
    ids, batched, v2 = torch.arange(len(x), device=device), pipeline(side).batched(), torchvisions(side)

    def augmented(x: Tensor) -> Callable[[int], Any]:
        """As a run does, with numbers of its own in each round."""
        augment = BatchAugment(0, [BatchStep("image", 0, (0,), batched)], ("image",), 1, {})
        return lambda round_: augment(Batch({"image": x}, ids + round_ * len(ids), None, None, None))

    ways: Ways = {
        "Albumentations, one by one": lambda _: [compose(image=value) for value in values],
        "coview, a batch": augmented(x),
        "coview, a batch of grey pictures": augmented(grey),
        "torchvision v2, one by one": lambda _: v2(x),
    }
    if find_spec("kornia"):
        kornia = kornias(side)
        ways["kornia, a batch"] = lambda _: kornia(x.float() / 255)

    def clock() -> float:
        return now(device) if device.type == "cuda" else time.thread_time()

    show(
        f"batches of {len(x)} on {device}, {side} pixels",
        in_turns(ways, len(x), rounds, clock),
        "Albumentations, one by one",
    )


class InMemory:
    splits = ("train",)
    modalities = ("image",)
    classes = None
    citation = licence = version = ""

    def __init__(self, side: int) -> None:
        self.values = pictures(side)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> coview.Sample:
        return coview.Sample({"image": self.values[index]}, id=index)


def make_views(side: int, seconds: float, start: Any, made: Any) -> None:
    """As many collated pairs of views as fit into the time."""
    data, rng, modality = InMemory(side), coview.Rng(), ImageModality()
    maker = ViewMaker(0, ("image", "image"), [[PipelineStep(0, pipeline(side))]] * 2, 2)
    start.wait()
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        rows = [maker(data[i % len(data)], 0, rng) for i in range(count, count + BATCH)]
        modality.collate_raw([views[v] for v in (0, 1) for views in rows])
        count += BATCH
    made.put(count / seconds)


class Raw:
    """As a run has it: batches are normalised on the device."""

    def collate(self, values: Any) -> Tensor:
        return ImageModality().collate_raw(values)


def loader(side: int, seconds: float) -> None:
    """The best of three rounds each, in turns: other work only ever takes time away."""
    alone, through = (max(speeds) for speeds in zip(*(loader_once(side, seconds) for _ in range(3)), strict=True))
    print(f"\nloader, {side} pixels: {through:.0f} samples/s through 2 workers", end="")
    print(f", {alone:.0f} by 2 bare processes: {through / alone:.2f}")


def loader_once(side: int, seconds: float) -> tuple[float, float]:
    """Samples a second that two processes make, and that come through two workers."""
    context = multiprocessing.get_context("fork")
    start, made = context.Barrier(2), context.SimpleQueue()
    processes = [context.Process(target=make_views, args=(side, seconds, start, made)) for _ in range(2)]
    for process in processes:
        process.start()
    alone = sum(made.get() for _ in processes)
    for process in processes:
        process.join()
    data = InMemory(side)
    maker = ViewMaker(0, ("image", "image"), [[PipelineStep(0, pipeline(side))]] * 2, 2)
    order = Order(len(data), BATCH, 0)
    found = view_loader(data, maker, {"image": Raw()}, RankBatches(order, 0, 10**6), workers=2)
    count, begin = -1, 0.0
    for batch in found:
        if count < 0:  # the workers have started
            begin, count = time.perf_counter(), 0
            continue
        count += len(batch)
        if time.perf_counter() - begin > seconds:
            break
    return alone, count / (time.perf_counter() - begin)


TABLES = ("one-by-one", "batches", "loader")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 224], choices=sorted(PICTURES))
    parser.add_argument("--only", nargs="+", default=list(TABLES), choices=TABLES, metavar="TABLE")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each side of the loader's comparison")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for side in args.sides:
        if "one-by-one" in args.only:
            one_by_one(side, args.rounds)
        if "batches" in args.only:
            batches(side, args.rounds, torch.device(args.device))
        if "loader" in args.only:
            loader(side, args.seconds)


if __name__ == "__main__":
    main()
