"""Whether ``train.compile`` pays for large encoders: samples a second with it and without it, and its first step.

SimCLR on random crops of the handwritten digits, enlarged to 224 × 224, by networks of timm with new weights. Both runs
are of one recipe and take turns. The rate is that of the steps after the first, which compiles.

    python benchmarks/compiled.py [--encoders timm:resnet50 timm:vit_small_patch16_224] [--batch 8] [--steps 6]
        [--precision fp32] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import torch
from measuring import where
from running import run_of

import coview

SIZE = 224


def recipe_of(encoder: str, compiles: bool, args: argparse.Namespace) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "compiled",
        "data": {"use": "digits", "views": 2, "workers": 1},
        "augment": [{"use": "random_resized_crop", "size": SIZE, "scale": [0.4, 1.0]}],
        "modality": {"size": SIZE},
        "encoder": {"use": encoder, "pretrained": False},
        "projector": {"hidden": 256, "width": 64},
        "loss": {"use": "nt_xent"},
        "optimizer": {"use": "adamw", "lr": 1e-4},
        "train": {
            "steps": args.steps,
            "batch_size": args.batch,
            "precision": args.precision,
            "device": args.device,
            "compile": compiles,
            "log_every": 1,
        },
    }


def logged(recipe: dict[str, Any], registry: coview.Registry) -> list[dict[str, Any]]:
    """The lines of metrics of a run."""
    with run_of(recipe, registry) as run:
        return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", default=["timm:resnet50", "timm:vit_small_patch16_224"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.steps < 3:
        parser.error("--steps: the first is not counted, and one more says nothing; at least 3")
    registry = coview.load_plugins()
    print(f"batch {args.batch}, {args.precision}, {where(torch.device(args.device))}")
    for encoder in args.encoders:
        for compiles in (False, True):
            rows = logged(recipe_of(encoder, compiles, args), registry)
            rate = args.batch * (len(rows) - 1) / (rows[-1]["time"] - rows[0]["time"])
            way = "compiled" if compiles else "plain"
            print(f"{encoder:30} {way:9} {rate:8.2f} samples/s, first step {rows[0]['time']:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
