"""Records and runs that are written by hand: any number at any seed, and no training."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from coview import load_recipe
from coview.compare.ledger.record import Record, make_record
from coview.evaluate.result import Result
from coview.recipe.snapshot import to_toml


def number(value: float, kind: str = "pretrained", *, metric: str = "accuracy", n: int = 100, **given: Any) -> Result:
    """Of the evaluator knn, unless told otherwise; what is no field of a result is of its protocol."""
    fields = {"evaluator": "knn", "dataset": "digits", "split": "test", "bounds": (0.0, 1.0)}
    fields |= {name: given.pop(name) for name in ("evaluator", "dataset", "split", "bounds") if name in given}
    protocol = {"k": 20, "labels_per_class": "all", "dataset_version": "v1", "modality": "image", **given}
    return Result(metric, value, value, value, n, protocol=protocol, kind=kind, **fields)


def told_by(*of: Any) -> str:
    """What a run is called that is told by these."""
    return sha256(repr(of).encode()).hexdigest()[:12]


def record(value: float = 0.5, seed: int = 0, *, recipe: dict | None = None, results=None, **fields: Any) -> Record:
    """Of one run, which seed and recipe name tell from others."""
    recipe = {"name": fields.get("name", "one"), "seed": seed, "loss": {"use": "nt_xent"}, **(recipe or {})}
    found = {
        "run": told_by(recipe["name"], recipe["loss"], seed), "name": recipe["name"], "seed": seed, "recipe_hash": "0" * 64,
        "recipe": recipe, "modalities": ["image"], "started": f"2026-01-01T00:00:{seed:02}+00:00", "who": "",
        "data_version": "v1", "start": {}, "code": {}, "made_with": {"coview": "0.1.0"}, "seconds": 1.0, "leaks": [],
        "stopped": "",
    }  # fmt: skip
    return make_record({**found, **fields}, results or [number(value), number(0.3, "untrained"), number(0.4, "raw")])


def run_folder(
    folder: Path, registry: Any, *, results=None, started="2026-01-01T00:00:00+00:00", **overrides: Any
) -> Path:
    """A finished run's folder with what a ledger reads."""
    recipe = load_recipe("quickstart", overrides=overrides, registry=registry)
    path = folder / recipe.name / f"20260101-000000-{recipe.hash[:6]}"
    path.mkdir(parents=True)
    (path / "recipe.toml").write_text(to_toml(recipe.tables))
    rows = [result.as_json() for result in (results or [number(0.5)])]
    (path / "results.json").write_text(json.dumps({"recipe_hash": recipe.hash, "results": rows}))
    environment = {"started": started, "finished": "2026-01-01T00:10:00+00:00", "data": {"version": "v1"}}
    (path / "environment.json").write_text(json.dumps(environment))
    return path
