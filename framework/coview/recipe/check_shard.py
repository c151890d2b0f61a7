"""Whether ``train.shard`` goes together with the rest of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coview.recipe.mistakes import Mistakes
from coview.recipe.tables import TrainTable


def check_shard(mistakes: Mistakes, train: TrainTable, recipe: Mapping[str, Any]) -> None:
    """Notes what does not work on a model in shards.

    Args:
        mistakes: Where it is noted.
        train: The recipe's.
        recipe: Its tables as they are given.
    """
    if not train.shard:
        return
    if train.compile:
        mistakes.add(("train", "shard"), "does not go together with train.compile: remove one of them")
    if train.precision == "fp16":
        mistakes.add(("train", "shard"), 'does not go together with train.precision = "fp16": take "bf16" or "fp32"')
    if recipe.get("mask") is not None:
        mistakes.add(("train", "shard"), "does not go together with [mask]: remove one of them")
    if recipe.get("callback"):
        mistakes.add(
            ("train", "shard"),
            "does not go together with [[callback]], which looks at the model that is trained: no process has it whole",
        )
