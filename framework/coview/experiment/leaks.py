"""Whether the test splits that a run is evaluated on hold what their train splits hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coview.errors import CoviewError
from coview.evaluate.leaks import NEAR, find_leaks
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
            leaks = find_leaks(of_data.embedded("raw", "train"), of_data.embedded("raw", "test"))
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
