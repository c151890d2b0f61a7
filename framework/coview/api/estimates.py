"""What a run needs of a machine, before it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coview.plugins.discovery import load_plugins
from coview.plugins.home import expanded
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

if TYPE_CHECKING:
    from coview.experiment.estimate.estimate import Estimate


def estimate(
    recipe: Recipe,
    *,
    device: str,
    count: int = 1,
    samples: int | None = None,
    cores: float | None = None,
    utilisation: float | None = None,
    tflops: float | None = None,
    memory: float | None = None,
    link: float | None = None,
    measured: Path | str | None = None,
    seconds: float = 3.0,
    registry: Registry | None = None,
) -> Estimate:
    """The memory, the traffic, the cores and the hours of a run, from its counted and measured parts.

    Args:
        recipe: From :func:`coview.load_recipe`.
        device: A card of the table, such as ``"h100"``, or ``"here"``: the CPU of this machine, measured now.
        count: How many devices train.
        samples: Of the training split, where the recipe's data stand in for data that are not here.
        cores: CPU cores for each device; absent: as many as it needs.
        utilisation: The share of the roofline that the device reaches; absent: a range, as assumed.
        tflops: TFLOP/s of the device, in place of the table's.
        memory: Its memory in 10^9 bytes.
        link: What it sends to the others, in 10^9 bytes a second.
        measured: A run's folder: the estimate is held against it, and takes over the share that it has reached.
        seconds: For how long views are made, to measure how fast that is.
        registry: Where components come from; all installed plugins by default.

    Raises:
        CoviewError: If the device is not known, the data are not here, or the recipe is not that of one training run.
    """
    from coview.experiment.estimate import estimate as estimates  # torch costs start-up time

    asked = estimates.Asked(
        device=device,
        count=count,
        samples=samples,
        cores=cores,
        utilisation=utilisation,
        tflops=tflops,
        memory=memory,
        link=link,
        measured=None if measured is None else expanded(Path(measured)),
        seconds=seconds,
    )
    return estimates.estimate(recipe, registry or load_plugins(), asked)
