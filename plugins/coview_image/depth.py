"""How many bits the values of 16-bit grey pictures have: a scanner's 12 in a file's 16 would be nearly black."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

import coview

_LEAST = 12
"""Pictures with fewer bits than 16 and no more than these are asked about; of 13 and more the loss is small."""


def settled_bits(examples: Sequence[tuple[str, Path | BinaryIO]], given: int | None) -> int:
    """The bits to read 16-bit grey pictures by: what is given, or 16.

    Args:
        examples: Some of the pictures, with their names. Those that cannot be read are skipped.
        given: What the user says.

    Raises:
        CoviewError: If nothing is given, and no value of them has more than 12 bits.
    """
    if given is not None:
        return given
    largest: dict[str, int] = {}
    colours: dict[str, int] = {}
    for name, file in examples:
        try:
            with Image.open(file) as picture:
                if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
                    largest[name] = int(np.asarray(picture).max())
                elif picture.mode == "RGB" and any(";16" in str(tile[3]) for tile in picture.tile):
                    colours[name] = int(np.asarray(picture).max())  # of which Pillow has the upper 8 bits only
        except Exception:  # decoders of damaged bytes raise what they like; reading the sample says what is wrong
            continue
    if largest and 0 < max(largest.values()) < 2**_LEAST:
        bits = max(8, max(largest.values()).bit_length())
        raise coview.CoviewError(
            f"{coview.few(list(largest))} are grey pictures of 16 bits, and no value is greater than "
            f"{max(largest.values()):,}: they would be nearly black",
            hint=f"give bits = {_LEAST if bits > 10 else bits} if their values have so many bits, or bits = 16 if the "
            "pictures are as dark as that",
        )
    if colours and 0 < max(colours.values()) < 2 ** (_LEAST - 8):
        raise coview.CoviewError(
            f"{coview.few(list(colours))} are colour pictures of 16 bits with values of {_LEAST} bits or fewer: "
            "only the upper 8 bits of colours are read, and they would be nearly black",
            hint="convert them to 8 bits, or give bits = 16 if the pictures are as dark as that",
        )
    return 16
