"""The kit finds what is wrong with an evaluator. Each here is right but for one mistake."""

import random

import numpy as np
import pytest
import torch
from failing import failures

import coview
import coview.testing
from coview.evaluate.evaluator import Evaluator
from coview.testing import check_evaluator

REGISTRY = coview.load_plugins()


class NearestMean:
    splits = ("train", "test")
    labels = "class"

    def right(self, features):
        train, test = features["train"], features["test"]
        means = torch.stack([train.x_ND[train.labels_N == c].mean(0) for c in range(len(features.classes))])
        return (torch.cdist(test.x_ND, means).argmin(1) == test.labels_N).double()

    def result(self, right_N, value=None, **more):
        value = float(right_N.mean()) if value is None else value
        more = {"per_item": right_N.numpy(), **more}
        return coview.Result("accuracy", value, value, value, len(right_N), more.pop("split", "test"), **more)

    def __call__(self, features, rng):
        return [self.result(self.right(features))]


class Splits(NearestMean):
    splits = ["train", "test"]  # noqa: RUF012


class Nothing(NearestMean):
    def __call__(self, features, rng):
        return []


class TwiceTheSame(NearestMean):
    def __call__(self, features, rng):
        return super().__call__(features, rng) * 2


class OtherSplit(NearestMean):
    def __call__(self, features, rng):
        return [self.result(self.right(features), split="validation")]


class Draws(NearestMean):
    def __call__(self, features, rng):
        right_N = self.right(features)
        return [self.result(right_N, float(right_N.mean()) - 0.01 * float(torch.rand(())), per_item=None)]


class DrawsNumPy(NearestMean):
    def __call__(self, features, rng):
        right_N = self.right(features)
        less = 0.01 * random.Random(int(np.random.randint(10**6))).random()
        return [self.result(right_N, float(right_N.mean()) - less, per_item=None)]


class Writes(NearestMean):
    def __call__(self, features, rng):
        found = super().__call__(features, rng)
        features["test"].x_ND.zero_()
        return found


class ByPlace(NearestMean):
    def __call__(self, features, rng):
        right_N = self.right(features)
        return [self.result(right_N[: len(right_N) // 2])]


class Sorted(NearestMean):
    def __call__(self, features, rng):
        right_N = self.right(features)
        return [self.result(right_N, per_item=right_N.sort().values.numpy())]


class OtherItems(NearestMean):
    def __call__(self, features, rng):
        right_N = self.right(features)
        return [self.result(right_N, float(right_N.mean()), per_item=1 - right_N.numpy())]


class ErrorRate(NearestMean):
    def __call__(self, features, rng):
        return [self.result(1 - self.right(features))]


class ReadsMore(NearestMean):
    """It names the first half of train, and takes the means of all."""

    def rows_read(self, features, rng):
        assert features["train"].x_ND.shape == (90, 0)
        return {"train": np.arange(45)}


class NamesOtherSplit(NearestMean):
    def rows_read(self, features, rng):
        return {"validation": np.arange(3)}


MUTANTS = [
    (Splits, "says_what_it_needs"),
    (Nothing, "finds_results"),
    (TwiceTheSame, "finds_results"),
    (OtherSplit, "finds_results"),
    (Draws, "is_a_function_of_features_and_rng"),
    (DrawsNumPy, "is_a_function_of_features_and_rng"),
    (Writes, "leaves_features_alone"),
    (ByPlace, "order_of_test_items_means_nothing"),
    (Sorted, "order_of_test_items_means_nothing"),
    (OtherItems, "per_item_has_the_mean_of_the_number"),
    (ErrorRate, "better_features_have_a_better_number"),
    (ReadsMore, "reads_the_rows_that_it_says"),
    (NamesOtherSplit, "reads_the_rows_that_it_says"),
]


def test_one_that_is_right_passes():
    check_evaluator(NearestMean)


@pytest.mark.parametrize(("mutant", "check"), MUTANTS)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_evaluator, mutant)[0] == {check}


NEEDS_MORE = {
    "few_shot": {"ways": 2, "shots": [1], "tasks": 20},
    "mlp_probe": {"labels_per_class": [10], "hidden": 64, "draws": 2},
}
"""Parameters that made-up features of 30 samples a class can serve, and quickly."""


def of_features():
    for component in REGISTRY.of_kind("evaluator"):
        try:
            made = REGISTRY.build("evaluator", component.qualified, **NEEDS_MORE.get(component.name, {}))
        except coview.CoviewError:
            continue
        if isinstance(made, Evaluator):
            yield component.name


@pytest.mark.parametrize("name", ["knn", "linear_probe", "mlp_probe"])
def test_those_with_a_budget_of_labels_keep_theirs(name):
    more = {"hidden": 64} if name == "mlp_probe" else {}
    parameters = {"labels_per_class": [2, "10%"], "draws": 2, **more}
    component = next(c for c in REGISTRY.of_kind("evaluator") if c.name == name)
    only = ["says_what_it_needs", "finds_results", "is_a_function_of_features_and_rng", "reads_the_rows_that_it_says"]
    check_evaluator(component.load(), parameters=parameters, only=only)
    made = component.load()(**parameters)
    features = coview.testing.example_features()
    read = made.rows_read(features, coview.Rng())["train"]
    assert 6 <= len(read) <= 2 * 3 * 3  # two draws of three classes, of which a share of 10% of 30 is three


EXCEPTED = {
    "clustering": {"order_of_test_items_means_nothing": "k-means begins at rows that are drawn by their place"},
}


@pytest.mark.parametrize("name", sorted(of_features()))
def test_the_evaluators_of_coview_keep_their_promises(name):
    component = next(c for c in REGISTRY.of_kind("evaluator") if c.name == name)
    check_evaluator(component.load(), parameters=NEEDS_MORE.get(name, {}), except_for=EXCEPTED.get(name))
