"""How far augmentations move a sample, on one scale for all steps and all modalities.

A crop of 20 % and 10 dB of noise have no unit in common. What they do to a representation has: how far a view is from
its original, as a share of how far another sample is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.augmented_rows import AugmentedRows
from coview.data.dataset import Dataset
from coview.data.rng import Rng
from coview.data.same import same
from coview.errors import SampleError
from coview.evaluate.features import FeatureSplit
from coview.evaluate.neighbours import vote
from coview.experiment.augmentation.steps import Pipeline

Embed = Callable[[Any], FeatureSplit]
"""From a data set to its representations under the reference encoder."""

K = 10
TEMPERATURE = 0.07


@dataclass(frozen=True)
class Strength:
    """What a pipeline does to samples under a reference encoder.

    Attributes:
        name, parameters: The pipeline.
        samples: How many were measured.
        cosine: Mean cosine of a view and its original.
        distance: (1 - cosine) as a share of the mean over pairs of different originals: 0 is no change, 1 as far as
            another sample.
        between_views: The same of two views of one sample.
        rank: Mean share of other originals that are nearer to a view than its own is: 0 is none, 0.5 chance.
        unchanged: Share of views that equal their original, bit for bit.
        class_kept: Share of views whose ten nearest other originals vote for their class, relative to that of the
            originals themselves; absent without classes, or where the neighbours of no original tell its class.
    """

    name: str
    parameters: str
    samples: int
    cosine: float
    distance: float
    between_views: float
    rank: float
    unchanged: float
    class_kept: float | None

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def choose_rows(dataset: Dataset, samples: int, seed: int) -> list[int]:
    """At most so many readable rows, drawn by the seed."""
    rows: list[int] = []
    for row in map(int, Rng(seed).numpy.permutation(len(dataset))):
        if len(rows) == samples:
            break
        try:
            dataset[row]
        except SampleError:
            continue
        rows.append(row)
    return rows


def measure(
    dataset: Dataset, modality: str, rows: list[int], pipelines: list[Pipeline], embed: Embed, *, seed: int
) -> list[Strength]:
    """Measures each pipeline on the same samples.

    Args:
        dataset: Where the samples are from.
        modality: Which of their values.
        rows: Which samples, readable ones.
        pipelines: What to measure.
        embed: The reference encoder.
        seed: Of the views.
    """
    originals = embed(AugmentedRows(dataset, modality, rows, ()))
    x_ND = normalize(originals.x_ND)
    away = 1 - _between_others(x_ND)
    return [_strength(dataset, modality, rows, pipeline, embed, seed, originals, x_ND, away) for pipeline in pipelines]


def _strength(
    dataset: Dataset,
    modality: str,
    rows: list[int],
    pipeline: Pipeline,
    embed: Embed,
    seed: int,
    originals: FeatureSplit,
    x_ND: Tensor,
    away: float,
) -> Strength:
    views = [AugmentedRows(dataset, modality, rows, pipeline.steps, seed=seed, view=view) for view in (0, 1)]
    a_ND, b_ND = (normalize(embed(view).x_ND) for view in views)
    similarity_NN = a_ND @ x_ND.T
    own_N = similarity_NN.diagonal()
    cosine = float(own_N.mean())
    between = float((a_ND * b_ND).sum(1).mean())
    nearer_NN = (similarity_NN > own_N[:, None]).float().fill_diagonal_(0)
    unchanged = sum(same(views[0][i][modality], dataset[row][modality]) for i, row in enumerate(rows)) / len(rows)
    return Strength(
        pipeline.name,
        pipeline.parameters,
        len(rows),
        cosine,
        (1 - cosine) / max(away, 1e-12),
        (1 - between) / max(away, 1e-12),
        float(nearer_NN.sum(1).mean()) / (len(rows) - 1),
        unchanged,
        _class_kept(similarity_NN, x_ND @ x_ND.T, originals.labels_N),
    )


def _between_others(x_ND: Tensor) -> float:
    """Mean cosine over pairs of different samples."""
    n = len(x_ND)
    return float((x_ND.sum(0).square().sum() - x_ND.square().sum()) / (n * (n - 1)))


def _class_kept(views_NN: Tensor, originals_NN: Tensor, labels_N: Tensor | None) -> float | None:
    if labels_N is None:
        return None
    known = _accuracy(originals_NN, labels_N)
    return _accuracy(views_NN, labels_N) / known if known else None


def _accuracy(similarity_NN: Tensor, labels_N: Tensor) -> float:
    """Of the vote of each row's nearest originals, its own left out."""
    others_NN = similarity_NN.clone().fill_diagonal_(-torch.inf)
    top = others_NN.topk(min(K, len(labels_N) - 1))
    return float((vote(top.values, labels_N[top.indices], TEMPERATURE) == labels_N).float().mean())
