"""Augmentations: how far each step moves a sample, and a page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

if TYPE_CHECKING:
    from coview.experiment.augmentation.measure import Measured


def measure_augmentations(
    source: Recipe | Path | str,
    *,
    samples: int = 512,
    reference: Literal["encoder", "raw"] = "encoder",
    registry: Registry | None = None,
) -> list[Measured]:
    """How far each augmentation moves a sample, on one scale for all modalities: 1 is as far as another sample.

    Args:
        source: A recipe, whose encoder is taken as training would start from it; or a run's folder, whose trained
            encoder is.
        samples: How many samples of the training split are drawn, by the recipe's seed.
        reference: Under which encoder it is measured: the recipe's or run's, or the modality's raw features.
        registry: Where components come from; all installed plugins by default.

    Returns:
        One for each modality that is augmented.

    Raises:
        CoviewError: If nothing is augmented, or the data are not there.
    """
    from coview.experiment.augmentation import measure  # torch costs start-up time

    given = source if isinstance(source, Recipe) else Path(source)
    return measure.measure_augmentations(given, registry or load_plugins(), samples=samples, reference=reference)


def preview_augmentations(
    recipe: Recipe, out: Path | str, *, samples: int = 6, views: int = 4, registry: Registry | None = None
) -> Path:
    """Writes one self-contained page with views of some samples, each step by itself, and what is hidden.

    Args:
        recipe: The recipe.
        out: The file.
        samples: How many, drawn from the training split by the recipe's seed.
        views: How many of each.
        registry: Where components come from; all installed plugins by default.

    Raises:
        CoviewError: If nothing is augmented or hidden, the data are not there, or jinja2 is missing.
    """
    from coview.experiment.augmentation.preview import write_preview  # torch costs start-up time

    return write_preview(recipe, registry or load_plugins(), Path(out), samples=samples, views=views)
