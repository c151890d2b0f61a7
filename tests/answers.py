"""Questions and answers: two modalities of one kind, which one encoder can take."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import coview


class Vectors:
    """What a question or an answer is: five numbers. Batches of answers are turned round, to be told from the others."""

    def __init__(self):
        self.sign = 1

    def collate(self, values):
        return self.sign * torch.from_numpy(np.stack(values))

    def describe(self, value):
        return f"{len(value)} numbers"

    def fit_raw(self, values):
        return np.stack

    def preview(self, writer, tag, rows, step):
        pass

    def to_html(self, value):
        return f"<i>{len(value)} numbers</i>"


class Negated(Vectors):
    def __init__(self):
        self.sign = -1


def vectors(row: int) -> dict[str, np.ndarray]:
    """Of a row its question and its answer, which are alike."""
    rng = np.random.default_rng(row)
    question = rng.normal(size=5)
    answer = -question + 0.3 * rng.normal(size=5)
    return {"question": question.astype(np.float32), "answer": answer.astype(np.float32)}


class Faq:
    splits, modalities, classes = ("train", "test"), ("question", "answer"), ("few", "many")
    citation = licence = version = ""

    def __init__(self, *, split: str = "train"):
        self.first = 1000 * self.splits.index(split)

    def __len__(self):
        return 60

    def __getitem__(self, index):
        row = self.first + index
        return coview.Sample(vectors(row), id=row, label=row % 2)


class Linear(nn.Module):
    """Takes away the mean of what it was fitted to."""

    def __init__(self, *, width: int = 6, dropout: float = 0.0, pretrained: bool = False):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(5, width), nn.Tanh(), nn.Dropout(dropout))
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("fitted", torch.zeros(()))

    def fit(self, values):
        seen = np.stack(list(values))
        self.mean.copy_(torch.from_numpy(seen.mean(0)))
        self.fitted.fill_(len(seen))

    def forward(self, batch):
        return coview.Encoding(self.layers(batch - self.mean))


class Own(Linear):
    """Makes its batches itself, without turning them round."""

    def collate(self, values):
        return torch.from_numpy(np.stack(values))


class Finds(nn.Module):
    """The answer of a question among those of the batch."""

    needs = coview.Needs(views=2)

    def forward(self, views):
        a, b = (nn.functional.normalize(z, dim=-1) for z in views.student[:2])
        logits = (a @ b.T / 0.2)[views.anchors]
        return nn.functional.cross_entropy(logits, torch.arange(len(views.ids))[views.anchors])


class FindsRoles(nn.Module):
    """The same, by the names of the views. Notes what the last ones were called."""

    needs = coview.Needs(views=2, roles=("question", "answer"))
    seen: tuple[str, ...] = ()

    def forward(self, views):
        type(self).seen = views.roles
        a, b = (nn.functional.normalize(views.student[views.role(name)], dim=-1) for name in ("question", "answer"))
        logits = (a @ b.T / 0.2)[views.anchors]
        return nn.functional.cross_entropy(logits, torch.arange(len(views.ids))[views.anchors])


@coview.hookimpl
def coview_register(registry):
    for name, target in (("question", "Vectors"), ("answer", "Negated")):
        registry.modality(name, f"answers:{target}", summary=f"{name}s")
        registry.encoder("linear", "answers:Linear", modality=name, summary="a linear map")
        registry.encoder("own", "answers:Own", modality=name, summary="the same, with batches of its own")
    registry.encoder("of_questions", "answers:Linear", modality="question", summary="a linear map")
    registry.encoder("differs", "answers:Linear", modality="question", summary="a linear map")
    registry.encoder("differs", "answers:Own", modality="answer", summary="another one")
    registry.dataset("faq", "answers:Faq", summary="questions and answers")
    registry.loss("finds_roles", "answers:FindsRoles", summary="the same, by the names of views")
    registry.loss("finds", "answers:Finds", summary="the answer among those of the batch")


def registry():
    """With these parts."""
    mine = coview.Registrar("mine")
    coview_register(mine)
    return coview.load_plugins().plus(mine)


RECIPE = """
schema = 1
name = "faq"
seed = 4

[data]
use = "faq"
views = 1
workers = 0

[encoder.question]
use = "linear"

[encoder.answer]
shared = "question"

[projector.question]
use = "identity"

[projector.answer]
use = "identity"

[loss]
use = "finds"

[optimizer]
use = "sgd"
lr = 0.5
weight_decay = 0.01

[train]
steps = 4
batch_size = 16
device = "cpu"
precision = "fp32"
checkpoint_every = 2
log_every = 1
keep = 3
"""
