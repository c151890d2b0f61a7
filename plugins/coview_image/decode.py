"""From an image file to an RGB array, whatever the file's colours, depth, transparency and orientation."""

from __future__ import annotations

import re
import warnings
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

import coview

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
"""What a file may hold, whatever its name. Not all that Pillow knows: EPS is a program that it has Ghostscript run."""


def decode(file: Path | str | BinaryIO, reduced_size: int | None = None, *, name: str = "") -> np.ndarray:
    """A uint8 array of shape (height, width, 3), turned upright by its EXIF orientation.

    Transparent parts are laid on white; of 16-bit greys the upper 8 bits are kept; of an animation the first
    frame.

    Args:
        file: By its path or opened, as JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or JPEG 2000.
        reduced_size: For JPEG, decode at the smallest of the scales 1, 1/2, 1/4 and 1/8 that leaves both
            sides at least so long.
        name: Of the file in messages; by default its path.

    Raises:
        SampleError: If the file is missing, truncated, or no picture, or has more pixels than Pillow takes for harmless
            (``PIL.Image.MAX_IMAGE_PIXELS``, 89 million).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(file, formats=_formats())
        with picture:
            if reduced_size is not None:
                picture.draft(None, (reduced_size, reduced_size))
            return np.array(_as_rgb(ImageOps.exif_transpose(picture)))
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged bytes raise what they like, SyntaxError and struct.error included
        raise coview.SampleError(name or str(file), _reason(error)) from error


@cache
def _formats() -> list[str]:
    """Those that this build of Pillow knows."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit greys, which convert() would clip at 255
        wide = np.asarray(picture).astype(np.int64)
        return Image.fromarray((wide.clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "may not be read"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    what = re.sub(r" <_io\.\w+ object at \w+>", "", str(error))  # of bytes, which have no name
    return f"cannot be read as a picture ({what or type(error).__name__})"
