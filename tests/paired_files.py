"""Pictures, sounds and texts of twelve things, as files with tables that name them: what data sets of pairs read."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import soundfile
from PIL import Image

import coview
from coview.data.building import build_dataset
from coview.recipe.recipe import ComponentTable

WORDS = ("river", "stone", "light", "paper", "green", "north", "small", "glass", "horse", "tower", "music", "bread")
N = 36
COLUMNS = {"image": "picture", "text": ["caption", "longer"], "audio": "sound"}
SHADE = 5
"""Times the number of a thing is the grey of its picture."""


def rows() -> list[dict[str, str]]:
    """Thing i is of the word i % 12 and the speaker i // 12. Every third has one caption, every fourth no sound."""
    return [
        {
            "picture": f"pictures/{i}.png",
            "caption": f"a {WORDS[i % 12]}, number {i}",
            "longer": f"the {WORDS[i % 12]} that is number {i}" if i % 3 else "",
            "sound": f"sounds/{i}.wav" if i % 4 else "",
            "word": WORDS[i % 12],
            "speaker": f"s{i // 12}",
            "kind": ("even", "odd")[i % 2],
        }
        for i in range(N)
    ]


def write_files(folder: Path) -> None:
    """The pictures and the sounds."""
    for name in ("pictures", "sounds"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(N):
        Image.fromarray(np.full((8, 8, 3), SHADE * i, dtype=np.uint8)).save(folder / "pictures" / f"{i}.png")
        tone = 0.1 * np.sin(np.arange(800 + 10 * i) * 0.1, dtype=np.float32)
        soundfile.write(folder / "sounds" / f"{i}.wav", tone, 16000, subtype="FLOAT")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A table, by the ending of its name."""
    if path.suffix == ".parquet":
        pandas.DataFrame(rows).to_parquet(path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return path


def build(use: str, split: str = "train", registry: coview.Registry | None = None, **parameters: Any) -> Any:
    """A split as a recipe builds it."""
    table = ComponentTable(use, {name: _as_toml(value) for name, value in parameters.items()})
    return build_dataset(table, split, registry or coview.load_plugins())


def both(use: str, **parameters: Any) -> tuple[Any, Any]:
    """The training and the test split."""
    return build(use, "train", **parameters), build(use, "test", **parameters)


def _as_toml(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
