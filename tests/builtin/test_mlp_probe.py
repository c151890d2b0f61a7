"""HEAR's probe: its network and training against scikit-learn and loops, and what chooses what."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier

from coview import Features, FeatureSplit, Rng
from coview.builtin.evaluators.mlp_probe import MLPProbe
from coview.builtin.evaluators.perceptron import Settings, Stopping, perceptron, train

HOW = Settings(layers=1, lr=3e-3, init="xavier_uniform", hidden=32, dropout=0.0, batch_size=64, epochs=40)


def rings(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes, one around the other: a linear classifier sees nothing in them."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    angle = 2 * math.pi * torch.rand(n, generator=generator)
    radius = 1.0 + y + 0.2 * torch.randn(n, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), y


def features(**counts: int) -> Features:
    parts = {name: rings(n, seed) for seed, (name, n) in enumerate(counts.items())}
    splits = {name: FeatureSplit(x, torch.arange(len(x)), y) for name, (x, y) in parts.items()}
    return Features(splits, ("inner", "outer"))


def small(**changes: object) -> MLPProbe:
    given = {"hidden": 32, "batch_size": 64, "lr": (3e-3, 1e-3), "trials": 2, "max_epochs": 40, "layers": (1,)}
    return MLPProbe(**{**given, **changes})  # type: ignore[arg-type]


def test_the_network_is_hears() -> None:
    torch.manual_seed(0)
    net = perceptron(5, 3, replace(HOW, layers=2, hidden=400, dropout=0.1))
    kinds = [type(module).__name__ for module in net]
    block = ["Linear", "BatchNorm1d", "Dropout", "ReLU"]
    assert kinds == [*block, *block, "Linear"]
    for at, gain in ((0, 1.0), (4, math.sqrt(2)), (8, math.sqrt(2))):
        rows, columns = net[at].weight.shape
        bound = gain * math.sqrt(6 / (rows + columns))  # Glorot and Bengio 2010, eq. 16
        assert bound * 0.98 < float(net[at].weight.detach().abs().max()) <= bound
    normal = perceptron(5, 3, replace(HOW, hidden=400, layers=2, init="xavier_normal"))
    assert float(normal[4].weight.detach().std()) == pytest.approx(math.sqrt(2) * math.sqrt(2 / 800), rel=0.01)


def test_it_tells_what_no_line_does_as_well_as_scikit_learns_perceptron() -> None:
    given = features(train=400, validation=100, test=300)
    (found,) = small(max_epochs=150, patience=15)(given, Rng(0))
    x, y = (given["train"].x_ND.numpy(), given["train"].labels_N.numpy())
    peer = MLPClassifier((32,), learning_rate_init=3e-3, max_iter=300, tol=1e-3, random_state=0).fit(x, y)
    expected = peer.score(given["test"].x_ND.numpy(), given["test"].labels_N.numpy())
    assert found.value == pytest.approx(expected, abs=0.03)
    assert found.value > 0.9
    assert found.ci_low <= found.value <= found.ci_high
    assert found.n == 300


def test_stops_at_the_first_best_and_keeps_its_weights() -> None:
    (x, y), (held_x, held_y) = rings(300, 0), rings(61, 1)
    accuracies = []
    for epochs in range(1, 13):
        all_epochs = train(x, y, 2, replace(HOW, epochs=epochs), 7, None)
        accuracies.append(float((all_epochs.predict(held_x) == held_y).double().mean()))
    looked = accuracies[1::2]
    best, since = 0, 0
    for look in range(1, len(looked)):
        best, since = (look, 0) if looked[look] > looked[best] else (best, since + 1)
        if since == 2:
            break
    found = train(x, y, 2, replace(HOW, epochs=12), 7, Stopping(held_x, held_y, every=2, patience=2))
    assert found.epochs == 2 * (best + 1)
    assert found.accuracy == pytest.approx(looked[best])
    again = train(x, y, 2, replace(HOW, epochs=found.epochs), 7, None)
    assert torch.equal(again.model(held_x), found.model(held_x))


def test_neither_reads_nor_moves_the_global_generator() -> None:
    x, y = rings(100, 0)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train(x, y, 2, replace(HOW, dropout=0.3, epochs=2), 5, None)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = train(x, y, 2, replace(HOW, dropout=0.3, epochs=2), 5, None)
    assert torch.equal(first.model(x), again.model(x))


def test_test_labels_choose_nothing_and_a_budget_needs_no_validation_labels() -> None:
    given = features(train=200, validation=60, test=80)
    probe = small(labels_per_class=(10, "all"), draws=2, max_epochs=9)
    few, every = probe(given, Rng(1))
    test = given["test"]
    flipped = Features({**given.splits, "test": FeatureSplit(test.x_ND, test.ids_N, 1 - test.labels_N)})
    other_few, other_every = probe(flipped, Rng(1))
    assert other_every.protocol["chosen"] == every.protocol["chosen"]
    assert np.allclose(other_every.per_item, 1 - every.per_item)
    assert np.allclose(other_few.per_item, 1 - few.per_item)
    held = given["validation"]
    wrong = Features({**given.splits, "validation": FeatureSplit(held.x_ND, held.ids_N, 1 - held.labels_N)})
    assert probe(wrong, Rng(1))[0] == few
    assert (few.protocol["draws"], every.protocol["draws"]) == (2, 1)
    assert "chosen" not in few.protocol


def test_the_same_points_for_every_kind_of_features() -> None:
    given = features(train=100, validation=40, test=40)
    stretched = {name: replace(split, x_ND=split.x_ND @ torch.randn(2, 7)) for name, split in given.splits.items()}
    probe = small(trials=1, lr=(1e-2, 1e-3, 1e-4), max_epochs=3)
    first, second = (probe(each, Rng(3))[0] for each in (given, Features(stretched, given.classes)))
    assert first.protocol["chosen"][0]["lr"] == second.protocol["chosen"][0]["lr"]
    assert first.protocol_hash == second.protocol_hash


def test_three_samples_are_one_batch() -> None:
    x, y = rings(3, 0)
    assert train(x, y, 2, replace(HOW, batch_size=2, epochs=2), 0, None).epochs == 2


def test_a_choice_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each choice once"):
        MLPProbe(lr=(1e-3, 1e-3))


def test_the_point_is_chosen_over_folds_of_groups_and_trained_on_all_of_train() -> None:
    """Four speakers: each point is trained without each of them in turn, and the best in the mean on all four."""
    generator = torch.Generator().manual_seed(0)
    splits = {}
    for name, speakers in (("train", (0, 1, 2)), ("validation", (3,)), ("test", (4, 5))):
        groups = torch.tensor(speakers).repeat_interleave(30)
        y = torch.arange(len(groups)) % 3
        x = torch.eye(3)[y] * 2 + torch.randn(len(groups), 3, generator=generator)
        splits[name] = FeatureSplit(x, torch.arange(len(groups)), y, groups_N=groups)
    settings = {"layers": (1,), "lr": (1e-7, 1e-2), "init": ("xavier_uniform",), "batch_size": 16, "max_epochs": 12}
    (result,) = MLPProbe(**settings)(Features(splits, carved=True), Rng(0))
    assert "4 folds of train, no group in two of them" in result.protocol["chosen_by"]
    (chosen,) = result.protocol["chosen"]
    assert chosen["lr"] == 1e-2  # the other has learnt nothing in twelve epochs
    assert 1 <= chosen["epochs"] <= 12
    assert result.value > 0.6
    assert result.groups == 2
