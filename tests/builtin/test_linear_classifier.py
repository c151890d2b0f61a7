"""A linear classifier by SGD on the frozen encoder, against a loop by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_subjects import Encoder, Vectors, subject
from torch import nn
from torch.nn.functional import cross_entropy

import coview
from coview.builtin.evaluators.linear_classifier import LinearClassifier
from coview.evaluate.encoder_subject import AugmentStep


def clouds(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return Vectors(rng.normal(size=(n, 4)) + 0.8 * np.eye(3, 4)[labels], labels)


@pytest.fixture
def data():
    return {"train": clouds(120, 0), "test": clouds(90, 1)}


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))


@pytest.mark.parametrize("drops", [(), (4, 6)])
def test_it_is_sgd_with_momentum_at_rates_that_drop_after_epochs(data, encoder, drops):
    """With one batch for an epoch the order of samples does not matter, and a loop by hand ends at the same weights."""
    encoder.eval()
    evaluator = LinearClassifier(epochs=8, batch_size=500, lr=2.0, weight_decay=0.01, drops=drops, factor=0.2)
    [result] = evaluator.evaluate_encoder(subject(encoder, data), coview.Rng(5))

    torch.manual_seed(coview.Rng(5).seed32())
    head = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(head.parameters(), lr=2.0, momentum=0.9, weight_decay=0.01)
    with torch.no_grad():
        x, x_test = (encoder(torch.from_numpy(data[split].x_ND)).pooled_ND for split in ("train", "test"))
    y = torch.from_numpy(data["train"].labels_N)
    for epoch in range(8):
        rate = 0.5 * (1 + np.cos(np.pi * epoch / 8)) if not drops else 0.2 ** sum(epoch >= drop for drop in drops)
        for group in optimizer.param_groups:
            group["lr"] = 2.0 * rate
        optimizer.zero_grad()
        cross_entropy(head(x), y).backward()
        optimizer.step()
    predicted = head(x_test).argmax(1).numpy()
    assert result.per_item.tolist() == (predicted == data["test"].labels_N).astype(float).tolist()
    assert 0.4 < result.value < 1


def test_the_encoder_stays_as_it_is_and_in_evaluation_mode(data, encoder):
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    given = subject(encoder.eval(), data)
    encoder.train()
    LinearClassifier(epochs=2, batch_size=30, drops=()).evaluate_encoder(given, coview.Rng(0))
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())
    assert encoder.training


class Jitter:
    seen: list[float] = []  # noqa: RUF012

    def __call__(self, value, rng):
        made = value + np.float32(0.1) * rng.numpy.standard_normal(value.shape).astype(np.float32)
        self.seen.append(float(made.sum()))
        return made


def test_samples_are_augmented_anew_in_each_epoch(data, encoder):
    steps = [AugmentStep("jitter", {}, Jitter())]
    encoder.eval()
    found = [
        LinearClassifier(epochs=3, batch_size=30, augment=augment).evaluate_encoder(
            subject(encoder, data, steps=steps, workers=workers), coview.Rng(0)
        )[0]
        for augment, workers in ((True, 0), (True, 2), (False, 0))
    ]
    assert len(set(Jitter.seen)) == 3 * 120
    assert found[0].per_item.tolist() == found[1].per_item.tolist()
    assert found[0].protocol["augmented"] == ["jitter"]
    assert found[2].protocol["augmented"] == "no"
    assert found[0].protocol_hash != found[2].protocol_hash


def test_raw_features_have_no_encoder_to_be_seen_through(data):
    assert LinearClassifier(epochs=1).evaluate_encoder(subject(None, data), coview.Rng(0)) == []


def test_a_loss_that_is_not_finite_is_said(data):
    far = Encoder(nn.Linear(4, 2)).eval()
    with torch.no_grad():
        far.layers[0].weight.fill_(1e30)
    with pytest.raises(coview.CoviewError, match="linear_classifier: the loss is"):
        LinearClassifier(epochs=5, lr=1e4).evaluate_encoder(subject(far, data), coview.Rng(0))


def test_it_is_the_second_stage_of_a_run(write_recipe, small_recipe, own_run, registry, tmp_path):
    text = small_recipe.replace("steps = 6\nbatch_size = 32\n", "steps = 0\n").replace(
        'use = "knn"\nk = 5', 'use = "linear_classifier"\nepochs = 2\nlr = 1.0\ndrops = [1]'
    )
    path = write_recipe(f'{text}\n[start]\nrun = "{own_run.path}"\n')
    run = coview.run(coview.load_recipe(path, registry=registry), tmp_path / "second", registry=registry, quiet=True)
    kinds = {result.kind: result.value for result in run.results if result.evaluator == "linear_classifier"}
    assert set(kinds) == {"pretrained", "untrained"}
    theirs = own_run.encoder.state_dict()
    assert all(torch.equal(theirs[name], value) for name, value in run.encoder.state_dict().items())
