"""Small masked recipes of every modality, on data that are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tomli_w

import coview

VIT = {"use": "vit", "image_size": 8, "patch": 2, "width": 16, "layers": 1, "heads": 2, "channels": 1}
PICTURES: dict[str, Any] = {
    "schema": 1,
    "name": "masked",
    "seed": 5,
    "data": {"use": "digits", "views": 1, "workers": 0},
    "modality": {"channels": 1, "mean": [0.3], "std": [0.4]},
    "encoder": VIT,
    "mask": {"use": "random", "ratio": 0.5},
    "loss": {"use": "token_mse"},
    "optimizer": {"use": "adamw", "lr": 0.001},
    "train": {"steps": 2, "batch_size": 64, "precision": "fp32", "device": "cpu", "log_every": 1},
}
TEXTS: dict[str, Any] = PICTURES | {
    "modality": {},
    "encoder": {"use": "text_transformer", "vocabulary": 300, "width": 8, "layers": 1, "heads": 1},
    "mask": {"use": "random", "ratio": 0.5, "swapped": 0.2, "kept": 0.2},
    "loss": {"use": "token_cross_entropy"},
    "train": PICTURES["train"] | {"batch_size": 8},
}
SOUNDS: dict[str, Any] = PICTURES | {
    "modality": {},
    "encoder": {
        "use": "mel_vit", "width": 16, "layers": 1, "heads": 2, "patch": [8, 4], "mel_bins": 32, "seconds": 1.0,
    },
    "train": PICTURES["train"] | {"batch_size": 4},
}  # fmt: skip


def texts_file(folder: Path) -> Path:
    """Sixty texts of different lengths in a table."""
    words = [
        "wave",
        "ship",
        "sail",
        "storm",
        "fish",
        "harbour",
        "tide",
        "pan",
        "bread",
        "oven",
        "salt",
        "soup",
        "knife",
        "butter",
    ]
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(words, 3 + n % 9)), ("sea", "kitchen")[n % 2]) for n in range(60)]
    lines = ["text,kind", *(",".join(row) for row in rows)]
    (folder / "texts.csv").write_text("\n".join(lines))
    return folder / "texts.csv"


def sounds_folder(folder: Path) -> Path:
    """Sixteen sounds of different lengths."""
    rng = np.random.default_rng(0)
    for number in range(16):
        path = folder / "sounds" / ("dog", "rain")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.2 * rng.standard_normal(4000 + 700 * number), 16000)
    return folder / "sounds"


def texts(folder: Path) -> dict[str, Any]:
    """The recipe of texts with its data."""
    return TEXTS | {
        "data": {"use": "text_table", "path": str(texts_file(folder)), "text": "text", "label": "kind", "views": 1}
    }


def sounds(folder: Path) -> dict[str, Any]:
    """The recipe of sounds with its data."""
    return SOUNDS | {"data": {"use": "audio_folder", "root": str(sounds_folder(folder)), "views": 1, "workers": 0}}


def load(folder: Path, registry: coview.Registry, tables: dict[str, Any]) -> coview.Recipe:
    """The recipe of some tables."""
    file = folder / "masked.toml"
    file.write_text(tomli_w.dumps(tables))
    return coview.load_recipe(file, registry=registry)
