"""A page that shows what a recipe's augmentations do (the views of some samples, and each step alone), and its mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coview.data.atomic import write_atomically
from coview.data.augmented_rows import AugmentedRows
from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.modality import Modality
from coview.data.present import having
from coview.errors import CoviewError
from coview.experiment.augmentation.steps import Pipeline, augmented, parameters_in_words, steps_of
from coview.experiment.augmentation.strength import choose_rows
from coview.experiment.masked_views.of_recipe import preview_mask
from coview.experiment.splits import Splits
from coview.pages.template import page_template
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


def write_preview(recipe: Recipe, registry: Registry, out: Path, *, samples: int = 6, views: int = 4) -> Path:
    """Writes one self-contained page, and returns its path.

    What is hidden is what training hides of a view; the pipelines' views are drawn alike, and are others.

    Args:
        recipe: The recipe.
        registry: Where components come from.
        out: The file.
        samples: How many, drawn from the training split by the recipe's seed.
        views: How many of each.

    Raises:
        CoviewError: If nothing is augmented or hidden, the data is not there, or jinja2 is missing.
    """
    template = page_template(Path(__file__).parent / "preview.html.j2", figures=False)
    splits = Splits(recipe, registry)
    dataset = splits.training
    rows = _some_rows(dataset, samples, recipe)
    modalities = build_modalities(recipe, registry)
    names = augmented(recipe) if recipe.mask is None or any(recipe.augment.values()) else ()
    sections = []
    for name in names:
        steps, of_modality = steps_of(recipe, registry, name), having(dataset, [name])
        chosen = _some_rows(of_modality, samples, recipe)
        sections.append(
            {
                "modality": name,
                "samples": [_caption(of_modality, row) for row in chosen],
                "originals": _shown(of_modality, name, modalities[name], chosen, (), 0, recipe.seed),
                "pipelines": [
                    _pipeline(of_modality, name, modalities[name], chosen, each, views, recipe.seed)
                    for each in reversed(steps.pipelines)
                ],
                "unseen": [str(step) for step in steps.unseen],
            }
        )
    hidden = None if recipe.mask is None else preview_mask(recipe, registry, dataset, rows, views)
    page = template.render(
        name=recipe.name,
        seed=recipe.seed,
        sections=sections,
        mask=recipe.mask,
        mask_parameters="" if recipe.mask is None else parameters_in_words(recipe.mask.parameters),
        hidden=hidden,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page)
    return out


def _some_rows(dataset: Dataset, samples: int, recipe: Recipe) -> list[int]:
    rows = choose_rows(dataset, samples, recipe.seed)
    if not rows:
        raise CoviewError(f'none of the {len(dataset):,} training samples of "{recipe.data.use}" can be read')
    return rows


def _pipeline(
    dataset: Dataset, name: str, modality: Modality, rows: list[int], pipeline: Pipeline, views: int, seed: int
) -> dict[str, Any]:
    shown = [_shown(dataset, name, modality, rows, pipeline.steps, view, seed) for view in range(views)]
    return {"name": pipeline.name, "parameters": pipeline.parameters, "rows": list(zip(*shown, strict=True))}


def _shown(
    dataset: Dataset, name: str, modality: Modality, rows: list[int], steps: Any, view: int, seed: int
) -> list[str]:
    values = AugmentedRows(dataset, name, rows, steps, seed=seed, view=view)
    return [modality.to_html(values[index][name]) for index in range(len(rows))]


def _caption(dataset: Dataset, row: int) -> str:
    sample = dataset[row]
    known = dataset.classes is not None and sample.label is not None
    return f"{dataset.classes[sample.label]} ({sample.id})" if known else str(sample.id)  # type: ignore[index]
