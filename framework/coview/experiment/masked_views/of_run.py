"""Masked views of a run: the first ones that it trains on, and after its end what it predicts of data held out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.evenly import rows_to_look_at
from coview.data.order import Order
from coview.evaluate.generators_kept import generators_kept
from coview.experiment.masked_views.making import MaskedView, MaskedViews
from coview.experiment.masked_views.predicting import evaluating, predict
from coview.experiment.masked_views.showing import Shower
from coview.experiment.splits import Splits
from coview.model.masking import build_masking
from coview.model.token_task import restores_input, that_takes_mask
from coview.model.topology import Topology
from coview.model.tower import Towers
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.shown_views import ShownViews

_SHOWN = 6
_LOOKED_AT = 60
"""Samples among which those are looked for of which something is hidden."""
_HELD_OUT = ("validation", "test")


def first_masked_views(
    recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, order: Order | None
) -> ShownViews:
    """The masked views of the first samples in the first epoch.

    Args:
        recipe: With a mask.
        registry: Where its components come from.
        dataset: The training split.
        student: Whose encoder gets them.
        order: Of the training.
    """
    makes, shows = makes_and_shows(recipe, registry, dataset, student, order)
    with generators_kept():
        of_samples = itertools.islice(makes(range(len(dataset))), _SHOWN)
        shown = [
            shows(view, caption_of(dataset, view)) for views in of_samples for view in views if view.mask is not None
        ]
    return ShownViews(["Of the training split, as the first epoch sees it."], shown)


def predicted_views(
    recipe: Recipe, registry: Registry, splits: Splits, topology: Topology, order: Order | None, step: int
) -> ShownViews:
    """What is hidden of some samples that are held out, and what the model predicts for it.

    Args:
        recipe: With a mask.
        registry: Where its components come from.
        splits: Its data; where no split of them is held out, the one that is trained on serves.
        topology: The model, on any device. It is left as it was.
        order: Of the training.
        step: That it has taken.
    """
    split = next((name for name in _HELD_OUT if splits.has(splits.own, name)), "train")
    dataset = splits(splits.own, split)
    makes, shows = makes_and_shows(recipe, registry, dataset, topology.student, order if split == "train" else None)
    (modality,) = recipe.modalities
    with generators_kept(), evaluating(topology):
        views = itertools.islice(_with_something_hidden(makes(rows_to_look_at(dataset, _LOOKED_AT))), _SHOWN)
        shown = [shows(view, caption_of(dataset, view), predict(topology, modality, view)) for view in views]
    held_out = "which is held out" if split != "train" else "which is trained on: there is no other one"
    about = [f"Of the {split} split, {held_out}; by the model after step {step:,}."]
    if topology.target is not None and recipe.target is not None and recipe.decoder is not None:
        about.append(f'Predicted by the decoder "{recipe.decoder.use}"; the target is "{recipe.target.use}".')
        restores = restores_input(topology.target)
        if restores is not None and restores.restored_with:
            about.append(f"Each prediction is shown with {restores.restored_with}: these are not predicted.")
    return ShownViews(about, shown)


def makes_and_shows(
    recipe: Recipe, registry: Registry, dataset: Dataset, student: Towers, order: Order | None
) -> tuple[MaskedViews, Shower]:
    """What makes the masked views of a data set, and what shows them."""
    (name,) = recipe.modalities
    masking = build_masking(recipe, registry, student)
    assert masking is not None, "the recipe has a mask"
    makes = MaskedViews(recipe, registry, dataset, student, masking, order)
    encoder = that_takes_mask(recipe, student.encoder(name))
    return makes, Shower(encoder, build_modalities(recipe, registry)[name])


def caption_of(dataset: Dataset, view: MaskedView) -> str:
    """Which sample it is of, and which view it is."""
    sample = dataset[view.row]
    label = "" if dataset.classes is None or sample.label is None else f"{dataset.classes[sample.label]} "
    return f"{label}({sample.id}), epoch {view.epoch + 1}, view {view.view + 1}"


def _with_something_hidden(of_samples: Iterable[list[MaskedView]]) -> Iterator[MaskedView]:
    """Of each sample the first view of which something has to be predicted; a mask may leave some views whole."""
    for views in of_samples:
        yield from itertools.islice((v for v in views if v.mask is not None and bool(v.mask.wanted_NBT.any())), 1)
