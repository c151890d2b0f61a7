"""``use = "audiomentations:NAME"``: any audiomentations transform of one sound.

The schema is the transform's signature, checked strictly; its draws, from the global generators of Python and NumPy,
are a function of the Rng.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any

import audiomentations
from annotated_types import Ge, Le
from audiomentations.core.transforms_interface import BaseWaveformTransform

import coview
from coview_audio.augment.library_randomness import drawing_from
from coview_audio.sound import Sound

_UNUSABLE: Mapping[str, str] = {"Lambda": "a recipe cannot give it functions"}


class AudiomentationsStep:
    """One step of a pipeline.

    Args:
        transform: An audiomentations transform; it must not be shared with other code.
    """

    def __init__(self, transform: BaseWaveformTransform) -> None:
        self.transform = transform

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The transformed sound, or the very one given where nothing was to be done."""
        with drawing_from(rng, "audiomentations"):
            try:
                samples_T = self.transform(value.samples_T, value.rate)
            except ImportError as error:
                raise _missing(self.transform, error) from error
            except Exception as error:
                raise coview.library_refusal("audiomentations", self.transform, error, f"a sound of {value}") from error
        if samples_T is value.samples_T or samples_T.size == 0:
            return value
        return value.with_samples(samples_T.reshape(-1))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.transform!r})"


_HOUR = 3600.0
_LIMITS = {
    "n_fft": (1, 2**20),
    "duration_samples": (1, 2**28),
    "duration_seconds": (0, _HOUR),
    **dict.fromkeys(("min_part_duration", "max_part_duration"), (0, _HOUR)),
    **dict.fromkeys(("min_repeats", "max_repeats"), (1, 1000)),
    **dict.fromkeys(("min_fraction", "max_fraction"), (0, 100)),
    **dict.fromkeys(("min_sample_rate", "max_sample_rate"), (100, 1_000_000)),
    **dict.fromkeys(("min_rate", "max_rate"), (0.01, 100)),
    **dict.fromkeys((f"{end}_size_{axis}" for end in ("min", "max") for axis in "xyz"), (0.01, 1000)),
    **dict.fromkeys(("min_target_rt60", "max_target_rt60"), (0, 60)),
    "max_order": (0, 64),
    "padding": (0, 1000),
}
"""Of what sounds are as long as, in seconds, samples, repeats or metres: the library allocates what it is asked for."""


def audiomentations_transform(name: str) -> Callable[..., AudiomentationsStep]:
    """The factory of ``audiomentations:NAME``.

    Args:
        name: A class of ``audiomentations`` that transforms a waveform; the names are case-sensitive.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or a recipe cannot use it.
    """
    transform = coview.library_member(
        "audiomentations", name, usable_transforms(), what="transform of a sound", unusable=_UNUSABLE
    )
    return coview.library_factory(
        transform,
        AudiomentationsStep,
        annotations={"p": Annotated[float, Ge(0), Le(1)]},
        missing=partial(_missing, transform),
        limits=_LIMITS,
    )


@cache
def usable_transforms() -> dict[str, type[BaseWaveformTransform]]:
    """The names after the colon, and what they name."""
    return {
        name: value
        for name, value in vars(audiomentations).items()
        if inspect.isclass(value) and issubclass(value, BaseWaveformTransform) and name not in _UNUSABLE
    }


def _missing(transform: Any, error: ImportError) -> coview.CoviewError:
    name = transform.__name__ if inspect.isclass(transform) else type(transform).__name__
    return coview.CoviewError(
        f'"audiomentations:{name}" needs a package that is not installed: {str(error).splitlines()[0]}',
        hint="pip install 'audiomentations[extras]'",
    )
