"""``use = "audiomentations:NAME"``: any audiomentations transform of one sound.

The schema is the transform's signature, checked strictly; its draws, from the global generators of Python and NumPy,
are a function of the Rng.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
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
        with drawing_from(rng):
            try:
                samples_T = self.transform(value.samples_T, value.rate)
            except ImportError as error:
                raise _missing(self.transform, error) from error
        if samples_T is value.samples_T or samples_T.size == 0:
            return value
        return value.with_samples(samples_T.reshape(-1))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.transform!r})"


def audiomentations_transform(name: str) -> Callable[..., AudiomentationsStep]:
    """The factory of ``audiomentations:NAME``.

    Args:
        name: A class of ``audiomentations`` that transforms a waveform; the names are case-sensitive.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or a recipe cannot use it.
    """
    usable = usable_transforms()
    if name in _UNUSABLE:
        raise LookupError(f'"audiomentations:{name}" cannot be used: {_UNUSABLE[name]}')
    if name not in usable:
        raise LookupError(f'audiomentations has no transform "{name}" of a sound{coview.did_you_mean(name, usable)}')
    return _factory(usable[name])


@cache
def usable_transforms() -> dict[str, type[BaseWaveformTransform]]:
    """The names after the colon, and what they name."""
    return {
        name: value
        for name, value in vars(audiomentations).items()
        if inspect.isclass(value) and issubclass(value, BaseWaveformTransform) and name not in _UNUSABLE
    }


def _factory(transform: type[BaseWaveformTransform]) -> Callable[..., AudiomentationsStep]:
    """A function with the transform's parameters as its signature, and its docstring."""
    annotations: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    hints = typing.get_type_hints(transform.__init__)
    for name, parameter in inspect.signature(transform).parameters.items():
        annotation = _annotation(name, hints.get(name), parameter.default)
        if parameter.kind is not parameter.VAR_KEYWORD and annotation is not None:
            annotations[name], defaults[name] = annotation, parameter.default

    def build(**parameters: Any) -> AudiomentationsStep:
        try:
            return AudiomentationsStep(transform(**parameters))
        except (AssertionError, TypeError) as error:  # how some say that a value will not do
            raise ValueError(str(error) or "a parameter is out of its range") from error
        except ImportError as error:
            raise _missing(transform, error) from error

    build.__name__ = build.__qualname__ = transform.__name__
    build.__doc__ = "\n\n".join(filter(None, (inspect.getdoc(transform), inspect.getdoc(transform.__init__))))
    build.__annotations__ = {**annotations, "return": AudiomentationsStep}
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotations[name])
            for name, default in defaults.items()
        ],
        return_annotation=AudiomentationsStep,
    )
    return build


def _annotation(name: str, hint: Any, default: Any) -> Any:
    """What a recipe may give; None for what it cannot, such as functions, which then keep their defaults."""
    if name == "p":
        return Annotated[float, Ge(0), Le(1)]
    if hint is None:
        return type(default)
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if any(typing.get_origin(member) is Callable or member is Callable for member in members):
        return None
    if Path in members:
        return Path
    return hint | None if default is None else hint


def _missing(transform: Any, error: ImportError) -> coview.CoviewError:
    name = transform.__name__ if inspect.isclass(transform) else type(transform).__name__
    return coview.CoviewError(
        f'"audiomentations:{name}" needs a package that is not installed: {str(error).splitlines()[0]}',
        hint="pip install 'audiomentations[extras]'",
    )
