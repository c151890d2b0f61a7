"""What groups of about one length save on a CPU: steps of a text encoder with them beside steps of the batch at once.

    python benchmarks/padding.py FILE.csv [--column text] [--texts 128] [--max-length 32] [--model hf:FOLDER_OR_ID]

A step is the forward and backward pass of the encoder alone, on one thread. The texts of the file's column are drawn
once. Each repeat times all of them in turn, and the least of each counts.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

import coview
from coview_text.encoders import by_length

SIZES = {"2 layers of 64": (2, 64), "2 layers of 128": (2, 128), "4 layers of 256": (4, 256)}


def main() -> None:
    """Prints one line for each encoder."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--column", default="text")
    arguments.add_argument("--texts", type=int, default=128)
    arguments.add_argument("--max-length", type=int, default=32)
    arguments.add_argument("--model")
    arguments.add_argument("--repeats", type=int, default=5)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    registry = coview.load_plugins()
    with given.file.open(newline="", encoding="utf-8") as file:
        everything = [row[given.column] for row in csv.DictReader(file)]
    texts = random.Random(0).sample(everything, given.texts)
    if given.model:
        encoders = {given.model: registry.build("encoder", given.model, modality="text", max_length=given.max_length)}
    else:
        encoders = {name: _from_scratch(registry, everything, given.max_length, *size) for name, size in SIZES.items()}
    for name, encoder in encoders.items():
        batch = encoder.collate(texts)
        mask_NT = batch["attention_mask"]
        least = {1: float("inf"), by_length.MOST_GROUPS: float("inf")}
        for _ in range(given.repeats + 1):  # the first one warms up, and is never the least
            for groups in least:
                with mock.patch.object(by_length, "MOST_GROUPS", groups):
                    least[groups] = min(least[groups], _step(encoder, batch))
        at_once, grouped = least.values()
        share = float(mask_NT.sum()) / mask_NT.numel()
        print(
            f"{name:>16}  {at_once * 1000:7.1f} ms at once  {grouped * 1000:7.1f} ms in groups  "
            f"{grouped / at_once:.2f}; {share:.2f} of the tokens are real"
        )


def _from_scratch(registry: coview.Registry, texts: list[str], max_length: int, layers: int, width: int) -> Any:
    encoder: Any = registry.build(
        "encoder", "text_transformer", modality="text", layers=layers, width=width, max_length=max_length
    )
    encoder.fit(texts)
    return encoder


def _step(encoder: Any, batch: dict[str, torch.Tensor]) -> float:
    began = time.process_time()
    encoder(batch).pooled_ND.sum().backward()
    return time.process_time() - began


if __name__ == "__main__":
    main()
