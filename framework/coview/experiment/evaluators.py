"""The evaluators of a recipe: planned before training, run on the pretrained encoder and on its controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from coview.data.augmentation import Augmentation
from coview.data.dataset import Dataset, HasJudgedPairs, KnowsGroups, KnowsLabels
from coview.data.rng import Rng
from coview.data.sample import id_as_int64
from coview.data.values import readable_samples
from coview.errors import CoviewError
from coview.evaluate.evaluator import (
    AnyEvaluator,
    ChecksData,
    CrossModalEvaluator,
    EncoderEvaluator,
    Evaluator,
    KnownData,
    compared_modalities,
)
from coview.evaluate.intervals import Groups, groups_of
from coview.evaluate.result import FeatureKind, Result
from coview.experiment import validation
from coview.experiment.against_controls import beside_controls
from coview.experiment.controls import kinds_of
from coview.experiment.feature_store import ALL_ROWS, FeatureStore, SomeOf
from coview.experiment.measured_tower import MeasuredTower, tower_of
from coview.experiment.projections import Projections
from coview.experiment.rows_read import rng_of, rows_read
from coview.experiment.splits import DataSource, Splits
from coview.plugins.component import in_one_line
from coview.plugins.hook_calls import HookCalls
from coview.plugins.lifecycle import Evaluated
from coview.recipe.recipe import ComponentTable
from coview.track.result_rows import warnings_of


@dataclass(frozen=True)
class Planned:
    """An evaluator of the recipe, built.

    Attributes:
        table: As the recipe has it.
        evaluator: The evaluator.
        source: The data that it looks at.
        tower: The tower that it measures; of one that compares several the first, which it does not look at.
        skipped: Why it cannot run on this data; empty if it can.
    """

    table: ComponentTable
    evaluator: AnyEvaluator
    source: DataSource
    tower: MeasuredTower
    skipped: str = ""


def plan_of(splits: Splits, index: int) -> Planned:
    """An evaluator of the recipe, by its place there."""
    table = splits.recipe.evaluate[index]
    evaluator: AnyEvaluator = splits.registry.build("evaluator", table.use, **table.parameters)
    tower = tower_of(splits.recipe, table.modality, projector=table.projector)
    return Planned(table, evaluator, splits.source_of(index), tower)


def plan_evaluators(splits: Splits) -> list[Planned]:
    """Builds the evaluators, says which cannot run, and lets each refuse the data, before any training.

    Raises:
        CoviewError: If an evaluator cannot measure on this data by the parameters that it was given.
    """
    planned, recipe = [], splits.recipe
    for index, table in enumerate(recipe.evaluate):
        if not table.test:
            continue
        plan = plan_of(splits, index)
        evaluator, source = plan.evaluator, plan.source
        plan = replace(plan, skipped=why_not(splits, source, evaluator))
        for split in evaluator.splits:  # what is wrong with the data is no mistake of the evaluator's table
            if not plan.skipped and splits.has(source, split):
                splits(source, split)
        try:
            if not plan.skipped:
                check_data_of(splits, plan)
        except CoviewError as error:
            raise CoviewError(
                f"{recipe.where('evaluate', index)}: {table.use}: {error.message}", hint=error.hint
            ) from error
        planned.append(plan)
    return planned


def why_not(splits: Splits, source: DataSource, evaluator: AnyEvaluator) -> str:
    """What the evaluator needs and the data does not have; empty if it can run."""
    if evaluator.labels == "class" and splits.reference(source).classes is None:
        return "the data has no class labels"
    own = [split for split in evaluator.splits if splits.has(source, split)]
    if evaluator.labels == "class":
        hidden = [split for split in own if _has_no_label(splits(source, split))]
        if hidden:
            return f"no sample of the {hidden[0]} split has a class label"
    if evaluator.labels == "pairs" and not all(_has_pairs(splits(source, split)) for split in own):
        return "the data has no judged pairs"
    if evaluator.labels == "score" and not all(_has_scores(splits(source, split)) for split in own):
        return "the data has no scores"
    return ""


def _has_no_label(dataset: Dataset) -> bool:
    """Whether it is known ahead that every class label is missing, as in a test split whose labels are hidden."""
    return (
        isinstance(dataset, KnowsLabels) and dataset.labels is not None and bool((np.asarray(dataset.labels) < 0).all())
    )


def able_evaluators(splits: Splits) -> list[str]:
    """The evaluators that could measure on a recipe's data with no parameter of their own."""
    able, tower = [], tower_of(splits.recipe, None)
    for component in splits.registry.of_kind("evaluator", tower.modality):
        try:
            evaluator: AnyEvaluator = splits.registry.build("evaluator", component.name)
            plan = Planned(ComponentTable(component.name), evaluator, splits.own, tower)
            if not compared_modalities(evaluator) and not why_not(splits, splits.own, evaluator):
                check_data_of(splits, plan)
                able.append(component.name)
        except CoviewError:
            continue
    return able


