"""What an evaluation has found, written into the folder of its run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np

from coview.data.atomic import replacing
from coview.evaluate.evaluator import compared_modalities
from coview.experiment.controls import kinds_of, untrained_in_words
from coview.experiment.evaluators import Evaluation, Planned
from coview.experiment.feature_store import FeatureStore
from coview.experiment.leaks import check_leaks
from coview.experiment.measured_tower import MeasuredTower
from coview.experiment.splits import DataSource
from coview.track.results_file import RunResults
from coview.train.ending import Ended


def write_results(
    store: FeatureStore, planned: Sequence[Planned], found: Evaluation, ended: Ended | None = None
) -> None:
    """Writes ``results.json``; results of an earlier evaluation under another protocol stay.

    Args:
        store: Of what was evaluated.
        planned: What was to be measured.
        found: What was.
        ended: Who has ended the training before its last step, where this follows on it.

    Raises:
        Exception: What an evaluator or a hook raised, once everything is written.
    """
    earlier = RunResults.read(store.folder.results)
    recipe = store.recipe
    # earlier versions called every encoder pretrained
    kinds = {kind for name in recipe.modalities for kind in kinds_of(recipe, store.registry, name)}
    earlier = replace(earlier, results=[result for result in earlier.results if result.kind in kinds])
    for result in found.results:
        if result.per_item is not None:
            items = store.folder.per_item(result.protocol_hash, result.kind)
            items.parent.mkdir(exist_ok=True)
            with replacing(items) as beside:
                np.save(beside, result.per_item)
        if result.item_groups is not None:
            with replacing(store.folder.item_groups(result.protocol_hash)) as beside:
                np.save(beside, result.item_groups)
    other_data = {other.data.key: other for other in store.others if other.data.key}
    leaks = check_leaks(store, _trained_and_tested(planned))
    new = RunResults(
        run=store.recipe.name,
        recipe_hash=store.recipe.hash,
        checkpoint=f"step-{store.step}" if store.recipe.trains else "as it is loaded",
        encoder=_evaluated(store, planned),
        untrained=untrained_in_words(store.recipe, store.registry),
        dataset=_described(store),
        other_datasets=[_described(other) for other in other_data.values()],
        results=found.results,
        skipped_samples=[dict(zip(("split", "sample", "reason"), skipped, strict=True)) for skipped in _skipped(store)],
        leaks=leaks,
        stopped={} if ended is None else asdict(ended),
        skipped_evaluators=[{"evaluator": use, "reason": reason} for use, reason in found.left_out],
    )
    new.after(earlier).write(store.folder.results)
    if found.raised is not None:
        raise found.raised


def _described(store: FeatureStore) -> dict[str, str]:
    """What the data is: name, version, licence, citation."""
    dataset = store.reference
    return {
        "name": store.data.table.written["use"],
        "version": dataset.version,
        "licence": dataset.licence,
        "citation": dataset.citation,
    }


def _trained_and_tested(planned: Iterable[Planned]) -> list[tuple[DataSource, str]]:
    """The data of which evaluators learn from one split and are tested on another, and what of it they look at."""
    return [
        (plan.source, plan.tower.modality)
        for plan in planned
        if not plan.skipped and {"train", "test"} <= set(plan.evaluator.splits)
    ]


def _skipped(store: FeatureStore) -> list[tuple[str, str, str]]:
    """Split, name and reason of each sample that could not be read; once, where several towers were to read it."""
    return list(
        dict.fromkeys(
            (f"{of.data.table.use} {split}" if of.data.key else split, sample.what, sample.reason)
            for of in (store, *store.others)
            for split, skipped in of.skipped.items()
            for sample in skipped
        )
    )


def _evaluated(store: FeatureStore, planned: Iterable[Planned]) -> str:
    """Which encoders were evaluated, in words: each with where it ends."""
    towers: dict[MeasuredTower, None] = {}
    for plan in planned:
        compared = compared_modalities(plan.evaluator)
        measured = [MeasuredTower(name, projector=True) for name in compared] if compared else [plan.tower]
        towers |= {} if plan.skipped else dict.fromkeys(measured)
    first, *others = towers or [store.tower]
    teacher = store.topology.teacher
    whose = "teacher" if teacher is not None and teacher.table.evaluate else "student"
    words = [f"{first.modality} encoder of the {whose}, {_until(store, first)}"]
    words += [f"{tower.modality} encoder, {_until(store, tower)}" for tower in others]
    return ", ".join([*words, "evaluation mode", "fp32"])


def _until(store: FeatureStore, tower: MeasuredTower) -> str:
    """Where an encoder ends that is evaluated."""
    if tower.projector:
        return "after the projector"
    layers = store.recipe.projector[tower.modality].settings.evaluated_layers
    return "before the projector" if layers is None else f"to layer {layers} of the projector"
