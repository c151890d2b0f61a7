"""The kit finds what is wrong with a callback. Each here is right but for one mistake."""

import random

import pytest
import torch
from failing import failures

import coview
from coview.builtin.callbacks.early_stopping import EarlyStopping
from coview.testing import ConformanceError, check_callback


@pytest.mark.parametrize(
    ("parameters", "metrics"),
    [
        ({"metric": "loss"}, ()),
        ({"metric": "spread", "mode": "max", "patience": 1}, ()),
        ({"metric": "knn/accuracy", "patience": 2}, ("knn/accuracy",)),
        ({"metric": "loss", "patience": 100}, ()),
    ],
)
def test_early_stopping_keeps_its_promises(parameters, metrics):
    check_callback(EarlyStopping, parameters=parameters, metrics=metrics)


def test_one_that_does_nothing_keeps_them():
    check_callback(coview.Callback)


class Stops(coview.Callback):
    """At the third point at which the loss stays as it was: right, with a state and a class that says so."""

    changes_run = True

    def __init__(self):
        self.seen = []

    def step_end(self, context):
        self.seen.append(context.metrics["loss"])
        if self.seen[-3:] == [self.seen[-1]] * 3:
            context.stop("no better")

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = list(state["seen"])


def test_one_that_stops_keeps_them():
    check_callback(Stops)


class NoCallback:
    pass


class TakesDoneOnly(coview.Callback):
    def run_end(self, context):
        assert context.status == "done"


class NeedsMetrics(coview.Callback):
    def epoch_end(self, context):
        print(context.metrics["loss"])


class WritesWeights(coview.Callback):
    def step_end(self, context):
        next(iter(context.model.parameters())).data.mul_(0.5)


class WritesGradients(coview.Callback):
    def before_step(self, context):
        torch.nn.utils.clip_grad_norm_(context.model.parameters(), 1e-3)


class ChangesMode(coview.Callback):
    def epoch_end(self, context):
        context.model.eval()


class Freezes(coview.Callback):
    def run_start(self, context):
        context.model[3].bias.requires_grad_(False)


class Draws(coview.Callback):
    def step_end(self, context):
        torch.randn(1)


class Seeds(coview.Callback):
    def run_start(self, context):
        random.seed(0)


class StopsUnsaid(Stops):
    changes_run = False


class Forgets(Stops):
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class KeepsTensors(coview.Callback):
    def state_dict(self):
        return {"x": torch.ones(1)}


MUTANTS = [
    (NoCallback, "takes_every_context"),
    (TakesDoneOnly, "takes_every_context"),
    (NeedsMetrics, "takes_every_context"),
    (WritesWeights, "only_looks_at_the_model"),
    (WritesGradients, "only_looks_at_the_model"),
    (ChangesMode, "only_looks_at_the_model"),
    (Freezes, "only_looks_at_the_model"),
    (Draws, "leaves_the_global_generators"),
    (Seeds, "leaves_the_global_generators"),
    (StopsUnsaid, "stops_only_if_it_says_so"),
    (Forgets, "goes_on_from_its_state"),
    (KeepsTensors, "goes_on_from_its_state"),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_callback, mutant)[0] == {check}


def test_every_check_has_a_mutant():
    assert {check for _, check in MUTANTS} == set(coview.testing.CALLBACK_CHECKS)


def test_what_is_wrong_is_said():
    message = r"WritesWeights does not keep a promise:\n  only_looks_at_the_model: the weights of the model are different with it"
    with pytest.raises(ConformanceError, match=message):
        check_callback(WritesWeights)
