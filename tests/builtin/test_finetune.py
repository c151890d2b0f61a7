"""The whole encoder, trained further with labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from encoder_subjects import Encoder, Vectors, subject
from torch import nn
from torch.nn.functional import cross_entropy

import coview
from coview.builtin.evaluators.finetune import Finetune
from coview.evaluate.encoder_subject import AugmentStep


def crossed(n, seed):
    """Two classes that no line parts: the sign of a product."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return Vectors(x, (x[:, 0] * x[:, 1] > 0).astype(np.int64))


@pytest.fixture
def data():
    return {"train": crossed(256, 0), "validation": crossed(64, 1), "test": crossed(128, 2)}


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 8))


def test_an_encoder_learns_what_no_linear_classifier_on_it_can(data, encoder):
    frozen = Encoder(nn.Linear(2, 2)).requires_grad_(True)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    [result] = Finetune(epochs=30, lr=0.02).evaluate_encoder(subject(encoder, data), coview.Rng(0))
    assert result.metric == "accuracy"
    assert result.value > 0.9
    assert result.ci_low < result.value < result.ci_high
    assert result.n == 128
    assert result.per_item.mean() == pytest.approx(result.value)
    [linear] = Finetune(epochs=30, lr=0.02).evaluate_encoder(subject(frozen, data), coview.Rng(0))
    assert linear.value < 0.7
    # what others measure afterwards is the encoder as it was
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_it_is_adamw_with_a_warmup_and_a_cosine(data, encoder):
    """With one batch for an epoch the order of samples does not matter, and a loop by hand ends at the same weights."""
    rng = coview.Rng(5)
    evaluator = Finetune(labels_per_class=20, draws=1, epochs=25, batch_size=40, lr=0.02, weight_decay=0.1)
    given = subject(encoder, data)
    [result] = evaluator.evaluate_encoder(given, rng)

    again = coview.Rng(5)
    labels = data["train"].labels_N
    shuffled = [again.numpy.permutation(np.flatnonzero(labels == c)) for c in (0, 1)]
    rows = np.concatenate([of_class[:20] for of_class in shuffled])
    torch.manual_seed(again.seed32())
    model = given.copy_of_encoder()
    head = nn.Linear(8, 2)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1},
         {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    )  # fmt: skip
    x, y = torch.from_numpy(data["train"].x_ND[rows]), torch.from_numpy(labels[rows])
    for step in range(25):
        rate = (step + 1) / 2 if step < 2 else 0.5 * (1 + math.cos(math.pi * (step - 2) / 23))
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * rate
        optimizer.zero_grad()
        cross_entropy(head(model(x).pooled_ND), y).backward()
        optimizer.step()
    with torch.no_grad():
        predicted = head(model(torch.from_numpy(data["test"].x_ND)).pooled_ND).argmax(1).numpy()
    assert result.per_item.tolist() == (predicted == data["test"].labels_N).astype(float).tolist()


def test_training_stops_when_validation_does_not_rise(data, encoder):
    stuck = Finetune(epochs=50, lr=1e-12, patience=3)
    [result] = stuck.evaluate_encoder(subject(encoder, data), coview.Rng(0))
    assert result.protocol["chosen"] == {"epochs": [1]}
    assert result.protocol["stopping"] == "validation accuracy, patience 3"


def test_a_budget_of_labels_uses_no_validation_label(data, encoder):
    evaluator = Finetune(labels_per_class=(5, 10), draws=2, epochs=3)
    results = evaluator.evaluate_encoder(subject(encoder, data), coview.Rng(0))
    assert [result.protocol["labels_per_class"] for result in results] == [5, 10]
    assert {result.protocol["stopping"] for result in results} == {"none"}
    assert [result.protocol["draws"] for result in results] == [2, 2]
    other = {**data, "validation": Vectors(data["validation"].x_ND, 1 - data["validation"].labels_N)}
    again = evaluator.evaluate_encoder(subject(encoder, other), coview.Rng(0))
    assert [r.per_item.tolist() for r in again] == [r.per_item.tolist() for r in results]


class Jitter:
    def __call__(self, value, rng):
        return value + np.float32(0.1) * rng.numpy.standard_normal(value.shape).astype(np.float32)


def test_the_number_of_workers_and_earlier_draws_change_nothing(data, encoder):
    steps = [AugmentStep("jitter", {}, Jitter())]
    evaluator = Finetune(labels_per_class=16, draws=1, epochs=2, augment=True)
    found = []
    for workers in (0, 2):
        torch.rand(7)
        given = subject(encoder, data, steps=steps, workers=workers)
        [result] = evaluator.evaluate_encoder(given, coview.Rng(0))
        found.append(result)
    assert found[0].per_item.tolist() == found[1].per_item.tolist()
    assert found[0].protocol["augmented"] == ["jitter"]
    plain = Finetune(labels_per_class=16, draws=1, epochs=2)
    [without] = plain.evaluate_encoder(subject(encoder, data, steps=steps), coview.Rng(0))
    assert without.protocol_hash != found[0].protocol_hash


def test_raw_features_cannot_be_trained(data):
    assert Finetune(epochs=1).evaluate_encoder(subject(None, data), coview.Rng(0)) == []


def test_an_encoder_that_was_not_trained_itself_is_trained_here(data, encoder):
    """A teacher's weights need no gradient."""
    [result] = Finetune(epochs=30, lr=0.02).evaluate_encoder(
        subject(encoder.requires_grad_(False), data), coview.Rng(0)
    )
    assert result.value > 0.9
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_loss_that_is_not_finite_is_said(data):
    broken = Encoder(nn.Linear(2, 4))
    given = subject(broken, data)
    with torch.no_grad():
        broken.layers[0].weight.fill_(1e38)
    with pytest.raises(coview.CoviewError, match="finetune: the loss is"):
        Finetune(epochs=2).evaluate_encoder(given, coview.Rng(0))
