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
from coview_image.pixels import LARGEST_SIDE

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

_PIXELS = (-LARGEST_SIDE, LARGEST_SIDE)
_FACTOR = (-64, 64)
_PARTS = (0, 1024)
_LIMITS = {
    **dict.fromkeys(("height", "width", "size", "max_size", "max_size_hw", "min_max_height", "plasma_size"), _PIXELS),
    **dict.fromkeys(("min_height", "min_width", "pad_height_divisor", "pad_width_divisor", "padding", "px"), _PIXELS),
    **dict.fromkeys(("kernel_size", "blur_limit", "radius", "mask_x_length", "mask_y_length"), _PIXELS),
    **dict.fromkeys(("scale", "scale_limit", "percent"), _FACTOR),
    **dict.fromkeys(("num_grid_xy", "num_steps", "nb_rows", "nb_cols", "tile_grid_size", "num_control_points"), _PARTS),
}
"""Of what pictures, kernels and grids are as large as: Albumentations allocates whatever it is asked for."""


def albumentations_transform(name: str) -> Callable[..., AlbumentationsStep]:
    """The factory of ``albumentations:NAME``.

    Args:
        name: A class of ``albumentations`` that transforms a picture; the names are case-sensitive.

    Raises:
        LookupError: If there is none of that name, with the nearest names; or it needs more than a picture.
    """
    transform = coview.library_member(
        "albumentations", name, usable_transforms(), what="transform of pictures", unusable=_UNUSABLE
    )
    annotations = {key: _annotation(transform, key) for key in inspect.signature(transform).parameters}
    return coview.library_factory(
        transform,
        AlbumentationsStep,
        annotations=annotations,
        doc=inspect.getdoc(transform),
        model=_strict_model(transform, annotations),
        limits=_LIMITS,
    )


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


def _annotation(transform: type[BasicTransform], name: str) -> Any:
    """The type in the schema; None for the few that the schema lacks, which Albumentations ignores."""
    field = transform.InitSchema.model_fields.get(name)
    if field is None:
        return None
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


def _strict_model(transform: type[BasicTransform], annotations: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (annotations[name], Field(... if parameter.default is parameter.empty else parameter.default))
        for name, parameter in inspect.signature(transform).parameters.items()
        if annotations[name] is not None
    }
    # Albumentations' own switch between warning and raising, which its schema carries but its recipe must not
    fields["strict"] = (Annotated[bool, AfterValidator(_refuse)], Field(False, exclude=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_model(transform.__name__, __base__=(_Strict, transform.InitSchema), **fields)
