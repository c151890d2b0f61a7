"""The share of the roofline that training reaches on a card, by throughputs that timm's author has published.

    python benchmarks/roofline.py

The throughputs are of ``results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv`` in timm's repository: pictures a
second of 224 pixels, mixed precision, channels last, PyTorch 1.12, on an RTX 3090. They are of training steps with a
cross entropy and no data to load. What the step is made of is counted as ``coview estimate`` counts it.
"""

from __future__ import annotations

import timm
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from coview.experiment.estimate.cards import card_of
from coview.experiment.estimate.work import Recorder, Work

PUBLISHED = {
    "resnet18": (3481.78, 512),
    "resnet34": (2036.51, 512),
    "resnet50": (1218.01, 512),
    "resnet101": (747.89, 256),
    "vit_tiny_patch16_224": (2299.56, 512),
    "vit_small_patch16_224": (1057.92, 384),
    "vit_small_patch32_224": (4445.76, 512),
    "vit_base_patch32_224": (1708.63, 512),
    "mixer_b32_224": (1856.75, 512),
}
"""Pictures a second, and the batch size."""


def main() -> None:
    """Prints a row of a table for each network."""
    card = card_of("rtx-3090")
    print("| network | pictures/s, published | at the roofline | share |\n|---|---|---|---|")
    for name, (rate, batch) in PUBLISHED.items():
        with torch.device("meta"):
            model = timm.create_model(name)
        least = sum(step(model, batch).seconds(card))
        print(f"| {name} | {rate:,.0f} | {batch / least:,.0f} | {rate * least / batch:.2f} |")


def step(model: torch.nn.Module, batch: int) -> Work:
    """The operations of a training step in mixed precision."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu").train()
        pictures, classes = torch.empty(batch, 3, 224, 224), torch.zeros(batch, dtype=torch.int64)
        with Recorder() as recorder:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(pictures)
            torch.nn.functional.cross_entropy(logits.float(), classes).backward()
    return Work.of(recorder.operations)


if __name__ == "__main__":
    main()
