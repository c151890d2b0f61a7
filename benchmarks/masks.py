"""What hiding tokens saves: steps of an encoder with a mask beside steps of the same one without.

    python benchmarks/masks.py [--width 384] [--layers 12] [--heads 6] [--size 224] [--patch 16] [--batch 8]

A step is the forward and backward pass of the encoder alone, ViT-S/16 at 224 pixels by default, on one thread. Each
repeat times all of them in turn, and what is printed is the median of the ratios within a repeat.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor

import coview
from coview.data.token_mask import TokenMask

_DEFAULTS = {"width": 384, "layers": 12, "heads": 6, "size": 224, "patch": 16, "batch": 8, "repeats": 5}


def main() -> None:
    """Prints one line for each share that is hidden."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {
        "width": 384,
        "layers": 12,
        "heads": 6,
        "size": 224,
        "patch": 16,
        "batch": 8,
        "repeats": 5,
    }.items():
        arguments.add_argument(f"--{name}", type=int, default=default)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    registry = coview.load_plugins()
    encoder = registry.build(
        "encoder", "vit", modality="image", width=given.width, layers=given.layers, heads=given.heads,
        image_size=given.size, patch=given.patch,
    )  # fmt: skip
    x_NCHW = torch.randn(given.batch, 3, given.size, given.size)
    masks = {"no mask": None} | {f"{share:.0%} dropped": _mask(encoder, x_NCHW, share) for share in (0.5, 0.75, 0.9)}
    ratios: dict[str, list[float]] = {name: [] for name in masks}
    for repeat in range(given.repeats + 1):
        seconds = {name: _step(encoder, x_NCHW, mask) for name, mask in masks.items()}
        if repeat:  # the first one warms up
            for name, taken in seconds.items():
                ratios[name].append(taken / seconds["no mask"])
    for name, found in ratios.items():
        print(f"{name:>12}  {statistics.median(found):.2f} of the step without a mask")


def _mask(encoder: coview.TakesMask, x_NCHW: Tensor, share: float) -> TokenMask:
    layout = encoder.token_layout(x_NCHW)
    tokens = int(layout.maskable_NT[0].sum())
    order_NT = torch.rand(layout.maskable_NT.shape).masked_fill(~layout.maskable_NT, torch.inf).argsort(1).argsort(1)
    hidden_NT = (order_NT < round(share * tokens)) & layout.maskable_NT
    return TokenMask(layout, hidden_NT, hidden_NT, hidden_NT[:, None], "drop")


def _step(encoder: coview.TakesMask, x_NCHW: Tensor, mask: TokenMask | None) -> float:
    started = time.perf_counter()
    encoder.encode_tokens(x_NCHW, mask).pooled_ND.sum().backward()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
