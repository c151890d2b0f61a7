"""A run of coview from a recipe that a benchmark puts together."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from torch import nn

import coview


def trained(recipe: Mapping[str, Any], registry: coview.Registry) -> nn.Module:
    """The encoder of a whole run, whose folder is thrown away. Paths in the recipe are absolute."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipe.toml"
        file.write_text(tomli_w.dumps(recipe), encoding="utf-8")
        loaded = coview.load_recipe(file, registry=registry)
        return coview.run(loaded, Path(folder) / "runs", registry=registry, quiet=True).encoder
