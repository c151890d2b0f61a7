"""Whether the test splits that a run is evaluated on hold what their train splits hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from coview.data.atomic import replacing
from coview.errors import CoviewError
from coview.evaluate.leaks import NEAR, Leaks, find_leaks
from coview.experiment.feature_store import FeatureStore
from coview.experiment.measured_tower import MeasuredTower
from coview.experiment.splits import DataSource


def check_leaks(store: FeatureStore, looked_at: Iterable[tuple[DataSource, str]]) -> list[dict[str, Any]]:
    """What each data set's test split has of its train split, for ``results.json``; a leak is a warning as well.

    Nothing of one whose raw features cannot be made.

    Args:
        store: Of the run.
        looked_at: The data, each with the modality that is compared.
    """
    found = []
    for source, modality in {(source.key, modality): (source, modality) for source, modality in looked_at}.values():
        of_data = store.on(source, MeasuredTower(modality))
        is_first = modality == store.recipe.modalities[0]
        train, test = of_data.dataset("train"), of_data.dataset("test")
        try:
            leaks = _found(of_data)
        except CoviewError as error:  # the numbers are there, and stay
            store.say(f"warning: {source.table.use}: train and test are not compared: {error.message}")
            continue
        said = str(leaks) if is_first else f"by their {modality}, {leaks}"
        if leaks:
            store.say(f"warning: {source.table.use}: {said}")
        found.append(
            {
                "data": source.table.use,
                "version": of_data.reference.version,
                "train": leaks.train,
                "test": leaks.test,
                "exact": leaks.exact,
                "near": leaks.near,
                "near_is": f"cosine of centred raw features of at least {NEAR}",
                "examined": leaks.examined,
                "groups": leaks.groups,
                "examples": [{"test": test[row].id, "train": train[of].id} for row, of in leaks.examples],
                "said": said,
                "modality": "" if is_first else modality,
            }
        )
    return found


def _found(store: FeatureStore) -> Leaks:
    """The leaks between the raw features of train and test, or what another run of the comparison has found of them."""
    (train, _), (test, _) = store.shared_at("raw", "train"), store.shared_at("raw", "test")
    path = None if train is None or test is None else train.with_name(f"leaks-{train.stem}-{test.stem}.json")
    if path is not None and path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Leaks(**{**kept, "examples": [tuple(pair) for pair in kept["examples"]]})
    leaks = find_leaks(store.embedded("raw", "train"), store.embedded("raw", "test"))
    if path is not None:
        with suppress(OSError, CoviewError), replacing(path, durable=False) as beside:
            beside.write_text(json.dumps(asdict(leaks)), encoding="utf-8")
    return leaks
