"""Whether a recipe's augmentations and modalities suit the samples: looked at on some of them, before training."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from coview.data.building import build_modalities, build_view_maker
from coview.data.dataset import Dataset
from coview.data.evenly import rows_to_look_at
from coview.data.remarks import Remarks, RemarksOn
from coview.data.rng import Rng
from coview.data.same import same
from coview.data.sample import Sample
from coview.data.views import ViewMaker
from coview.errors import SampleError
from coview.plugins.registry import Registry
from coview.recipe.abilities import works_in_encoder
from coview.recipe.recipe import Recipe

_SAMPLES = 128
_SECONDS = 10.0
"""When no more of them are read: photographs and long recordings take their time."""

_MOST = 0.5
_SOME = 0.1


@dataclass
class Suits:
    """What was found.

    Attributes:
        unchanged: The share of views that equal their originals, in [0, 1]; None where nothing is augmented, or some of
            it in a batch only, which nobody has made yet.
        warnings: What to tell a person, a sentence each.
    """

    unchanged: float | None
    warnings: list[str]


@dataclass
class _Step:
    """One augmentation over all views that it is part of."""

    calls: int = 0
    changed: bool = False
    remarks: Remarks = field(default_factory=Remarks)


def suits_samples(recipe: Recipe, registry: Registry, dataset: Dataset) -> Suits:
    """Makes the first epoch's views of some samples, and asks the parts that have something to say of their values.

    Args:
        recipe: The run's.
        registry: Where its parts come from.
        dataset: The training split.
    """
    modalities = build_modalities(recipe, registry)
    maker = build_view_maker(recipe, registry, preview=True)
    of_modality: dict[str, Remarks] = defaultdict(Remarks)
    steps: dict[tuple[str, int], _Step] = defaultdict(_Step)
    views = equal = 0
    rng = Rng()
    for sample in _some_samples(dataset):
        for name, modality in modalities.items():
            if isinstance(modality, RemarksOn) and name in sample.values:
                of_modality[name].note(modality, sample[name])
        if not recipe.trains:
            continue
        asked: set[tuple[str, int]] = set()
        originals = {view: sample[name] for view, name in enumerate(maker.modalities) if name in sample.values}
        last = dict(originals)
        for stage in maker.stages(sample, 0, rng):
            key = stage.modality, stage.position
            step = steps[key]
            if (
                isinstance(stage.augmentation, RemarksOn) and key not in asked
            ):  # once for each sample, not for each view
                step.remarks.note(stage.augmentation, stage.before)
                asked.add(key)
            step.calls += 1
            step.changed |= works_in_encoder(stage.augmentation) or not same(stage.before, stage.after)
            last[stage.view] = stage.after
        views += len(last)
        equal += sum(same(last[view], original) for view, original in originals.items())
    warnings = [
        sentence
        for name, remarks in of_modality.items()
        for sentence in remarks.sentences(_where(recipe, "modality", name), beyond=_SOME)
    ]
    for (of, position), step in sorted(steps.items()):
        table = recipe.augment[of][position]
        where = f"{_where(recipe, 'augment', of, position)}: {table.use}"
        said = step.remarks.sentences(where, beyond=_MOST)
        if not said and not step.changed and len(recipe.augment[of]) > 1:
            said = [f"{where} leaves all of {step.calls:,} views as they are: it does nothing on these samples"]
        warnings += said
    augmented = recipe.trains and any(recipe.augment.values()) and not _works_on_batches(recipe, maker)
    share = equal / max(1, views) if augmented else None
    in_encoder = any(works_in_encoder(step.augmentation) for pipeline in maker.pipelines for step in pipeline)
    # what is hidden of a view makes it another one
    if share is not None and share > _MOST and not in_encoder and recipe.mask is None:
        warnings.append(f"{share:.0%} of the views equal their original: the augmentations do little")
    return Suits(share, warnings)


def _works_on_batches(recipe: Recipe, maker: ViewMaker) -> bool:
    """Whether a step takes whole batches only, so that it is in no pipeline for single samples."""
    shown = {
        (name, step.position)
        for name, pipeline in zip(maker.modalities, maker.pipelines, strict=True)
        for step in pipeline
    }
    return any((name, at) not in shown for name, steps in recipe.augment.items() for at in range(len(steps)))


def _where(recipe: Recipe, kind: str, modality: str, *place: int) -> str:
    """The file and line of a part: its table stands below the modality's name where a recipe has several."""
    tables = recipe.layers.table.get(kind)
    by_name = isinstance(tables, Mapping) and isinstance(tables.get(modality), Mapping | list)
    return recipe.where(kind, *([modality] if by_name else []), *place)


def _some_samples(dataset: Dataset) -> Iterator[Sample]:
    """Readable ones that lie evenly in the split; fewer where they take long."""
    until = time.monotonic() + _SECONDS
    for row in rows_to_look_at(dataset, _SAMPLES):
        try:
            yield dataset[row]
        except SampleError:
            continue
        if time.monotonic() > until:
            return
