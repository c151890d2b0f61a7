"""Several steps as one, which a recipe names at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor

import coview
from coview_image.augment.color_jitter import ColorJitter
from coview_image.augment.flip import RandomFlip
from coview_image.augment.gaussian_blur import GaussianBlur
from coview_image.augment.grayscale import RandomGrayscale
from coview_image.augment.random_resized_crop import Interpolation, RandomResizedCrop
from coview_image.augment.solarize import Solarize


class Step(Protocol):
    """A step that works on one picture, and has a form for batches."""

    def __call__(self, value: np.ndarray, rng: coview.Rng, /) -> np.ndarray:
        """The new picture."""
        ...

    def batched(self) -> coview.BatchAugmentation:
        """Its form for a whole batch."""
        ...


class Pipeline:
    """Steps in a row, which draw from one stream one after the other.

    Args:
        steps: In order.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    def __call__(self, value: np.ndarray, rng: coview.Rng, /) -> np.ndarray:
        """The picture after all steps."""
        for step in self.steps:
            value = step(value, rng)
        return value

    def remark(self, value: np.ndarray, /) -> str:
        """The first of what its steps have to say of a picture."""
        remarks = (step.remark(value) for step in self.steps if isinstance(step, coview.RemarksOn))
        return next(filter(None, remarks), "")

    def batched(self) -> PipelineOfBatch:
        """Its form for a whole batch."""
        return PipelineOfBatch([step.batched() for step in self.steps])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(step).__name__ for step in self.steps)})"


class PipelineOfBatch:
    """The same for a batch.

    Args:
        steps: In order.
    """

    batch: ClassVar[bool] = True

    def __init__(self, steps: Sequence[coview.BatchAugmentation]) -> None:
        self.steps = tuple(steps)
        self.replayable = all(getattr(step, "replayable", False) for step in steps)

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """The pictures after all steps."""
        for step in self.steps:
            batch = step(batch, rng)
        return batch


def crop_and_distort(
    size: int,
    scale: tuple[float, float],
    jitter: tuple[float, float, float, float],
    *,
    strength: float = 1.0,
    blur: float,
    solarize: float = 0.0,
    interpolation: Interpolation = "linear",
) -> list[Step]:
    """What SimCLR began and the others vary: crop, flip, jitter, greyscale, blur, solarisation.

    Args:
        size, scale: Of the crop.
        jitter: Brightness, contrast, saturation, hue.
        strength: Of the jitter.
        blur, solarize: Probabilities; a step of probability 0 is left out.
        interpolation: Of the crop.
    """
    brightness, contrast, saturation, hue = jitter
    steps: list[Step] = [
        RandomResizedCrop(size=size, scale=scale, interpolation=interpolation),
        RandomFlip(),
        ColorJitter(strength=strength, brightness=brightness, contrast=contrast, saturation=saturation, hue=hue),
        RandomGrayscale(),
    ]
    if blur:
        steps.append(GaussianBlur(p=blur))
    if solarize:
        steps.append(Solarize(p=solarize))
    return steps
