"""Every evaluator on the pretrained encoder and on its controls, and ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coview.data.atomic import replacing, write_atomically
from coview.data.rng import Rng
from coview.data.sample import id_as_int64
from coview.errors import CoviewError
from coview.evaluate.contracts import (
    AnyEvaluator,
    CrossModalEvaluator,
    EncoderEvaluator,
    Evaluator,
    compared_modalities,
)
from coview.evaluate.label_budget import check_budgets
from coview.evaluate.result import Result
from coview.experiment import validation
from coview.experiment.checking_leaks import check_leaks
from coview.experiment.controls import FeatureKind, kinds_of, untrained_in_words
from coview.experiment.feature_store import FeatureStore
from coview.experiment.projections import Projections
from coview.experiment.report.contents import read_document
from coview.experiment.splits import DataSource, Splits
from coview.plugins.hook_calls import HookCalls
from coview.plugins.lifecycle import Evaluated
from coview.recipe.recipe import ComponentTable

if TYPE_CHECKING:
    from coview.experiment.run import Run


@dataclass(frozen=True)
class Planned:
    """An evaluator of the recipe, built.

    Attributes:
        table: As the recipe has it.
        evaluator: The evaluator.
        source: The data that it looks at.
        skipped: Why it cannot run on this data; empty if it can.
    """

    table: ComponentTable
    evaluator: AnyEvaluator
    source: DataSource
    skipped: str = ""


def plan_evaluators(splits: Splits) -> list[Planned]:
    """Builds the evaluators and says which cannot run, before any training.

    Raises:
        CoviewError: If the data has one class only, and an evaluator has to tell classes apart.
    """
    planned, recipe = [], splits.recipe
    for index, table in enumerate(recipe.evaluate):
        evaluator: AnyEvaluator = splits.registry.build("evaluator", table.use, **table.parameters)
        source, reason = splits.source_of(index), ""
        dataset = splits.reference(source)
        if evaluator.labels == "class":
            if dataset.classes is None:
                reason = "the data has no class labels"
            elif len(dataset.classes) < 2:
                raise CoviewError(
                    f"{recipe.where('evaluate', index)}: {table.use} has to tell classes apart, "
                    f"and the data has one only ({dataset.classes[0]})"
                )
        lacking = [split for split in evaluator.splits if split != "validation" and not splits.has(source, split)]
        if lacking:
            raise CoviewError(
                f"{recipe.where('evaluate', index)}: {table.use} needs the split {' and '.join(lacking)}, which "
                f'"{source.table.use}" has not'
            )
        if evaluator.labels == "pairs" and not all(
            getattr(splits(source, split), "pairs", None) is not None for split in evaluator.splits
        ):
            reason = "the data has no judged pairs"
        plan = Planned(table, evaluator, source, reason)
        _check_budgets(splits, plan, recipe.where("evaluate", index))
        planned.append(plan)
    return planned


def _check_budgets(splits: Splits, plan: Planned, where: str) -> None:
    """Refuses more labels than a class has, where the data knows its labels ahead of its samples.

    Those that will validate do not count: which they are is known where the data knows its groups as well.
    """
    budgets = getattr(plan.evaluator, "budgets", ())
    if plan.skipped or not budgets or "train" not in plan.evaluator.splits:
        return
    dataset = splits(plan.source, "train")
    labels = getattr(dataset, "labels", None)
    if labels is None:
        return
    labels_N = np.asarray(labels)
    carved = "validation" in plan.evaluator.splits and not splits.has(plan.source, "validation")
    try:
        if carved and hasattr(dataset, "groups") and (labels_N >= 0).all():
            groups = None if dataset.groups is None else [id_as_int64(group) for group in dataset.groups]
            labels_N = labels_N[validation.carve_validation(len(labels_N), labels_N, groups)[0]]
        check_budgets(labels_N[labels_N >= 0], budgets, dataset.classes)
    except CoviewError as error:
        raise CoviewError(f"{where}: {plan.table.use}: {error.message}", hint=error.hint) from error


def build_evaluated(splits: Splits, planned: Iterable[Planned]) -> None:
    """Builds the splits that the evaluators look at: what is wrong with them shows before any training."""
    for plan in planned:
        for split in () if plan.skipped else plan.evaluator.splits:
            if split != "validation" or splits.has(plan.source, split):  # else it is carved out of train
                splits(plan.source, split)


def evaluate_all(store: FeatureStore, planned: Iterable[Planned], hooks: HookCalls) -> list[Result]:
    """The results of all evaluators on all kinds of features, controls included."""
    recipe = store.recipe
    results: list[Result] = []
    for plan in planned:
        if plan.skipped:
            continue
        of_data = store.on(plan.source)
        for kind in kinds_of(recipe, store.registry):
            # the same draws for every kind of features, so that a control is a paired one
            rng = Rng(recipe.seed, sample=id_as_int64(plan.table.use))
            found = [
                replace(
                    result,
                    evaluator=plan.table.use,
                    dataset=plan.source.table.use,
                    features=kind,
                    protocol={**result.protocol, **_data_protocol(of_data, plan.evaluator)},
                )
                for result in _measure(of_data, plan.evaluator, kind, rng)
            ]
            results += found
            hooks("coview_evaluated", Evaluated(store.folder.path, found))
    return results


def _measure(store: FeatureStore, evaluator: AnyEvaluator, kind: FeatureKind, rng: Rng) -> list[Result]:
    if isinstance(evaluator, CrossModalEvaluator) and evaluator.modalities:
        return [] if kind == "raw" else evaluator.evaluate_cross_modal(Projections(store, kind).subject, rng)
    if isinstance(evaluator, EncoderEvaluator):
        return evaluator.evaluate_encoder(store.subject(kind, evaluator.splits), rng)
    assert isinstance(evaluator, Evaluator)
    return evaluator(store.features(kind, evaluator.splits), rng)


def write_results(store: FeatureStore, planned: Sequence[Planned], results: Sequence[Result]) -> None:
    """Writes ``results.json``; results of an earlier evaluation under another protocol stay."""
    path = store.folder.results
    new = {_identity(row) for row in (result.as_json() for result in results)}
    before = read_document(store.folder)
    kept = [row for row in before.get("results", []) if _identity(row) not in new]
    leaks = [*before.get("leaks", []), *check_leaks(store, _trained_and_tested(planned))]
    document = {
        "run": store.recipe.name,
        "recipe_hash": store.recipe.hash,
        "checkpoint": f"step-{store.step}" if store.recipe.trains else "as it is loaded",
        "encoder": f"{store.modality} encoder of the {store.evaluated}, before the projector, evaluation mode, fp32",
        "untrained": untrained_in_words(store.recipe, store.registry),
        "dataset": _described(store),
        "other_datasets": [_described(other) for other in store.others],
        "results": [*kept, *(result.as_json() for result in results)],
        "skipped_samples": [
            {
                "split": f"{of.data.table.use} {split}" if of.data.key else split,
                "sample": sample.what,
                "reason": sample.reason,
            }
            for of in (store, *store.others)
            for split, skipped in of.skipped.items()
            for sample in skipped
        ],
        "leaks": list({(found["data"], found["version"]): found for found in leaks}.values()),
        "skipped_evaluators": [{"evaluator": p.table.use, "reason": p.skipped} for p in planned if p.skipped],
    }
    for result in results:
        if result.per_item is not None:
            items = store.folder.per_item(result.protocol_hash, result.features)
            items.parent.mkdir(exist_ok=True)
            with replacing(items) as beside:
                np.save(beside, result.per_item)
    write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _described(store: FeatureStore) -> dict[str, str]:
    """What the data is: name, version, licence, citation."""
    dataset = store.reference
    return {
        "name": store.data.table.use,
        "version": dataset.version,
        "licence": dataset.licence,
        "citation": dataset.citation,
    }


def _trained_and_tested(planned: Iterable[Planned]) -> list[DataSource]:
    """The data of which evaluators learn from one split and are tested on another."""
    return [plan.source for plan in planned if not plan.skipped and {"train", "test"} <= set(plan.evaluator.splits)]


def evaluate_run(
    run: Run | Path | str,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    quiet: bool = False,
) -> Run:
    """Evaluates a finished run again, under the protocol of its recipe or another.

    Args:
        run: The run, or its folder.
        overrides: Over the recipe's ``evaluate`` tables, and its ``train.device``.
        sets: The same as texts ``KEY=VALUE``.
        quiet: Whether to show no progress.

    Raises:
        CoviewError: If an override is of anything but these, or the run has no checkpoint.
    """
    from coview.experiment.run import load_run
    from coview.recipe.load import load_recipe
    from coview.recipe.snapshot import difference

    path = run if isinstance(run, Path | str) else run.path
    found = load_run(path)
    recipe = load_recipe(found.path / "recipe.toml", overrides=overrides, sets=sets)
    may_change = ("evaluate", "train.device")
    changed = [line for line in difference(found.recipe.tables, recipe.tables) if not line.startswith(may_change)]
    if changed:
        listed = "\n    ".join(changed)
        raise CoviewError(
            f"an evaluation can change [[evaluate]] and train.device only, and this changes:\n    {listed}"
        )
    return found.evaluated_as(recipe, quiet=quiet)


def _data_protocol(store: FeatureStore, evaluator: AnyEvaluator) -> dict[str, Any]:
    protocol: dict[str, Any] = {"dataset_version": store.reference.version}
    if compared := compared_modalities(evaluator):
        protocol["projections_of"] = sorted(compared)
    else:
        protocol["modality"] = store.modality
    if store.data.key:
        protocol["data"] = {"use": store.data.table.use, **store.data.table.parameters}
    if "validation" in evaluator.splits:
        protocol["validation"] = (
            "the data's own"
            if store.own_validation
            else f"{validation.FRACTION:.0%} of train, stratified, no group on both sides, seed {validation.SEED}"
        )
    return protocol


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["evaluator"], row["metric"], row["dataset"], row["split"], row["features"], row["protocol_hash"]
