"""Where each step of an augmentation pipeline works, and that those on the device come last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coview.plugins.own_settings import AugmentSettings
from coview.recipe.abilities import WhereItWorks, where_it_works, why_no_batch_form
from coview.recipe.check_component import ComponentChecker
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import AugmentTable, ComponentTable


def works_on_device(
    components: ComponentChecker,
    mistakes: Mistakes,
    step: ComponentTable,
    settings: AugmentSettings,
    path: Key,
    *,
    modality: str | None,
    augment_on: str,
) -> bool:
    """Whether a step works on the device; notes it if the step cannot work where the recipe wants it, or cannot share.

    Args:
        components: What asks the step.
        mistakes: Where to note it.
        step: The step, which has been checked.
        settings: What its table says besides.
        path: Of the step in the recipe.
        modality: That it is for.
        augment_on: What ``[data]`` says, for steps that do not say it themselves.
    """
    said = components.built_says(where_it_works, "augmentation", step.use, step.parameters, modality)
    works = WhereItWorks(*(said or (False, False, False)))
    if settings.shared and works.encoder:
        message = f"{step.use} works in the encoder, which draws for each view by itself: remove this line"
        mistakes.add((*path, "shared"), message)
    if works.batches or works.context:
        if settings.on == "worker":
            what = "batches" if works.batches else "what samples share"
            mistakes.add((*path, "on"), f"{step.use} works on {what}, and so on the device only: remove this line")
        return True
    if (settings.on or augment_on) == "worker":
        return False
    at = (*path, "use" if settings.on is None else "on")
    why = components.built_says(why_no_batch_form, "augmentation", step.use, step.parameters, modality)
    if why is not None:
        alone = f'{step.use} works on one sample at a time, and so in a worker only: say on = "worker" there'
        mistakes.add(at, why or alone)
    return why is None


def check_order(
    mistakes: Mistakes, path: Key, steps: Sequence[AugmentTable], views: Iterable[int], global_views: int
) -> None:
    """Notes a step in a worker that comes after one on the device: a batch does not go back.

    Args:
        mistakes: Where to note it.
        path: Of the pipeline.
        steps: The pipeline of a modality.
        views: The modality's views, by number.
        global_views: How many views of all modalities are global.
    """
    noted: set[int] = set()
    for view in views:
        before: AugmentTable | None = None
        for index, step in enumerate(steps):
            if not step.makes(view, global_views):
                continue
            if step.on_device:
                before = step
            elif before is not None and index not in noted:
                noted.add(index)
                mistakes.add(
                    (*path, index, "use"),
                    f"{step.use} works in a worker, but comes after {before.use}, which works on the device",
                )
