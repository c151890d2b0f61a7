"""Training a multilayer perceptron on frozen features, stopped by the accuracy on held-out ones."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coview.data.generators import seeded

Init = Literal["xavier_uniform", "xavier_normal"]


@dataclass(frozen=True)
class Settings:
    """What a perceptron is and how it is trained.

    Attributes:
        layers: Hidden layers.
        lr: Adam's learning rate.
        init: How the weights are drawn, with a gain of √2 behind a ReLU.
        hidden: Width of the hidden layers.
        dropout: Share of the hidden units that are dropped.
        batch_size: Least samples in a batch, if there are as many: an epoch's are shared out evenly.
        epochs: At most.
    """

    layers: int
    lr: float
    init: Init
    hidden: int
    dropout: float
    batch_size: int
    epochs: int


@dataclass(frozen=True)
class Stopping:
    """Early stopping. The weights of the highest accuracy are kept, the earliest of equals.

    Attributes:
        x_ND, y_N: Held-out samples.
        every: Epochs between two looks.
        patience: Looks in a row without a higher accuracy after which training stops.
    """

    x_ND: Tensor
    y_N: Tensor
    every: int
    patience: int


@dataclass(frozen=True)
class Fitted:
    """A trained perceptron.

    Attributes:
        model: In evaluation mode.
        accuracy: On the held-out samples; NaN where there were none.
        epochs: Trained until the weights that are kept.
    """

    model: nn.Module
    accuracy: float
    epochs: int

    @torch.no_grad()
    def predict(self, x_ND: Tensor) -> Tensor:
        """The most probable class of each row."""
        return _predict(self.model, x_ND)


def train(x_ND: Tensor, y_N: Tensor, classes: int, how: Settings, seed: int, stopping: Stopping | None) -> Fitted:
    """Trains a perceptron by Adam; all randomness is from ``seed``.  N sample · D feature.

    Args:
        x_ND: Features, standardised; 2 samples or more.
        y_N: Classes from 0 to ``classes`` - 1.
        classes: How many.
        how: Settings.
        seed: Of weights, dropout and order.
        stopping: Absent: all epochs, and the last weights.
    """
    with seeded(seed, x_ND.device):
        model = perceptron(x_ND.shape[1], classes, how).to(x_ND.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=how.lr)
        best, best_state, since = Fitted(model, float("nan"), 0), model.state_dict(), 0
        for epoch in range(1, how.epochs + 1):
            model.train()
            # a batch of one has no variance to normalise by, so what is left over joins the other batches
            for rows in torch.randperm(len(x_ND)).tensor_split(max(1, len(x_ND) // how.batch_size)):
                rows = rows.to(x_ND.device)
                optimizer.zero_grad(set_to_none=True)
                cross_entropy(model(x_ND[rows]), y_N[rows]).backward()
                optimizer.step()
            if stopping is None or (epoch % stopping.every and epoch < how.epochs):
                continue
            with torch.no_grad():
                accuracy = float((_predict(model, stopping.x_ND) == stopping.y_N).double().mean())
            if not accuracy <= best.accuracy:  # also where there is none yet
                best, best_state, since = Fitted(model, accuracy, epoch), copy.deepcopy(model.state_dict()), 0
            elif (since := since + 1) == stopping.patience:
                break
        if stopping is None:
            best = Fitted(model, float("nan"), how.epochs)
        else:
            model.load_state_dict(best_state)
    model.eval()
    return best


def perceptron(width: int, classes: int, how: Settings) -> nn.Sequential:
    """Linear, batch norm, dropout, ReLU for each hidden layer, and a linear one."""
    draw = {"xavier_uniform": nn.init.xavier_uniform_, "xavier_normal": nn.init.xavier_normal_}[how.init]
    modules: list[nn.Module] = []
    for layer in range(how.layers):
        linear = nn.Linear(how.hidden if layer else width, how.hidden)
        draw(linear.weight, gain=nn.init.calculate_gain("relu" if layer else "linear"))
        modules += [linear, nn.BatchNorm1d(how.hidden), nn.Dropout(how.dropout), nn.ReLU()]
    last = nn.Linear(how.hidden, classes)
    draw(last.weight, gain=nn.init.calculate_gain("relu"))
    return nn.Sequential(*modules, last)


def _predict(model: nn.Module, x_ND: Tensor) -> Tensor:
    model.eval()
    return torch.cat([model(part).argmax(1) for part in x_ND.split(8192)])
