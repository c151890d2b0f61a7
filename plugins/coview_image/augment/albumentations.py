"""``use = "albumentations:NAME"``: any Albumentations transform that makes a picture of a picture.

The schema is the transform's own ``InitSchema``, made strict: Albumentations only warns about an argument it
does not know and goes on without it, and turns the string "1" into a number.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Self

import albumentations
from albumentations.core.transforms_interface import BasicTransform
from albumentations.core.type_definitions import Targets
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import InitErrorDetails, PydanticCustomError

import coview
from coview_image.augment.step import AlbumentationsStep

_BOXES = "it works on bounding boxes"
_OTHERS = "it mixes in other pictures, which one sample does not have"
_MASK = "it needs a mask"
_TYPE = "coview's image modality does that when it makes a batch"
_UNUSABLE: Mapping[str, str] = {
    "AtLeastOneBBoxRandomCrop": _BOXES,
    "BBoxSafeRandomCrop": _BOXES,
    "RandomCropNearBBox": _BOXES,
    "RandomSizedBBoxSafeCrop": _BOXES,
    "FDA": _OTHERS,
    "HistogramMatching": _OTHERS,
    "Mosaic": _OTHERS,
    "OverlayElements": _OTHERS,
    "PixelDistributionAdaptation": _OTHERS,
    "ConstrainedCoarseDropout": _MASK,
    "CropNonEmptyMaskIfExists": _MASK,
    "MaskDropout": _MASK,
    "FromFloat": _TYPE,
    "Normalize": _TYPE,
    "ToTensorV2": _TYPE,
    "ToTensor3D": _TYPE,
    "TextImage": "it needs texts",
    "Lambda": "a recipe cannot give it functions",
}


def albumentations_transform(name: str) -> Callable[..., AlbumentationsStep]:
    """The factory of ``albumentations:NAME``.

    Args:
        name: A class of ``albumentations`` that transforms a picture; the names are case-sensitive.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or it needs more than a picture.
    """
    usable = usable_transforms()
    if name in _UNUSABLE and hasattr(albumentations, name):
        raise LookupError(f'"albumentations:{name}" cannot be used: {_UNUSABLE[name]}')
    if name not in usable:
        raise LookupError(f'Albumentations has no transform "{name}" for pictures{coview.did_you_mean(name, usable)}')
    return _factory(usable[name])


@cache
def usable_transforms() -> dict[str, type[BasicTransform]]:
    """The names after the colon, and what they name."""
    found = {}
    for name, value in vars(albumentations).items():
        if not (inspect.isclass(value) and issubclass(value, BasicTransform)) or name in _UNUSABLE:
            continue
        targets = getattr(value, "_targets", ())  # the abstract base classes have none
        is_abstract = value is albumentations.ImageOnlyTransform
        if not is_abstract and Targets.IMAGE in (targets if isinstance(targets, tuple) else (targets,)):
            found[name] = value
    return found


def _factory(transform: type[BasicTransform]) -> Callable[..., AlbumentationsStep]:
    """A function with the transform's parameters as its signature, its docstring and its strict schema."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(transform).parameters.items()
        # the few that the schema lacks are ignored by Albumentations, so they are refused here
        if name in transform.InitSchema.model_fields
    }

    def build(**parameters: Any) -> AlbumentationsStep:
        return AlbumentationsStep(transform(**parameters))

    annotations = {name: _annotation(transform, name) for name in defaults}
    build.__name__ = build.__qualname__ = transform.__name__
    build.__doc__ = inspect.getdoc(transform)
    build.__annotations__ = {**annotations, "return": AlbumentationsStep}
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotations[name])
            for name, default in defaults.items()
        ],
        return_annotation=AlbumentationsStep,
    )
    build.parameters_model = _strict_model(transform, annotations, defaults)  # type: ignore[attr-defined]
    return build


def _annotation(transform: type[BasicTransform], name: str) -> Any:
    field = transform.InitSchema.model_fields[name]
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation


def _refuse(value: Any) -> Any:
    raise ValueError("unknown key")


class _Strict(BaseModel):
    """Strict, and an error where Albumentations' validators only warn that they have changed a value.

    They also compare and unpack what they get, and may fail otherwise than by ValueError.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Pydantic's, which coview checks a recipe's table by."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                return super().model_validate_json(json_data, **options)
            except (TypeError, AttributeError, LookupError, ArithmeticError, UserWarning) as error:
                unusable = PydanticCustomError("unusable", "{reason}", {"reason": str(error)})
                line = InitErrorDetails(type=unusable, loc=(), input=json_data)
                raise ValidationError.from_exception_data(cls.__name__, [line]) from error


def _strict_model(
    transform: type[BasicTransform], annotations: Mapping[str, Any], defaults: Mapping[str, Any]
) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (annotations[name], Field(... if default is inspect.Parameter.empty else default))
        for name, default in defaults.items()
    }
    # Albumentations' own switch between warning and raising, which its schema carries but its recipe must not
    fields["strict"] = (Annotated[bool, AfterValidator(_refuse)], Field(False, exclude=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_model(transform.__name__, __base__=(_Strict, transform.InitSchema), **fields)