def _has_pairs(dataset: Dataset) -> bool:
    return isinstance(dataset, HasJudgedPairs) and dataset.pairs is not None


def _has_scores(dataset: Dataset) -> bool:
    first = next(readable_samples(dataset), None)
    return first is not None and first.score is not None


def check_data_of(splits: Splits, plan: Planned) -> None:
    """What every evaluator needs, and what this one says itself."""
    evaluator, source = plan.evaluator, plan.source
    classes = splits.reference(source).classes
    if evaluator.labels == "class" and classes is not None and len(classes) < 2:
        raise CoviewError(f"it needs at least two classes, and the data has one ({classes[0]})")
    lacking = [split for split in evaluator.splits if split != "validation" and not splits.has(source, split)]
    if lacking:
        raise CoviewError(f'it needs the split {" and ".join(lacking)}, which "{source.table.use}" does not have')
    if isinstance(evaluator, ChecksData):
        evaluator.check(_known(splits, plan))


def _known(splits: Splits, plan: Planned) -> KnownData:
    """What is known of the data ahead of its samples.

    The labels of a validation split that is carved out of ``train`` are known where the data knows its groups too.
    """
    evaluator, source = plan.evaluator, plan.source
    own = {split: splits(source, split) for split in evaluator.splits if splits.has(source, split)}
    labels = {}
    for split, dataset in own.items():
        if not isinstance(dataset, KnowsLabels) or dataset.labels is None:
            continue
        labels_N = np.asarray(dataset.labels)
        carved = split == "train" and "validation" in evaluator.splits and "validation" not in own
        if carved and isinstance(dataset, KnowsGroups) and (labels_N >= 0).all():
            groups = None if dataset.groups is None else [id_as_int64(group) for group in dataset.groups]
            labels_N = labels_N[validation.carve_validation(len(labels_N), labels_N, groups)[0]]
        labels[split] = labels_N[labels_N >= 0]
    modality = plan.tower.modality

    def build_augmentation(use: str, parameters: Mapping[str, Any]) -> Augmentation:
        made: Augmentation = splits.registry.build("augmentation", use, modality=modality, **parameters)
        return made

    return KnownData(
        classes=splits.reference(source).classes,
        samples={split: len(dataset) for split, dataset in own.items()},
        labels=labels,
        pairs={s: len(d.pairs) for s, d in own.items() if isinstance(d, HasJudgedPairs) and d.pairs is not None},
        modality=modality,
        augmented=bool(splits.recipe.augment.get(modality)),
        build_augmentation=build_augmentation,
    )


def build_evaluated(splits: Splits, planned: Iterable[Planned]) -> None:
    """Builds the splits that the evaluators look at: what is wrong with them shows before any training."""
    for plan in planned:
        for split in () if plan.skipped else plan.evaluator.splits:
            if split != "validation" or splits.has(plan.source, split):  # else it is carved out of train
                splits(plan.source, split)


