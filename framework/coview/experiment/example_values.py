"""A few values of a run's data, for what is to be tried on them outside of training."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

from torch import nn

from coview.data.building import build_modalities
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.experiment.run import Run
from coview.experiment.splits import Splits
from coview.model.encoder import SeesExample
from coview.model.encoder_hooks import collator


def example_values(run: Run, modality: str, count: int) -> list[Any]:
    """Values of the split that the run is evaluated on.

    Raises:
        CoviewError: If the data is not there.
    """
    splits = Splits(run.recipe, run.registry)
    split = "test" if splits.has(splits.own, "test") else "train"
    return list(itertools.islice(readable_values(splits.having(splits.own, split, modality), modality), count))


def show_example(run: Run, modality: str, encoder: nn.Module) -> None:
    """Shows an encoder that wants to see it a sample; says so where there is none to show."""
    if not isinstance(encoder, SeesExample):
        return
    try:
        values = example_values(run, modality, 1)
    except CoviewError as error:
        warnings.warn(f"the run's data is not here, and the folder says no size of its samples: {error}", stacklevel=3)
        return
    if values:
        encoder.see_example(collator(build_modalities(run.recipe, run.registry)[modality], encoder).collate(values))
