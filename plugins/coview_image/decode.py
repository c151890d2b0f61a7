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

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif",
)  # fmt: skip
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
"""What a file may hold, whatever its name. Not all that Pillow knows: EPS is a program that it has Ghostscript run."""


def decode(
    file: Path | str | BinaryIO, reduced_size: int | None = None, *, name: str = "", bits: int = 16
) -> np.ndarray:
    """A uint8 array of shape (height, width, 3), turned upright by its EXIF orientation.

    Transparent parts are laid on white; of 16-bit greys the upper 8 of their bits are kept; floats are taken to
    go from 0 to 1, or from 0 to 255 where one is greater than 1; of an animation the first frame is taken.

    Args:
        file: By its path or opened, as JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or JPEG 2000.
        reduced_size: For JPEG, decode at the smallest of the scales 1, 1/2, 1/4 and 1/8 that leaves both
            sides at least so long.
        name: Of the file in messages; by default its path.
        bits: How many of the 16 bits of 16-bit greys their values have; greater ones are white.

    Raises:
        SampleError: If the file is missing, truncated, or no picture, has values beyond those scales, or more pixels
            than Pillow takes for harmless (``PIL.Image.MAX_IMAGE_PIXELS``, 89 million).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(file, formats=_formats())
        with picture:
            if reduced_size is not None:
                picture.draft(None, (reduced_size, reduced_size))
            return np.array(_as_rgb(ImageOps.exif_transpose(picture), bits))
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged bytes raise what they like, SyntaxError and struct.error included
        raise coview.SampleError(name or str(file), _reason(error)) from error


@cache
def _formats() -> list[str]:
    """Those that this build of Pillow knows."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _as_rgb(picture: Image.Image, bits: int) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit greys, which convert() would clip at 255
        wide = np.asarray(picture).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise ValueError(f"its values go from {wide.min():,} to {wide.max():,}, and have to be in 0 to 65,535")
        return _grey(wide.clip(0, 2**bits - 1) >> (bits - 8))
    if picture.mode == "F":  # which convert() would clip at 255, so that 0 to 1 is black
        floats = np.asarray(picture)
        low, high = float(floats.min()), float(floats.max())
        if not (low >= 0 and high <= 255):  # NaN is neither
            raise ValueError(f"its values are floats from {low:g} to {high:g}, and have to be in 0 to 1 or 0 to 255")
        return _grey(np.rint(floats * (255 if high <= 1 else 1)))
    if picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    what = re.sub(r" <_io\.\w+ object at \w+>", "", str(error))  # of bytes, which have no name
    return f"cannot be read as a picture ({what or type(error).__name__})"
