"""Masked views of a recipe before anything is trained."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from coview.data.dataset import Dataset
from coview.data.sampler import build_order
from coview.experiment.masked_views.making import MaskedView
from coview.experiment.masked_views.of_run import caption_of, makes_and_shows
from coview.experiment.start import start_weights
from coview.model.encoder_hooks import fit_encoders
from coview.model.start import start_from
from coview.model.tower import build_towers
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


def preview_mask(
    recipe: Recipe, registry: Registry, dataset: Dataset, rows: Sequence[int], views: int
) -> list[dict[str, Any]]:
    """What training hides of some samples.

    Args:
        recipe: With a mask.
        registry: Where its components come from.
        dataset: The training split.
        rows: The samples.
        views: How many of each: those of the first epoch, and of later ones where it has fewer.

    Returns:
        For each sample its views, each with a caption, what is said of it, and panels with markup.

    Raises:
        CoviewError: If the encoder takes no such mask, or cannot be built.
    """
    student = build_towers(recipe, registry)
    started = start_from(student, start_weights(recipe, registry))
    fit_encoders(student, dataset, except_for=started)
    order = build_order(recipe, registry, dataset) if recipe.trains else None
    makes, shows = makes_and_shows(recipe, registry, dataset, student, order)
    epochs = -(-views // len(recipe.view_modalities))
    of_samples: dict[int, list[MaskedView]] = {row: [] for row in rows}
    for view in itertools.chain.from_iterable(made for epoch in range(epochs) for made in makes(rows, epoch)):
        of_samples[view.row].append(view)
    return [
        {
            "views": [
                {
                    "caption": shown.caption,
                    "said": shown.said,
                    "panels": [{"title": panel.title, "markup": panel.as_html()} for panel in shown.panels],
                }
                for shown in (shows(view, caption_of(dataset, view)) for view in of_sample[:views])
            ]
        }
        for of_sample in of_samples.values()
    ]