@dataclass(frozen=True)
class Evaluation:
    """What the evaluators found.

    Attributes:
        results: Every number, controls included.
        left_out: Evaluators that gave no number, or none for a control, each with the reason.
        raised: What an evaluator raised that is nobody's mistake, or a hook that refuses the run; it is to be raised
            once all numbers are written.
    """

    results: Sequence[Result]
    left_out: Sequence[tuple[str, str]]
    raised: Exception | None = None


def evaluate_all(store: FeatureStore, planned: Sequence[Planned], hooks: HookCalls) -> Evaluation:
    """Lets every evaluator measure all kinds of features. One that fails costs no other its numbers.

    Raises:
        CoviewError: If there were evaluators to run, and each of them has failed.
    """
    results: list[Result] = []
    left_out: list[tuple[str, str]] = []
    failed: list[CoviewError] = []
    raised: Exception | None = None
    read = _rows_read(store, planned)
    for plan in planned:
        if plan.skipped:
            left_out.append((plan.table.use, plan.skipped))
            continue
        try:
            found, lacking = _of_all_kinds(store, plan, read[plan.source.key, plan.tower])
        except CoviewError as error:
            failed.append(CoviewError(f"{plan.table.use}: {error.message}", error.hint))
            left_out.append((plan.table.use, error.message))
            store.say(f"warning: {plan.table.use} is left out: {error}")
            continue
        except Exception as error:  # a bug of one evaluator's: the others' numbers are written before it is raised
            raised = raised or error
            left_out.append((plan.table.use, in_one_line(error)))
            store.say(
                f"warning: {plan.table.use} failed: {in_one_line(error)}; what the other evaluators find is written, "
                f"and coview evaluate {store.folder.path} tries all of them again"
            )
            continue
        for kind, reason in lacking:
            left_out.append((f"{plan.table.use}, {kind} control", reason))
            store.say(f"warning: {plan.table.use} is left out for the control {kind}: {reason}")
        results += chain.from_iterable(found)
        for warning in warnings_of(chain.from_iterable(found)):
            store.say(f"warning: {warning}")
        try:
            for of_one_kind in found:
                hooks("coview_evaluated", Evaluated(store.folder.path, of_one_kind, store.folder.step))
        except CoviewError as error:  # a hook that refuses the run: that is not the evaluator's failure
            raised = raised or error
    if failed and not results and raised is None:
        raise failed[0]
    return Evaluation(results, left_out, raised)


def _rows_read(store: FeatureStore, planned: Iterable[Planned]) -> Mapping[tuple[str, MeasuredTower], SomeOf]:
    """Which rows of each data set, as each tower sees it, are read."""
    by_data: dict[tuple[str, MeasuredTower], list[Planned]] = {}
    for plan in planned:
        if not plan.skipped:
            by_data.setdefault((plan.source.key, plan.tower), []).append(plan)
    return {
        key: rows_read(store.on(plans[0].source, key[1]), [(plan.table.use, plan.evaluator) for plan in plans])
        for key, plans in by_data.items()
    }


def _of_all_kinds(
    store: FeatureStore, plan: Planned, read: SomeOf
) -> tuple[list[list[Result]], list[tuple[FeatureKind, str]]]:
    """The results of one evaluator for each kind of features, controls included, and which control cannot be measured.

    Texts of emoji, say, have no words for raw features: that costs no other number.
    """
    found: list[list[Result]] = []
    lacking: list[tuple[FeatureKind, str]] = []
    measured, *controls = kinds_of(store.recipe, store.registry, plan.tower.modality)
    found.append(of_kind(store, plan, measured, read))
    for kind in controls:
        try:
            found.append(of_kind(store, plan, kind, read))
        except CoviewError as error:
            lacking.append((kind, error.message))
    return beside_controls(found), lacking


