"""Where each step of an augmentation pipeline works, and that those on the device come last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coview.plugins.own_settings import AugmentSettings
from coview.recipe.abilities import HasBatchForm, works_in_encoder, works_on_batches, works_on_context
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import AugmentTable


def works_on_device(
    mistakes: Mistakes, augmentation: Any, use: str, settings: AugmentSettings, augment_on: str, path: Key
) -> bool:
    """Whether a step works on the device; notes it if the step cannot work where the recipe wants it.

    Args:
        mistakes: Where to note it.
        augmentation: The step, built.
        use: Its name.
        settings: What its table says.
        augment_on: What ``[data]`` says, for steps that do not say it themselves.
        path: Of the step in the recipe.
    """
    if works_on_batches(augmentation) or works_on_context(augmentation):
        if settings.on == "worker":
            what = "batches" if works_on_batches(augmentation) else "what samples share"
            mistakes.add((*path, "on"), f"{use} works on {what}, and so on the device only: remove this line")
        return True
    if (settings.on or augment_on) == "worker":
        return False
    at = (*path, "use" if settings.on is None else "on")
    if not isinstance(augmentation, HasBatchForm):
        mistakes.add(at, f'{use} works on one sample at a time, and so in a worker only: say on = "worker" there')
        return False
    try:
        augmentation.batched()
    except ValueError as error:  # not with these parameters
        mistakes.add(at, str(error), error)
        return False
    return True


def check_shared(mistakes: Mistakes, augmentation: Any, use: str, settings: AugmentSettings, path: Key) -> None:
    """Notes a step that is to share its draws, but draws nothing: the encoder does, for each view by itself.

    Args:
        mistakes: Where to note it.
        augmentation: The step, built.
        use: Its name.
        settings: What its table says.
        path: Of the step in the recipe.
    """
    if settings.shared and works_in_encoder(augmentation):
        message = f"{use} works in the encoder, which draws for each view by itself: remove this line"
        mistakes.add((*path, "shared"), message)


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
