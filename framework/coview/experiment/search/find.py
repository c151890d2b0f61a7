"""The samples of a split that are nearest to a text, a picture or a sound."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.batch import to_device
from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.modality import Modality, ReadsTyped
from coview.errors import CoviewError
from coview.evaluate.features import Features
from coview.evaluate.full_precision import full_precision
from coview.evaluate.labelled import finite_features
from coview.experiment.embed import recipe_with
from coview.experiment.feature_store import FeatureStore
from coview.experiment.measured_tower import MeasuredTower, tower_of
from coview.experiment.run import Run
from coview.experiment.search.query import Query, read_query
from coview.experiment.splits import Splits
from coview.model.context import in_context_of
from coview.model.encoder_hooks import collator
from coview.model.widths import encode


@dataclass(frozen=True)
class Hit:
    """A sample that was found.

    Attributes:
        rank: From 1, the nearest first.
        cosine: Of the query and the sample.
        row: Its place in the split.
        id: As the data set has it.
        label: The name of its class; empty where it has none.
        text: What it says, where a modality of it is text; else empty.
        html: It as markup, by modality, that in which it was found first.
    """

    rank: int
    cosine: float
    row: int
    id: int | str
    label: str
    text: str
    html: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        run: The run's name.
        query: What was searched by, as it was given.
        query_html: It as markup.
        by: The modality of the query.
        modality: What was searched.
        projected: Whether projections were compared, as across modalities; else representations.
        data: The data set's name.
        split: Which split of it.
        samples: How many samples were searched.
        hits: The nearest first.
    """

    run: str
    query: str
    query_html: str
    by: str
    modality: str
    projected: bool
    data: str
    split: str
    samples: int
    hits: tuple[Hit, ...]


def search(
    run: Run,
    query: str | Path,
    *,
    split: str = "test",
    top: int = 12,
    modality: str | None = None,
    sets: Iterable[str] = (),
) -> Found:
    """As :func:`coview.search`, of the run's data or of others.

    Args:
        run, query, split, top, modality: As there.
        sets: Other data, or where they are, as texts ``KEY=VALUE``.
    """
    if top < 1:
        raise CoviewError(f"top has to be at least 1, got {top}")
    recipe = recipe_with(run, sets, what="a search")
    modalities = build_modalities(recipe, run.registry)
    asked = read_query(query, modalities)
    searched = _searched(run, modality, asked)
    projected = searched != asked.modality
    splits = Splits(recipe, run.registry)
    if not splits.has(splits.own, split):
        raise CoviewError(f'"{recipe.data.use}" has no split "{split}"', hint="give another with --split")
    store = run.store(splits, console=Console(quiet=True)).on(splits.own, MeasuredTower(searched, projected))
    store.on_disk = recipe.hash == run.recipe.hash and os.access(run.path, os.W_OK)
    embedded = store.embedded(store.measured, split)
    x_ND = normalize(finite_features(Features({split: embedded.features}), split))
    cosine_N = x_ND @ _vector(run, store, asked, modalities[asked.modality], projected=projected)
    order = cosine_N.argsort(descending=True, stable=True)[:top].tolist()
    dataset, rows = store.dataset(split), embedded.rows
    return Found(
        run=run.recipe.name,
        query=asked.said,
        query_html=modalities[asked.modality].to_html(asked.value),
        by=asked.modality,
        modality=searched,
        projected=projected,
        data=recipe.data.written["use"],
        split=split,
        samples=len(x_ND),
        hits=tuple(
            _hit(rank, float(cosine_N[at]), int(rows[at]), dataset, modalities, searched)
            for rank, at in enumerate(order, 1)
        ),
    )


def _searched(run: Run, modality: str | None, query: Query) -> str:
    """The modality that is searched: the one that was asked for, else the first that is another than the query's."""
    if modality is not None:
        return tower_of(run.recipe, modality).modality
    return next((name for name in run.recipe.modalities if name != query.modality), query.modality)


def _vector(run: Run, store: FeatureStore, query: Query, modality: Modality, *, projected: bool) -> Tensor:
    """The query's vector (D,), of unit length."""
    tower = run.tower(query.modality, projector=projected).to(store.device).eval()
    encoder = in_context_of(tower, store.reference, store.device)
    batch = to_device(collator(modality, tower).collate([query.value]), store.device)
    with torch.no_grad(), full_precision():
        pooled_1D = encode(encoder, batch).pooled_ND.float().cpu()
    if not torch.isfinite(pooled_1D).all():
        raise CoviewError(f'the vector of "{query.said}" holds NaN or infinity', hint="the model has diverged")
    return normalize(pooled_1D)[0]


def _hit(
    rank: int, cosine: float, row: int, dataset: Dataset, modalities: Mapping[str, Modality], searched: str
) -> Hit:
    sample, classes = dataset[row], dataset.classes
    there = {name: modality for name, modality in modalities.items() if name in sample.values}
    shown = sorted(there, key=lambda name: name != searched)
    texts: list[Any] = [sample[name] for name, modality in there.items() if isinstance(modality, ReadsTyped)]
    return Hit(
        rank=rank,
        cosine=cosine,
        row=row,
        id=sample.id,
        label="" if classes is None or sample.label is None else classes[sample.label],
        text=" ".join(str(texts[0]).split()) if texts else "",
        html={name: modalities[name].to_html(sample[name]) for name in shown},
    )
