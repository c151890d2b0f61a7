"""What an encoder costs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from encoder_subjects import Encoder, Vectors, subject
from torch import nn

import coview
from coview.builtin.evaluators.cost import Cost


@pytest.fixture
def data():
    return {"test": Vectors(np.zeros((10, 4)), np.arange(10) % 2)}


def test_counts_are_those_of_the_layers(data):
    encoder = Encoder(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    found = {r.metric: r for r in Cost(batch_size=6, repeats=5).evaluate_encoder(subject(encoder, data), coview.Rng(0))}
    assert found["parameters"].value == 4 * 8 + 8 + 8 * 3 + 3
    assert found["flops_per_sample"].value == 2 * (4 * 8 + 8 * 3)
    speed = found["samples_per_s"]
    assert 0 < speed.ci_low <= speed.value <= speed.ci_high
    # both layers' weights, the inputs, and two hidden layers at once: before and after the ReLU
    assert found["peak_memory_mib"].value * 2**20 == 4 * (67 + 6 * 4 + 2 * 6 * 8)
    assert speed.n == 6
    assert speed.protocol["device"] == "cpu"


def test_a_batch_is_no_larger_than_the_split(data):
    encoder = Encoder(nn.Linear(4, 2))
    [result, *_] = Cost(batch_size=64, repeats=5).evaluate_encoder(subject(encoder, data), coview.Rng(0))
    assert result.protocol["batch_size"] == 10


def test_raw_features_cost_no_encoder(data):
    assert Cost().evaluate_encoder(subject(None, data), coview.Rng(0)) == []


@pytest.mark.parametrize(("target", "seconds"), [(2.0, [7.5]), (1.2, [11.0]), (0.5, [])])
def test_the_time_until_a_loss_was_first_reached(target, seconds):
    losses = [(2.5, 3.0), (7.5, 1.9), (9.0, None), (10.0, 2.2), (11.0, 1.1)]
    log = [{"step": step, "time": time, "loss": loss} for step, (time, loss) in enumerate(losses)]
    data = {"test": Vectors(np.zeros((8, 4)), np.arange(8) % 2)}
    trained = dataclasses.replace(subject(Encoder(nn.Linear(4, 2)), data), metrics=log)
    results = Cost(repeats=5, target_loss=target).evaluate_encoder(trained, coview.Rng(0))
    assert [row.value for row in results if row.metric == "seconds_to_loss"] == seconds
