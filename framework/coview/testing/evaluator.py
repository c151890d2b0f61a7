"""What every evaluator of features promises, one check each, and all of them at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from coview.data.generators import seeded
from coview.data.rng import Rng
from coview.data.same import same
from coview.errors import CoviewError
from coview.evaluate.evaluator import Evaluator, ReadsSomeRows
from coview.evaluate.features import Features, FeatureSplit
from coview.evaluate.result import Result
from coview.testing.conformance import Check, Problems, UnderTest, run_checks

_CLASSES = ("first", "second", "third")
_SPLITS = {"train": 90, "validation": 45, "test": 60}
_WIDTH = 8
_ROUNDING = 1e-6


@dataclass(frozen=True)
class EvaluatorUnderTest(UnderTest):
    """An evaluator, by what builds it.

    Attributes:
        factory, parameters: What builds it.
    """

    def results(self, features: Features, *, seed: int = 0) -> list[Result]:
        """What a new instance finds in a copy of the features."""
        found: list[Result] = self.fresh()(_asked(self.fresh(), copy.deepcopy(features)), Rng(seed=seed))
        return found

    @cached_property
    def found(self) -> list[Result]:
        """What it finds in the features that most checks are of: some evaluators take seconds."""
        return self.results(example_features())


def example_features(apart: float = 1.5) -> Features:
    """Features of three classes, with scores and judged pairs, by one seed.

    Args:
        apart: How far the classes' means are from 0, in standard deviations; 0: they say nothing.
    """
    generator = torch.Generator().manual_seed(0)
    means_CD = torch.nn.functional.normalize(torch.randn(len(_CLASSES), _WIDTH, generator=generator), dim=1) * apart * 2
    splits, first = {}, 0
    for name, size in _SPLITS.items():
        labels_N = torch.arange(size) % len(_CLASSES)
        noise_ND = torch.randn(size, _WIDTH, generator=generator)
        pairs_P2 = torch.stack([torch.arange(size - 1), torch.arange(1, size)], 1)
        x_ND = means_CD[labels_N] + noise_ND
        splits[name] = FeatureSplit(
            x_ND,
            torch.arange(first, first + size),
            labels_N,
            (x_ND[:, 0] * apart + noise_ND[:, 1]).double(),
            None,
            pairs_P2,
            torch.nn.functional.cosine_similarity(x_ND[pairs_P2[:, 0]], x_ND[pairs_P2[:, 1]]).double(),
        )
        first += size
    return Features(splits, _CLASSES)


def _asked(evaluator: Evaluator, features: Features) -> Features:
    """What an evaluator declares, and no more."""
    splits = {name: features[name] for name in evaluator.splits}
    if evaluator.labels != "class":
        splits = {name: replace(split, labels_N=None) for name, split in splits.items()}
    if evaluator.labels != "score":
        splits = {name: replace(split, scores_N=None) for name, split in splits.items()}
    if evaluator.labels != "pairs":
        splits = {name: replace(split, pairs_P2=None, pair_scores_P=None) for name, split in splits.items()}
    return replace(features, splits=splits, classes=features.classes if evaluator.labels == "class" else None)


def says_what_it_needs(tested: EvaluatorUnderTest) -> Problems:
    """``splits`` are a tuple of train, validation and test; ``labels`` is "class", "score", "pairs" or None."""
    evaluator = tested.fresh()
    if not isinstance(evaluator, Evaluator):
        yield "it is not a coview.Evaluator: it has to have splits and labels, and to be called with features and rng"
        return
    if not isinstance(evaluator.splits, tuple) or not evaluator.splits or not set(evaluator.splits) <= set(_SPLITS):
        yield f"splits has to be a tuple of {', '.join(_SPLITS)}, and is {evaluator.splits!r}"
    if evaluator.labels not in ("class", "score", "pairs", None):
        yield f'labels has to be "class", "score", "pairs" or None, and is {evaluator.labels!r}'


def finds_results(tested: EvaluatorUnderTest) -> Problems:
    """A list of ``coview.Result``, no two of one metric and protocol, each of a split that it declares."""
    found = tested.found
    if not isinstance(found, list) or not found or not all(isinstance(one, Result) for one in found):
        yield f"it returns {found!r}, and has to return a list of coview.Result with at least one"
        return
    seen: set[str] = set()
    for one in found:
        key = replace(one, evaluator="it").protocol_hash
        if key in seen:
            yield f"two results are of one protocol, metric {one.metric}: a reader cannot tell them apart"
        seen.add(key)
        if one.split not in tested.fresh().splits:
            yield f"a result is of the split {one.split!r}, which it does not declare"


def is_a_function_of_features_and_rng(tested: EvaluatorUnderTest) -> Problems:
    """The same features and the same ``rng`` give the same numbers: pretrained and controls are measured alike."""
    first = tested.found
    with seeded(123):
        state = np.random.get_state()
        np.random.seed(123)
        again = tested.results(example_features())
        np.random.set_state(state)
    if [one.value for one in first] != [one.value for one in again]:
        yield "the second time it finds other numbers: all randomness has to come from rng"


def leaves_features_alone(tested: EvaluatorUnderTest) -> Problems:
    """It writes into nothing that it sees: other evaluators see the same features."""
    features = example_features()
    evaluator = tested.fresh()
    given = _asked(evaluator, features)
    evaluator(given, Rng())
    for name, split in given.splits.items():
        for part, value in vars(split).items():
            if value is not None and not same(value, getattr(example_features()[name], part)):
                yield f"it writes into {part} of {name}"


def order_of_test_items_means_nothing(tested: EvaluatorUnderTest) -> Problems:
    """Test items in another order give the same numbers, and ``per_item`` in that order."""
    evaluator = tested.fresh()
    if "test" not in evaluator.splits or evaluator.labels == "pairs":
        return
    features = example_features()
    order = torch.randperm(_SPLITS["test"], generator=torch.Generator().manual_seed(3))
    test = features["test"]
    turned = replace(
        test,
        x_ND=test.x_ND[order],
        ids_N=test.ids_N[order],
        labels_N=None if test.labels_N is None else test.labels_N[order],
        scores_N=None if test.scores_N is None else test.scores_N[order],
    )
    other = replace(features, splits={**features.splits, "test": turned})
    for one, again in zip(tested.found, tested.results(other), strict=True):
        if one.split != "test":
            continue
        if abs(one.value - again.value) > _ROUNDING * max(1.0, abs(one.value)):
            yield f"{one.metric} is {one.value:.6g}, and {again.value:.6g} of the same test items in another order"
        elif not _same_items(one.per_item, again.per_item, order.numpy()):
            yield f"per_item of {one.metric} is not in the order of the test items: paired tests would be wrong"


def _same_items(one_N: np.ndarray | None, other_N: np.ndarray | None, order_N: np.ndarray) -> bool:
    return one_N is None or other_N is None or np.allclose(np.asarray(one_N)[order_N], other_N, atol=1e-5)


def per_item_has_the_mean_of_the_number(tested: EvaluatorUnderTest) -> Problems:
    """Where a result has ``per_item``, the number is its mean: a comparison resamples the items."""
    for one in tested.found:
        if one.per_item is not None and abs(float(np.mean(one.per_item)) - one.value) > 1e-4:
            yield f"{one.metric} is {one.value:.6g}, and the mean of its per_item {float(np.mean(one.per_item)):.6g}"


def better_features_have_a_better_number(tested: EvaluatorUnderTest) -> Problems:
    """Of classes that lie apart the number is better, by ``better``, than of features that say nothing of them."""
    if tested.fresh().labels != "class":
        return
    apart, alike = tested.results(example_features(3.0)), tested.results(example_features(0.0))
    for good, bad in zip(apart, alike, strict=True):
        sign = 1 if good.better == "higher" else -1
        if sign * (good.value - bad.value) <= 0:
            yield (
                f"{good.metric} is {good.value:.4g} of classes far apart, and {bad.value:.4g} of features that "
                f"say nothing; it says that the {good.better} number is better"
            )


def reads_the_rows_that_it_says(tested: EvaluatorUnderTest) -> Problems:
    """Where it is a ``coview.ReadsSomeRows``, it finds the same numbers if all rows but those it names are NaN."""
    evaluator = tested.fresh()
    if not isinstance(evaluator, ReadsSomeRows):
        return
    features = _asked(tested.fresh(), example_features())
    bare = {name: replace(split, x_ND=split.x_ND[:, :0]) for name, split in features.splits.items()}
    named = evaluator.rows_read(replace(features, splits=bare), Rng(seed=0))
    if unknown := set(named) - set(features.splits):
        yield f"rows_read names the split {min(unknown)!r}, which it does not declare"
        return
    splits = {**example_features().splits}
    for name, rows in named.items():
        embedded_N = torch.zeros(len(splits[name]), dtype=torch.bool)
        embedded_N[torch.from_numpy(np.asarray(rows))] = True
        x_ND = splits[name].x_ND.masked_fill(~embedded_N[:, None], torch.nan)
        splits[name] = replace(splits[name], x_ND=x_ND, embedded_N=embedded_N)
    try:
        again = [one.value for one in tested.results(replace(example_features(), splits=splits))]
    except CoviewError as error:
        yield f"of the rows that rows_read names it can measure nothing: {error.message}"
        return
    if again != [one.value for one in tested.found]:
        yield "with NaN in all rows but those that rows_read names it finds other numbers: it reads other rows too"


EVALUATOR_CHECKS: Mapping[str, Check[EvaluatorUnderTest]] = {
    check.__name__: check
    for check in (
        says_what_it_needs,
        finds_results,
        is_a_function_of_features_and_rng,
        leaves_features_alone,
        order_of_test_items_means_nothing,
        per_item_has_the_mean_of_the_number,
        better_features_have_a_better_number,
        reads_the_rows_that_it_says,
    )
}
"""Name to check."""

_AFTER = {
    "finds_results": ("says_what_it_needs",),
    **dict.fromkeys([*EVALUATOR_CHECKS][2:], ("says_what_it_needs", "finds_results")),
    **dict.fromkeys(
        ("order_of_test_items_means_nothing", "better_features_have_a_better_number", "reads_the_rows_that_it_says"),
        ("says_what_it_needs", "finds_results", "is_a_function_of_features_and_rng"),
    ),
}


def check_evaluator(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(EVALUATOR_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that an evaluator of features promises, on made-up features of three classes.

    Evaluators of encoders and of several modalities are not tried: they need a model.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        parameters: What it is built with; the defaults otherwise.
        only: Names of the checks to run, of ``EVALUATOR_CHECKS``.
        except_for: Checks that this evaluator is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(EVALUATOR_CHECKS, EvaluatorUnderTest(factory, parameters or {}), factory, only, except_for, after=_AFTER)