def of_kind(store: FeatureStore, plan: Planned, kind: FeatureKind, read: SomeOf = ALL_ROWS) -> list[Result]:
    """The results of one evaluator for one kind of features.

    Args:
        store: Of the model.
        plan: The evaluator.
        kind: Of features.
        read: Which rows of its data are read, where not all.

    Raises:
        CoviewError: If it cannot measure them.
    """
    of_data, evaluator = store.on(plan.source, plan.tower), plan.evaluator
    found = _results(_measure(of_data, evaluator, kind, rng_of(store.recipe.seed, plan.table.use), read))
    ungrouped = {result.split for result in found if _lacks_groups(result, evaluator)}
    of_class = evaluator.labels == "class"  # where only some samples have one, only these were measured
    groups = {
        split: groups_of(of_data.features(kind, evaluator.splits, labelled=of_class, only=read)[split].groups_N)
        for split in ungrouped
    }
    return [
        replace(
            _with_groups(result, groups[result.split]) if _lacks_groups(result, evaluator) else result,
            evaluator=plan.table.use,
            dataset=plan.source.table.written["use"],
            kind=kind,
            of=result.of or plan.tower.name_in(store.recipe),
            protocol={**result.protocol, **_data_protocol(of_data, evaluator, result.protocol)},
        )
        for result in found
    ]


def _lacks_groups(result: Result, evaluator: AnyEvaluator) -> bool:
    """Whether an evaluator says nothing of groups, though it measures single items of data that may have some."""
    return (
        result.per_item is not None
        and result.groups is None
        and not compared_modalities(evaluator)
        and result.split in evaluator.splits
    )


def _with_groups(result: Result, groups: Groups | None) -> Result:
    return replace(result, item_groups=groups.of_N) if groups is not None and len(groups.of_N) == result.n else result


def _results(found: Any) -> list[Result]:
    """What an evaluator returned.

    Raises:
        CoviewError: If it is no list of results.
    """
    if not isinstance(found, list | tuple):
        raise CoviewError(f"it has to return a list of coview.Result, and returns a {type(found).__name__}")
    other = next((item for item in found if not isinstance(item, Result)), None)
    if other is not None:
        raise CoviewError(f"it has to return a list of coview.Result, and there is a {type(other).__name__} in it")
    return list(found)


def _measure(store: FeatureStore, evaluator: AnyEvaluator, kind: FeatureKind, rng: Rng, read: SomeOf) -> list[Result]:
    if isinstance(evaluator, CrossModalEvaluator) and evaluator.modalities:
        return (
            []
            if kind == "raw"
            else evaluator.evaluate_cross_modal(Projections(store, kind, evaluator.of_data).subject, rng)
        )
    if isinstance(evaluator, EncoderEvaluator):
        return evaluator.evaluate_encoder(
            store.subject(kind, evaluator.splits, labelled=evaluator.labels == "class"), rng
        )
    assert isinstance(evaluator, Evaluator)
    return evaluator(store.features(kind, evaluator.splits, labelled=evaluator.labels == "class", only=read), rng)


def _data_protocol(store: FeatureStore, evaluator: AnyEvaluator, given: Mapping[str, Any]) -> dict[str, Any]:
    seen = tuple(given.get("projections_of", ())) or compared_modalities(evaluator) or (store.modality,)
    parts = [of for split in evaluator.splits for of in (split, *[f"{split}/{name}" for name in seen])]
    rows = {of: store.rows[of] for of in parts if of in store.rows}
    protocol: dict[str, Any] = {"dataset_version": store.reference.version, "rows": rows}
    if "projections_of" in given:  # the evaluator has said between which of those that it compares
        protocol["projections_of"] = given["projections_of"]
    elif compared := compared_modalities(evaluator):
        protocol["projections_of"] = sorted(compared)
    else:
        protocol["modality"] = store.modality
        if store.tower.projector:
            protocol["features"] = "projections"
    if store.data.key:
        protocol["data"] = dict(store.data.table.written)
    if "validation" in evaluator.splits:
        protocol["validation"] = (
            "the data's own"
            if store.own_validation
            else f"{validation.FRACTION:.0%} of train, stratified, no group on both sides, seed {validation.SEED}"
        )
    return protocol
