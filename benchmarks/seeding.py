"""What it costs to make every view a pure function of (seed, epoch, sample, view).

SimCLR's pipeline at 32×32, four ways, interleaved in one run, the median processor time of many rounds:

- Albumentations' Compose as it comes, whose views repeat between loader processes;
- the usual cure, ``set_random_seed`` before each sample;
- coview's pipeline, its Rng moved to a stream of its own before each step of each view;
- the same steps without moving the Rng: what of the difference is the seeding.

    python benchmarks/seeding.py [--rounds 60] [--views 300]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import coview
from coview.data.views import PipelineStep, ViewMaker
from coview_image.augment.color_jitter import ColorJitter
from coview_image.augment.flip import RandomFlip
from coview_image.augment.gaussian_blur import GaussianBlur
from coview_image.augment.grayscale import RandomGrayscale
from coview_image.augment.random_resized_crop import RandomResizedCrop
from coview_image.augment.step import AlbumentationsStep, albumentations

SIDE = 32
TARGET = 1.25


def steps() -> list[AlbumentationsStep]:
    return [
        RandomResizedCrop(size=SIDE, scale=(0.2, 1.0)),
        RandomFlip(),
        ColorJitter(strength=0.5),
        RandomGrayscale(),
        GaussianBlur(),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--views", type=int, default=300, help="views of one way in a round")
    arguments = parser.parse_args()

    pictures = np.random.default_rng(0).integers(0, 256, (arguments.views, SIDE, SIDE, 3), dtype=np.uint8)
    samples = [coview.Sample({"image": picture}, id=i) for i, picture in enumerate(pictures)]
    plain = albumentations.Compose([step.transform for step in steps()], seed=0)
    seeded = albumentations.Compose([step.transform for step in steps()], seed=0)
    maker = ViewMaker(
        seed=0, modalities=("image",), pipelines=[[PipelineStep(*step) for step in enumerate(steps())]], global_views=1
    )
    unseeded_steps = steps()
    rng = coview.Rng()
    unseeded_rng = coview.Rng()

    def compose(epoch: int) -> None:
        for picture in pictures:
            plain(image=picture)

    def compose_seeded(epoch: int) -> None:
        for i, picture in enumerate(pictures):
            seeded.set_random_seed(epoch * len(pictures) + i)
            seeded(image=picture)

    def coview_seeded(epoch: int) -> None:
        for sample in samples:
            maker(sample, epoch, rng)

    def coview_unseeded(epoch: int) -> None:
        for picture in pictures:
            for step in unseeded_steps:
                picture = step(picture, unseeded_rng)

    ways: dict[str, Callable[[int], None]] = {
        "albumentations.Compose, unseeded": compose,
        "albumentations.Compose, set_random_seed": compose_seeded,
        "coview, seeded by view and step": coview_seeded,
        "coview, the same steps unseeded": coview_unseeded,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(arguments.rounds + 2):
        for name, way in ways.items():
            start = time.thread_time()
            way(round_)
            if round_ >= 2:  # the first two warm up
                times[name].append((time.thread_time() - start) / arguments.views * 1e6)

    base = statistics.median(times["albumentations.Compose, unseeded"])
    print(f"{'SimCLR views at 32×32':42} {'µs a view':>10} {'of Compose':>11}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:42} {median:10.1f} {median / base:10.0%}")
    ratio = statistics.median(times["coview, seeded by view and step"]) / base
    print(f"target: at most {TARGET:.0%} of Compose; {'met' if ratio <= TARGET else 'NOT met'}")


if __name__ == "__main__":
    main()
