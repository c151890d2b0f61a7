"""What the plugin registers; imported when a recipe needs it."""

import json
import math
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import nn

from coview import Callback, CoviewError, Encoding, Moment, Needs, Result, Sample


class Vectors:
    """Vectors of one length.

    Args:
        scale: What they are divided by.
    """

    def __init__(self, scale: Annotated[float, Gt(0)] = 1.0):
        self.scale = scale

    def collate(self, values):
        if len({len(value) for value in values}) > 1:
            raise CoviewError("vectors of different lengths")
        return torch.from_numpy(np.stack(values)).float() / self.scale

    def describe(self, value):
        return f"{len(value)} numbers"

    def fit_raw(self, values):
        return lambda values: np.stack(values).astype(np.float32)

    def preview(self, writer, tag, rows, step):
        writer.add_text(tag, repr(rows), step)

    def to_html(self, value):
        return f"<code>{[round(float(x), 2) for x in value]}</code>"


class Pairs:
    """Two views of one of two causes.

    Args:
        size: How many.
    """

    splits = ("train", "test")
    modalities = ("point", "curve")
    classes = ("left", "right")
    citation, licence, version = "none", "CC0", "1"

    def __init__(self, split: Literal["train", "test"], size: Annotated[int, Ge(2)] = 64):
        rng = np.random.default_rng(split == "test")
        self.labels = np.arange(size) % 2
        means = self.labels[:, None] * 6.0 - 3.0
        self.points = means + rng.normal(size=(size, 3))
        self.curves = means + rng.normal(size=(size, 5))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        values = {"point": self.points[index], "curve": self.curves[index]}
        return Sample(values, id=index, label=int(self.labels[index]))


class Jitter:
    """Adds noise.

    Args:
        sigma: How much.
    """

    def __init__(self, sigma: Annotated[float, Ge(0)] = 0.1):
        self.sigma = sigma

    def __call__(self, value, rng):
        return value + rng.numpy.normal(size=value.shape) * self.sigma


def family(name):
    if name != "shift":
        raise LookupError(f'there is no "{name}", did you mean "shift"?')

    class Shift:
        def __init__(self, by: float = 0.0):
            self.by = by

        def __call__(self, value, rng):
            return value + self.by

    return Shift


class Linear(nn.Module):
    """A linear map.

    Args:
        inputs: Length of the vectors.
        width: Numbers that come out.
    """

    def __init__(self, inputs: Annotated[int, Ge(1)], width: Annotated[int, Ge(1)] = 4):
        super().__init__()
        self.width = width
        self.map = nn.Linear(inputs, width)

    def forward(self, batch):
        return Encoding(self.map(batch))


class Scaled(nn.Module):
    """Multiplies by one number, which is learnt."""

    def __init__(self, in_width: int):
        super().__init__()
        self.width = in_width
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.factor


class Pull(nn.Module):
    """Pulls the views of a sample together, and holds the spread at one.

    Args:
        strength: Of the spread.
    """

    needs = Needs(views=2, smallest_batch=2)

    def __init__(self, strength: Annotated[float, Ge(0)] = 1.0):
        super().__init__()
        self.strength = strength

    def forward(self, views):
        assert views.modalities == ("point", "point", "curve")
        distance = (views.student - views.student.mean(0)).square().mean()
        spread = (views.student.std(1) - 1).square().mean()
        return {"loss": distance + self.strength * spread, "distance": distance}


class NearestMean:
    """Accuracy of the nearest class mean."""

    splits = ("train", "test")
    labels = "class"

    def __call__(self, features, rng):
        train, test = features["train"], features["test"]
        means = torch.stack([train.x_ND[train.labels_N == c].mean(0) for c in range(len(features.classes))])
        right = torch.cdist(test.x_ND, means).argmin(1) == test.labels_N
        accuracy, n = right.double().mean().item(), len(test)
        half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / n)
        return [Result("accuracy", accuracy, accuracy - half, accuracy + half, n, "test", {"metric": "euclidean"})]


class Neighbours:
    """Rows at equal distances in the order of the data, from a drawn first one on.

    Args:
        apart: The distance.
    """

    def __init__(self, *, apart: int = 1) -> None:
        self.apart = apart

    def __call__(self, rows, batch_size, rng):
        batches, first = len(rows) // batch_size, rng.numpy.integers(len(rows))
        order = np.concatenate([np.arange(start, len(rows), self.apart) for start in range(self.apart)])
        return np.roll(order, first)[: batches * batch_size].reshape(batches, batch_size)


def signed(*, params, lr: Annotated[float, Gt(0)], floor: Annotated[float, Ge(0)] = 0.0):
    """Steps of one size along the sign of the gradient.

    Args:
        lr: The size of a step.
        floor: A gradient that is smaller than this moves nothing.
    """
    return Signed(params, {"lr": lr, "floor": floor})


class Signed(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    moves = parameter.grad.abs() >= group["floor"]
                    parameter -= group["lr"] * parameter.grad.sign() * moves


class Zigzag:
    """The peak at every second step, and a share of it at the others.

    Args:
        low: The share.
    """

    def __init__(self, *, low: Annotated[float, Ge(0)] = 0.1):
        self.low = low

    def __call__(self, moment: Moment, /) -> float:
        return self.low if moment.step % 2 else 1.0


class LargestWeight(Callback):
    """Notes the largest weight of the model and the largest gradient, of each step that logs."""

    def before_step(self, context):
        self.gradient = max(float(p.grad.abs().max()) for p in context.model.parameters())

    def step_end(self, context):
        weight = max(float(p.detach().abs().max()) for p in context.model.parameters())
        with (context.path / "largest.jsonl").open("a") as file:
            file.write(json.dumps([context.step, weight, self.gradient]) + "\n")


class Enough(Callback):
    """Stops where the loss is small enough.

    Args:
        at: How small.
    """

    changes_run = True

    def __init__(self, *, at: Annotated[float, Ge(0)] = 0.1):
        self.at = at

    def step_end(self, context):
        if context.metrics["loss"] < self.at:
            context.stop(f"the loss is below {self.at}")
