"""An Albumentations transform that draws from an :class:`coview.Rng` instead of from its own generators.

Albumentations 2.0.8 gives each transform a generator of its own, which every DataLoader worker inherits as a
copy and draws the same numbers from, epoch after epoch. Here the transform is used bare, without ``Compose``,
and its two generators *are* the Rng's: the core moves the Rng to the stream of (seed, epoch, sample, view,
position) before each call, so nothing has to be seeded or made anew.
"""

from __future__ import annotations

from typing import Any

import albumentations
import numpy as np

import coview
import coview_image.pixels  # noqa: F401  OpenCV on one thread

_DETERMINISTIC = (albumentations.CenterCrop, albumentations.Crop, albumentations.Resize)
"""What draws nothing where it is applied to every picture."""


class AlbumentationsStep:
    """One step of a pipeline.

    Args:
        transform: An Albumentations transform; it must not be shared with other code.
    """

    def __init__(self, transform: albumentations.BasicTransform) -> None:
        self.transform = transform
        self.deterministic = isinstance(transform, _DETERMINISTIC) and transform.p == 1

    def __call__(self, value: np.ndarray, rng: coview.Rng, /) -> np.ndarray:
        """The transformed picture, or the very one given where nothing was to be done."""
        transform = self.transform
        if transform.py_random is not rng.python:
            transform.set_random_state(rng.numpy, rng.python)
        if not transform.should_apply():
            return value
        # What transform(image=value) does, without its bookkeeping of masks and boxes, which costs as much as a
        # transform of a small picture; a test holds the two equal for every transform.
        value = np.ascontiguousarray(value)
        data = {"image": value}
        try:
            drawn = transform.update_transform_params(transform.get_params(), data)
            drawn.update(transform.get_params_dependent_on_data(drawn, data))
            return np.ascontiguousarray(transform.apply(value, **drawn))
        except Exception as error:
            picture = f"a picture of {value.shape[1]} × {value.shape[0]} pixels"
            raise coview.library_refusal("albumentations", transform, error, picture) from error

    def __getstate__(self) -> dict[str, Any]:
        # An Rng's generators cannot be pickled; the next call sets them again, in whichever process.
        self.transform.set_random_seed(0)
        return self.__dict__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.transform!r})"
