"""Comparisons whose runs are written by hand: any number at any cell, and no training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from coview import load_recipe
from coview.compare.cells import FoundCell
from coview.evaluate.result import Result
from coview.recipe.comparison import Comparison, ComparisonCell
from coview.recipe.recipe import Recipe
from coview.track.run_folder import RunFolder

LOSSES = {"nt_xent": {"use": "nt_xent"}, "warm": {"use": "nt_xent", "temperature": 0.9}, "triplet": {"use": "triplet"}}


_loaded: dict[tuple[int, str, int], Recipe] = {}


def recipe(registry: Any, seed: int, variant: str, batch_size: int) -> Recipe:
    key = seed, variant, batch_size
    if key not in _loaded:
        overrides = {"seed": seed, "loss": LOSSES[variant], "train.batch_size": batch_size}
        _loaded[key] = load_recipe("quickstart", overrides=overrides, registry=registry)
    return _loaded[key]


def comparison(
    registry: Any,
    *,
    modalities: tuple[str, ...] = ("image",),
    variants: tuple[str, ...] = ("nt_xent", "warm"),
    seeds: int = 3,
    metric: str | None = "knn/accuracy",
) -> Comparison:
    cells = [
        ComparisonCell(
            {"modality": modality, "loss": variant, "seed": str(seed)},
            recipe(registry, seed, variant, 64 + number),
        )
        for number, modality in enumerate(modalities)
        for variant in variants
        for seed in range(seeds)
    ]
    return Comparison("losses <b>", "Which loss & why?", metric, cells, Path("recipes/compare/losses.toml"))


def result(kind: str, value: float, *, n: int = 100, items: np.ndarray | None = None, **protocol: Any) -> Result:
    return Result(
        metric="accuracy", value=value, ci_low=value - 0.02, ci_high=value + 0.02, n=n, split="test",
        protocol={"k": 20, "labels_per_class": "all", **protocol}, per_item=items, evaluator="knn", dataset="digits",
        kind=kind,
    )  # fmt: skip


def write_run(path: Path, results: list[Result], *, seconds: float = 60.0, loss: float = 3.0) -> RunFolder:
    folder = RunFolder(path)
    path.mkdir(parents=True)
    rows = [r.as_json() for r in results]
    folder.results.write_text(json.dumps({"results": rows}))
    for r in results:
        if r.per_item is not None:
            folder.per_item(r.protocol_hash, r.kind).parent.mkdir(exist_ok=True)
            np.save(folder.per_item(r.protocol_hash, r.kind), r.per_item)
    logged = [
        {"step": step, "epoch": 1, "time": seconds * step / 100, "loss": loss / math.sqrt(step), "spread": 0.8,
         "effective_rank": 2 + step / 10}
        for step in range(10, 101, 10)
    ]  # fmt: skip
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in logged))
    environment = {"coview": "0.1.0", "python": "3.12.1", "device": "cpu", "libraries": {"torch": "2.14.1"}}
    folder.environment.write_text(json.dumps(environment))
    folder.report.write_text("<!doctype html>")
    return folder


def found(
    compared: Comparison,
    out: Path,
    values: Mapping[tuple[str, str], list[float | str | None]],
    *,
    untrained: float | None = 0.5,
    raw: float | None = 0.6,
    items: int = 0,
) -> list[FoundCell]:
    """A run of each cell by (modality, variant) and seed; a text is the reason of a failure, None is missing."""
    cells = []
    for cell in compared.cells:
        modality, variant, seed = cell.levels.values()
        value = values[modality, variant][int(seed)]
        base = out / "runs" / modality / variant / f"seed-{seed}"
        if not isinstance(value, float):
            cells.append(FoundCell(cell, base, None, value or ""))
            continue
        per_item = None
        if items:
            generator = np.random.default_rng(int(seed))
            per_item = (generator.random(items) < value).astype(np.float32)
            value = float(per_item.mean())
        results = [result("pretrained", value, n=items or 100, items=per_item)]
        results += [
            result(kind, control, n=items or 100)
            for kind, control in (("untrained", untrained), ("raw", raw))
            if control is not None
        ]
        cells.append(FoundCell(cell, base, write_run(base / f"stamp-{cell.recipe.hash[:6]}", results)))
    return cells
