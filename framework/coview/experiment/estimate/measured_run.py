"""A run that has been trained, as something to hold an estimate against."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from coview.errors import CoviewError
from coview.experiment.environment import read_environment
from coview.experiment.estimate.cards import Card
from coview.experiment.estimate.step_time import Range
from coview.experiment.run import Run, load_run
from coview.plugins.registry import Registry
from coview.track.metrics_file import read_metrics

_OF_CUDA = "(cuda)"


@dataclass(frozen=True)
class MeasuredRun:
    """What a run says of itself.

    Attributes:
        run: The run.
        device: As ``environment.json`` names it.
        ranks: Processes that trained.
        precision: That they trained in.
        samples_per_s: The median of what ``metrics.jsonl`` has, without its first line.
        remark: What to know about the comparison; may be empty.
    """

    run: Run
    device: str
    ranks: int
    precision: str
    samples_per_s: float
    remark: str

    @property
    def seconds(self) -> float:
        """Of an optimiser step."""
        train = self.run.recipe.train
        return train.batch_size * train.accumulate / self.samples_per_s


@dataclass(frozen=True)
class Calibration:
    """A run beside the estimate of it.

    Attributes:
        run: Its folder.
        device, ranks, samples_per_s: What it says of itself.
        seconds: Of a step, measured.
        estimated: Of a step, with the assumed range.
        reached: The share of the roofline that it has reached.
        remark: What to know about the comparison; may be empty.
    """

    run: str
    device: str
    ranks: int
    samples_per_s: float
    seconds: float
    estimated: Range
    reached: float
    remark: str

    @property
    def ratio(self) -> Range:
        """Estimated to measured."""
        return self.estimated.times(1 / self.seconds)


def read_measured(path: Path, registry: Registry, card: Card) -> MeasuredRun:
    """Reads a run.

    Raises:
        CoviewError: If it is none, or has not logged how fast it was.
    """
    run = load_run(path, registry)
    environment = read_environment(run.folder.environment) or {}
    rates = [row["samples_per_s"] for row in read_metrics(run.folder.metrics) if row.get("samples_per_s")]
    if not rates:
        raise CoviewError(
            f"{run.path}: metrics.jsonl has no samples_per_s, so that it is not known how fast the run was",
            hint="train.log_every steps have to be taken at least twice",
        )
    device = str(environment.get("device", "unknown"))
    of_cpu = not device.endswith(_OF_CUDA)
    named = card.name.split("-")[0]
    other = of_cpu != card.is_cpu or not (card.is_cpu or named in device.lower().replace(" ", "-"))
    return MeasuredRun(
        run=run,
        device=device,
        ranks=int(environment.get("ranks", 1)),
        precision=str(environment.get("precision", "fp32")),
        samples_per_s=statistics.median(rates[1:] or rates),  # the first line has the start of the loader in it
        remark=f"the run was on {device}, and the estimate is of {card.name}" if other else "",
    )
