"""A run on some cards: its memory, its traffic, its hours, and what they are known from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from coview.data.cores import available_cores
from coview.data.loader import worker_count
from coview.errors import CoviewError
from coview.experiment.estimate.cards import HERE, Card, card_of
from coview.experiment.estimate.counted import Counted, counted
from coview.experiment.estimate.fitting import Fits, advice_for, fits, memory_needed
from coview.experiment.estimate.measured_run import Calibration, read_measured
from coview.experiment.estimate.step_time import Range, StepTime, reached_by, step_time
from coview.experiment.estimate.this_cpu import this_cpu
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.device import Precision
from coview.train.length import Length


@dataclass(frozen=True)
class Estimate:
    """What a run needs.

    Attributes:
        recipe: Its name.
        card: The device, and what it can do.
        count: How many there are.
        precision: Of the forward pass.
        samples: Of the training split.
        steps: Optimiser steps.
        counted: What was counted and measured of a step.
        memory: Bytes of each card: as counted, and with what is assumed beside.
        fits: Whether each card has that.
        time: Of a step.
        hours: Of the training, without evaluations.
        cores: How many cores a card needs, so that it never waits for data; at the longest step and the shortest.
        disk: Bytes a second that all of them read together, likewise; None where that is not known.
        calibration: A run that was measured; None without one.
        advice: What to do where the memory is too small.
        notes: What was left out, or could not be counted.
    """

    recipe: str
    card: Card
    count: int
    precision: Precision
    samples: int
    steps: int
    counted: Counted
    memory: Range
    fits: Fits
    time: StepTime
    hours: Range
    cores: Range
    disk: Range | None
    calibration: Calibration | None
    advice: list[str]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain values: seconds, bytes, operations."""
        found = self.counted
        return {
            "recipe": self.recipe,
            "device": asdict(self.card),
            "count": self.count,
            "precision": self.precision,
            "samples": self.samples,
            "steps": self.steps,
            "samples_of_a_card": found.samples,
            "parameters": [asdict(part) for part in found.parts],
            "memory": {
                **asdict(found.kept),
                "views": found.inputs,
                "activations": found.step.activations,
                "loss": 0.0 if found.loss is None else found.loss.most,
                "most": self.memory.low,
                "with_reserve": self.memory.high,
                "fits": self.fits,
            },
            "flops_of_a_step": {
                "forward": found.step.forward.flops * found.accumulate,
                "backward": found.step.backward.flops * found.accumulate,
                "teacher": found.step.teacher.flops * found.accumulate,
                "loss": 0.0 if found.loss is None else found.loss.work.flops * found.accumulate,
                "all": found.work.flops,
            },
            "memory_traffic_of_a_step": found.work.bytes,
            "sent_of_a_step": {**asdict(found.between), "all": found.between.total},
            "loader": asdict(found.loader),
            "cores_of_a_card": asdict(self.cores),
            "bytes_read_a_second": None if self.disk is None else asdict(self.disk),
            "seconds_of_a_step": asdict(self.time),
            "hours": asdict(self.hours),
            "measured": None if self.calibration is None else asdict(self.calibration),
            "advice": self.advice,
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Asked:
    """What is estimated besides the recipe.

    Attributes:
        device: The name of a card, or ``here``.
        count: How many.
        samples: Of the training split, where the data that are read stand in for others; None: those that are read.
        cores: CPU cores for each card; None: as many as it needs.
        utilisation: The share of the roofline that is reached; None: the assumed range, or what a run has measured.
        tflops, memory, link: Figures of the card in place of the table's; see :meth:`Card.measured`.
        measured: A run's folder.
        seconds: For how long views are made, to measure how fast that is.
    """

    device: str
    count: int = 1
    samples: int | None = None
    cores: float | None = None
    utilisation: float | None = None
    tflops: float | None = None
    memory: float | None = None
    link: float | None = None
    measured: Path | None = None
    seconds: float = 3.0


def estimate(recipe: Recipe, registry: Registry, asked: Asked) -> Estimate:
    """What a run needs.

    Raises:
        CoviewError: If the recipe is not that of a single run that trains, its data are not there, or what is asked
            makes no sense.
    """
    _check(recipe, asked)
    card, precision = _card(recipe, asked)
    found = counted(recipe, registry, asked.count, half=precision != "fp32", seconds=asked.seconds)
    samples = asked.samples or found.samples_of_epoch
    steps = Length.of(recipe, samples, found.smallest_batch).total_steps
    calibration = None
    if asked.measured is not None:
        calibration = _calibrate(asked.measured, registry, card, replace(asked, measured=None))
    reached = reached_by(asked.utilisation)
    if asked.utilisation is None and calibration is not None:
        reached = Range(calibration.reached, calibration.reached)
    time = time_of(recipe, found, card, asked.cores, reached)
    memory = memory_needed(found)
    has_room = fits(memory, card)
    of_core = found.samples * found.accumulate * found.loader.core_seconds
    cores = Range(of_core / time.whole.high, of_core / time.whole.low)
    read = found.loader.bytes_read
    of_all = None if read is None else found.samples * found.accumulate * asked.count * read
    return Estimate(
        recipe=recipe.name,
        card=card,
        count=asked.count,
        precision=precision,
        samples=samples,
        steps=steps,
        counted=found,
        memory=memory,
        fits=has_room,
        time=time,
        hours=time.whole.times(steps / 3600),
        cores=cores,
        disk=None if of_all is None else Range(of_all / time.whole.high, of_all / time.whole.low),
        calibration=calibration,
        advice=[] if has_room == "yes" else advice_for(recipe, found, card),
        notes=_notes(recipe, found, asked),
    )


def time_of(recipe: Recipe, found: Counted, card: Card, cores: float | None, reached: Range) -> StepTime:
    """A step on a card, with so many cores that make its views."""
    if card.is_cpu:  # the cores are the card
        workers = worker_count(recipe.settings.workers)
        cores = cores or max(1, min(workers, available_cores() - 1))
    in_turns = card.is_cpu and recipe.settings.workers == 0
    data = None if cores is None else found.samples * found.accumulate * found.loader.core_seconds / cores
    time = step_time(
        found.work.seconds(card), found.kernels, found.between.total, card.link, None if in_turns else data, reached
    )
    if not in_turns or data is None:
        return time
    return replace(time, data=data, whole=time.whole + Range(data, data))


def _check(recipe: Recipe, asked: Asked) -> None:
    if recipe.sweep.grid or recipe.sweep.zip:
        raise CoviewError(
            f"{recipe.where('sweep')}: a recipe with a sweep describes several runs, and one is estimated at a time",
            hint="coview recipe show RECIPE --cell N --resolved > one.toml writes out the N-th",
        )
    if not recipe.trains:
        raise CoviewError(f"{recipe.where('train', 'steps')}: nothing is trained, so that there is nothing to estimate")
    for name, value in (("count", asked.count), ("samples", asked.samples), ("cores", asked.cores)):
        if value is not None and not value > 0:
            raise CoviewError(f"{name}: has to be more than 0, got {value}")
    if asked.device == HERE and asked.count > 1:
        raise CoviewError("count: this machine's CPU is one device", hint="leave --count out with --device here")
    reached_by(asked.utilisation)


def _card(recipe: Recipe, asked: Asked) -> tuple[Card, Precision]:
    if asked.device == HERE:
        card = this_cpu()
    else:
        card = card_of(asked.device)
    wanted = recipe.train.precision
    precision = card.best_precision() if wanted == "auto" else wanted
    if precision != "fp32" and precision not in card.flops and not card.is_cpu:
        raise CoviewError(
            f"{recipe.where('train', 'precision')}: {card.name} does not compute in {precision}; "
            f"it has {', '.join(card.flops)}"
        )
    return card.measured(tflops=asked.tflops, memory=asked.memory, link=asked.link), precision


def _calibrate(path: Path, registry: Registry, card: Card, asked: Asked) -> Calibration:
    """How a run that was measured compares with the estimate of it, on the card that it is said to have run on."""
    measured = read_measured(path, registry, card)
    recipe = measured.run.recipe
    found = counted(recipe, registry, measured.ranks, half=measured.precision != "fp32", seconds=asked.seconds)
    estimated = time_of(recipe, found, card, asked.cores, reached_by(None))
    in_turns = card.is_cpu and recipe.settings.workers == 0
    of_views = estimated.data if in_turns and estimated.data is not None else 0.0
    return Calibration(
        run=str(measured.run.path),
        device=measured.device,
        ranks=measured.ranks,
        samples_per_s=measured.samples_per_s,
        seconds=measured.seconds,
        estimated=estimated.whole,
        reached=sum(found.work.seconds(card)) / max(measured.seconds - of_views, measured.seconds / 100),
        remark=measured.remark,
    )


def _notes(recipe: Recipe, found: Counted, asked: Asked) -> list[str]:
    notes = ["evaluations, checkpoints and the start of the processes are not counted"]
    if recipe.train.shard:
        notes.append("train.shard is not counted: the cards share weights, gradients and state, and send the weights")
    if found.step.why_few:
        notes.append(f"a few samples were really encoded, because shapes alone do not suffice: {found.step.why_few}")
    if uncounted := sorted(found.work.uncounted):
        notes.append(f"no number of operations is known of {', '.join(uncounted)}: they count as reading and writing")
    if found.augment.calls:
        notes.append("what is augmented on the device is counted as the CPU does it, without the start of its kernels")
    if asked.samples is not None:
        notes.append(f"the {found.samples_of_epoch:,} samples that are here stand in for {asked.samples:,}")
    if recipe.train.compile:
        notes.append("train.compile joins kernels: less memory traffic than is counted here")
    return notes
