"""Which rows of each split the evaluators of a recipe read: an encoder need not embed the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from coview.data.rng import Rng
from coview.data.sample import id_as_int64
from coview.errors import CoviewError
from coview.evaluate.evaluator import AnyEvaluator, ReadsSomeRows
from coview.evaluate.features import Features
from coview.experiment.feature_store import FeatureStore, SomeOf
from coview.plugins.component import in_one_line

WHOLE = 0.5
"""Of a split of which more than this share is read all is embedded: other evaluators can then be added for nothing."""


def rng_of(seed: int, use: str) -> Rng:
    """The randomness that an evaluator gets: the same draws for every kind of features, so that a control is a paired
    one.

    Args:
        seed: The recipe's.
        use: The evaluator's name.
    """
    return Rng(seed, sample=id_as_int64(use))


def rows_read(store: FeatureStore, evaluators: Iterable[tuple[str, AnyEvaluator]]) -> SomeOf:
    """The rows that all evaluators together read of each split, ascending; of splits that are not named, all.

    Args:
        store: Of the data and the tower that they measure.
        evaluators: Each with its name in the recipe.
    """
    read: dict[str, set[int]] = {}
    whole: set[str] = set()
    for use, evaluator in evaluators:
        asked = _of_one(store, use, evaluator) if isinstance(evaluator, ReadsSomeRows) else {}
        carved = "validation" in evaluator.splits and not store.own_validation
        whole |= {"train" if carved and name == "validation" else name for name in evaluator.splits} - {*asked}
        for split, rows in asked.items():
            read.setdefault(split, set()).update(rows.tolist())
    some = {split: np.array(sorted(rows)) for split, rows in read.items() if split not in whole}
    return {split: rows for split, rows in some.items() if len(rows) <= WHOLE * len(store.dataset(split))}


def _of_one(store: FeatureStore, use: str, evaluator: ReadsSomeRows) -> Mapping[str, np.ndarray]:
    """What one evaluator reads, by splits of the data; nothing where it cannot be known ahead, as without raw
    features."""
    try:
        return _asked(store, use, evaluator)
    except CoviewError:  # which it says again when it measures
        return {}
    except Exception as error:  # a bug of one evaluator's costs no other its numbers
        store.say(f"warning: {use}: rows_read failed: {in_one_line(error)}; all rows are embedded")
        return {}


def _asked(store: FeatureStore, use: str, evaluator: Any) -> Mapping[str, np.ndarray]:
    names = evaluator.splits
    parts = {name: store.part(None, name, names, evaluator.labels == "class") for name in names}
    splits = {name: bare for name, (_, bare, _) in parts.items()}
    carved = "validation" in names and not store.own_validation
    asked = evaluator.rows_read(Features(splits, store.reference.classes, carved), rng_of(store.recipe.seed, use))
    found: dict[str, np.ndarray] = {}
    for split in {split for split, _, _ in parts.values()}:
        of_split = {name: rows for name, (part_of, _, rows) in parts.items() if part_of == split}
        if all(name in asked for name in of_split):
            rows = np.concatenate([rows[asked[name]] for name, rows in of_split.items()])
            # the width of representations is that of one at least
            found[split] = rows if len(rows) else next(iter(of_split.values()))[:1]
    return found
