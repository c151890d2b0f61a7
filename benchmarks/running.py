"""A run of coview from a recipe that a benchmark puts together."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w
from torch import nn

import coview


@contextmanager
def run_of(recipe: Mapping[str, Any], registry: coview.Registry) -> Iterator[coview.Run]:
    """A whole run, whose folder is thrown away after the ``with`` block. Paths in the recipe are absolute."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipe.toml"
        file.write_text(tomli_w.dumps(recipe), encoding="utf-8")
        loaded = coview.load_recipe(file, registry=registry)
        yield coview.run(loaded, Path(folder) / "runs", registry=registry, quiet=True)


def trained(recipe: Mapping[str, Any], registry: coview.Registry) -> nn.Module:
    """The encoder of a whole run."""
    with run_of(recipe, registry) as run:
        return run.encoder
