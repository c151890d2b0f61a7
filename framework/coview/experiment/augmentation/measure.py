"""Measuring the augmentations of a recipe, or of a run with its trained encoder as the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.loader import worker_count
from coview.data.present import having
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.evaluate.embedding import embed_raw, embed_split
from coview.evaluate.features import FeatureSplit
from coview.experiment.augmentation.steps import Unseen, augmented, steps_of
from coview.experiment.augmentation.strength import Embed, Strength, choose_rows, measure
from coview.experiment.run import load_run
from coview.experiment.splits import Splits
from coview.experiment.start import start_weights
from coview.model.topology import Topology, build_topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.device import choose_device

_FEWEST = 3
"""Samples: distances need others."""

Reference = Literal["encoder", "raw"]


@dataclass(frozen=True)
class Measured:
    """The strengths of a modality's augmentations, and under what they were measured.

    Attributes:
        modality: The modality.
        reference: The encoder.
        strengths: Of each step and of all together; none where no step changes samples.
        unseen: The steps that change none, and so are in no strength.
    """

    modality: str
    reference: str
    strengths: list[Strength]
    unseen: list[Unseen]


def measure_augmentations(
    source: Recipe | Path,
    registry: Registry,
    *,
    samples: int = 512,
    reference: Reference = "encoder",
) -> list[Measured]:
    """Measures every modality that a recipe augments, on samples of the training split.

    Args:
        source: A recipe, whose encoder is taken as training would start from it; or a run's folder, whose trained
            encoder is.
        registry: Where components come from.
        samples: How many are drawn, by the recipe's seed.
        reference: Under which encoder: the recipe's or run's, or the modality's raw features.

    Raises:
        CoviewError: If nothing is augmented, the data is not there, or fewer than three samples can be read.
    """
    run = load_run(source, registry) if isinstance(source, Path) else None
    recipe = run.recipe if run is not None else source
    assert isinstance(recipe, Recipe)
    splits = Splits(recipe, registry)
    dataset = splits.training
    found = []
    for name in augmented(recipe):
        steps, of_modality = steps_of(recipe, registry, name), having(dataset, [name])
        rows = choose_rows(of_modality, samples, recipe.seed)
        if len(rows) < _FEWEST:
            raise CoviewError(f"measuring needs at least {_FEWEST} samples, and {len(rows)} can be read")
        if reference == "raw":
            embed, described = _raw(recipe, registry, dataset, name), f"the raw features of {name}"
        else:
            topology = run.topology if run is not None else _before_training(recipe, registry, dataset)
            encoder = topology.evaluated_encoder(name)
            how = f"as {run.path} trained it" if run is not None else "before training"
            embed, described = _encoder(recipe, registry, encoder, name), f"{recipe.encoder[name].use} {how}"
        strengths = []
        if steps.pipelines:
            strengths = measure(of_modality, name, rows, steps.pipelines, embed, seed=recipe.seed)
        found.append(Measured(name, described, strengths, steps.unseen))
    return found


def _before_training(recipe: Recipe, registry: Registry, dataset: Dataset) -> Topology:
    return build_topology(recipe, registry, dataset, start=start_weights(recipe, registry))


def _encoder(recipe: Recipe, registry: Registry, encoder: Any, name: str) -> Embed:
    modality, device = build_modalities(recipe, registry)[name], choose_device(recipe)
    encoder = encoder.to(device)

    def embed(dataset: Any) -> FeatureSplit:
        workers = worker_count(recipe.settings.workers)
        return embed_split(encoder, dataset, "train", name, modality, device=device, workers=workers).features

    return embed


def _raw(recipe: Recipe, registry: Registry, dataset: Dataset, name: str) -> Embed:
    features_of = build_modalities(recipe, registry)[name].fit_raw(readable_values(dataset, name))

    def embed(views: Any) -> FeatureSplit:
        return embed_raw(views, "train", name, features_of, workers=0).features

    return embed
