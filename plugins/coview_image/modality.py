"""Pictures: how they become a batch, and how they are shown to a person."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from PIL import Image
from torch import Tensor

import coview
from coview_image.decode import SUFFIXES
from coview_image.picture_files import PictureFiles
from coview_image.pixels import LARGEST_SIDE, LUMA, constant, spread_of_channels

_RAW_SIDE = 32
_SHOWN_SIDE = 96
_LONGEST_STRIP = 32
"""Times its shorter side."""
_COLOUR = 0.02
"""How far the channels of a picture are apart in the mean where it counts as one in colour: a scanned grey is not 0."""


class ImageModality:
    """Pictures as arrays of shape (height, width, 3) or (height, width): uint8, or float32 from 0 to 1.

    A batch is a float32 tensor of shape (N, channels, height, width), normalised by ``(x - mean) / std``.
    Grey pictures are repeated over three channels and coloured ones reduced to their luma as ``channels``
    asks.

    Args:
        size: Side in pixels. A picture that is not ``size`` × ``size`` has its shorter side resized to it,
            bilinearly and without aliasing as Pillow does, and is cropped at the centre. Absent: pictures stay
            as they are, and have to agree in size.
        channels: 3 for colour, 1 for grey.
        mean: Of each channel, on the scale from 0 to 1; one number serves all channels. By default
            ImageNet's. Three numbers with ``channels = 1`` are combined by their luma weights, as the colours
            are.
        std: Likewise.
    """

    suffixes = SUFFIXES

    def __init__(
        self,
        *,
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)] | None = None,
        channels: Literal[1, 3] = 3,
        mean: tuple[Annotated[float, Ge(0)], ...] = (0.485, 0.456, 0.406),
        std: tuple[Annotated[float, Gt(0)], ...] = (0.229, 0.224, 0.225),
    ) -> None:
        self.size = size
        self.channels = channels
        self.mean = _per_channel("mean", mean, channels)
        self.std = _per_channel("std", std, channels)
        # (x / 255 - mean) / std as one product and one difference
        self._scale = tuple(1 / value for value in self.std)
        self._shift = tuple(m / s for m, s in zip(self.mean, self.std, strict=True))

    def collate(self, values: Sequence[np.ndarray], /) -> Tensor:
        """A normalised float32 batch of shape (N, channels, height, width).

        Raises:
            CoviewError: If the pictures differ in size.
        """
        return self.finish(self.collate_raw(values))

    def collate_raw(self, values: Sequence[np.ndarray], /) -> Tensor:
        """A batch of shape (N, channels, height, width) that is not normalised: uint8, or float32 from 0 to 1.

        Raises:
            CoviewError: If the pictures differ in size.
        """
        pictures = [self._fitted(value) for value in values]
        if len({picture.shape for picture in pictures}) > 1:
            pictures = [_as_channels(picture, self.channels) for picture in pictures]
            self._check_sizes(pictures)
        if not all(picture.dtype == np.uint8 for picture in pictures):
            pictures = [_as_float(picture) for picture in pictures]
        stack = np.stack(pictures)
        if pictures[0].ndim == 2:
            stack = stack[..., None]
        return torch.from_numpy(_as_channels(stack, self.channels)).permute(0, 3, 1, 2)

    def finish(self, batch: Tensor, /) -> Tensor:
        """The batch normalised: float32."""
        x_NCHW = batch.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        scale, shift = (constant(values, batch.device).view(-1, 1, 1) for values in (self._scale, self._shift))
        return x_NCHW.mul_(scale / 255 if batch.dtype == torch.uint8 else scale).sub_(shift)

    def uncollate(self, batch: Tensor, /) -> list[np.ndarray]:
        """Pictures (height, width, channels), uint8, of a normalised batch; beyond black and white is nothing."""
        std, mean = (torch.tensor(values, device=batch.device).view(-1, 1, 1) for values in (self.std, self.mean))
        pixels_NCHW = (batch.float() * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)
        return list(pixels_NCHW.permute(0, 2, 3, 1).cpu().numpy())

    def describe(self, value: np.ndarray, /) -> str:
        """Such as ``28×28 RGB, uint8``: width × height, colour, type."""
        colour = "grey" if value.ndim == 2 or value.shape[2] == 1 else "RGB"
        return f"{value.shape[1]}×{value.shape[0]} {colour}, {value.dtype}"

    def remark(self, value: np.ndarray, /) -> str:
        """That a picture is in colour, and made grey."""
        if self.channels == 3 or float(spread_of_channels(value).mean()) <= _COLOUR:
            return ""
        return (
            "are in colour, and channels = 1 makes them grey. To keep the colour, set channels = 3 here and in "
            "[encoder], with mean and std of three channels"
        )

    def fit_raw(self, values: Iterable[np.ndarray], /) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """Pixels as features: each picture at the first one's size, or 32 × 32 if smaller, flattened."""
        first = next(iter(values), None)
        if first is None:
            raise coview.CoviewError("no picture to take the size of the raw features from")
        height, width = (min(side, _RAW_SIDE) for side in self._fitted(first).shape[:2])

        def pixels(pictures: Sequence[np.ndarray]) -> np.ndarray:
            x_NF = np.empty((len(pictures), height * width * self.channels), dtype=np.float32)
            for row, picture in zip(x_NF, pictures, strict=True):
                small = _averaged(_as_float(_as_channels(self._fitted(picture), self.channels)), height, width)
                row[:] = small.reshape(-1)
            return x_NF

        return pixels

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[np.ndarray]], step: int, /) -> None:
        """One picture: a row for each sample, a cell for each view, small ones enlarged without smoothing."""
        pictures = [[_enlarged(_as_uint8(_as_channels(view, 3))) for view in row] for row in rows]
        writer.add_image(tag, coview.picture_grid(pictures), step, dataformats="HWC")

    def to_html(self, value: np.ndarray, /) -> str:
        """An ``<img>`` that carries the picture as PNG, small ones enlarged without smoothing."""
        picture = _as_uint8(_as_channels(value, 3))
        ok, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        assert ok, "OpenCV always has a PNG encoder"
        height, width = picture.shape[:2]
        zoom = _zoom(picture)
        data = base64.b64encode(png.tobytes()).decode()
        return (
            f'<img src="data:image/png;base64,{data}" width="{width * zoom}" height="{height * zoom}" '
            f'alt="{self.describe(value)}" style="image-rendering: pixelated">'
        )

    def file_reader(
        self,
        *,
        decode_size: Annotated[int, Gt(0)] | None = None,
        bits: Annotated[int, Ge(8), Le(16)] | None = None,
    ) -> PictureFiles:
        """Reads pictures as ``image_folder`` does.

        Args:
            decode_size: Decode JPEG files at a reduced scale that leaves both sides at least so many pixels. Absent:
                full size.
            bits: How many bits of the 16 of a 16-bit grey picture its values have. Absent: 16, and pictures that seem
                to have fewer are refused.
        """
        return PictureFiles(decode_size, bits)

    def export_hf(self, folder: Path, /) -> str:
        """Writes ``preprocessor_config.json``, which prepares as this modality does.

        A picture of another size than ``size`` may differ by a row or a column of its edge: libraries do not agree on
        the middle of an odd number.
        """
        config: dict[str, Any] = {
            "image_processor_type": "BitImageProcessor",
            "do_convert_rgb": self.channels == 3,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
            "do_resize": self.size is not None,
            "resample": 2,  # bilinear, which smooths where it shrinks
            "do_center_crop": self.size is not None,
        }
        if self.size is not None:
            config["size"] = {"shortest_edge": self.size}
            config["crop_size"] = {"height": self.size, "width": self.size}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")
        return (
            "from transformers import BitImageProcessor\n"  # Auto… passes this file over in timm's folders
            f"processor = BitImageProcessor.from_pretrained({str(folder)!r})\n"
            "pixel_values = processor(pictures, return_tensors='pt').pixel_values"
        )

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes the same file. The library reads it itself, so no line is needed for that."""
        self.export_hf(folder)
        return ""

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        if self.size is None or picture.shape[:2] == (self.size, self.size):
            return picture
        picture = _middle(picture)
        if self.channels == 1:  # a picture that is opened as a grey one is grey before it is resized
            picture = _as_channels(picture, 1)
        height, width = picture.shape[:2]
        shorter = min(height, width)
        height, width = self.size * height // shorter, self.size * width // shorter
        picture = _resized(picture, height, width)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        return picture[top : top + self.size, left : left + self.size]

    def _check_sizes(self, pictures: Sequence[np.ndarray]) -> None:
        sizes = sorted({picture.shape[:2] for picture in pictures})
        if len(sizes) > 1:
            named = ", ".join(f"{width}×{height}" for height, width in sizes[:5])
            more = f" and {len(sizes) - 5} more" if len(sizes) > 5 else ""
            raise coview.CoviewError(
                f"pictures of different sizes cannot form one batch: {named}{more} (width × height)",
                hint='add use = "random_resized_crop" with a size to [[augment]], or set size in [modality]',
            )


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) == channels:
        return values
    if len(values) == 1:
        return values * channels
    if len(values) == 3 and channels == 1:
        return (sum(weight * value for weight, value in zip(LUMA, values, strict=True)),)
    raise ValueError(f"{name} has to have one number or one for each of the {channels} channels, got {len(values)}")


def _middle(picture: np.ndarray) -> np.ndarray:
    """Of a strip the middle part, which contains all that is kept of it: enlarged whole it could fill the memory."""
    height, width = picture.shape[:2]
    longest = _LONGEST_STRIP * min(height, width)
    if max(height, width) <= longest:
        return picture
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[top : top + longest, left : left + longest]


def _as_channels(pictures: np.ndarray, channels: int) -> np.ndarray:
    """A picture (H, W), or pictures (…, H, W, 1 or 3), with exactly so many channels, last."""
    if pictures.ndim == 2:
        pictures = pictures[..., None]
    if pictures.shape[-1] == channels:
        return pictures
    if channels == 3:
        return np.repeat(pictures, 3, axis=-1)
    luma = pictures @ np.asarray(LUMA, dtype=np.float32)
    return (luma.round() if pictures.dtype == np.uint8 else luma).astype(pictures.dtype)[..., None]


def _as_float(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / 255
    return picture.astype(np.float32, copy=False)


def _as_uint8(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8:
        return picture
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def _resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear and without aliasing, as Pillow does it: so do the libraries that load what is exported."""
    channels = [picture] if picture.dtype == np.uint8 else np.moveaxis(np.atleast_3d(picture), -1, 0)
    resized = [
        np.asarray(Image.fromarray(channel.squeeze()).resize((width, height), Image.Resampling.BILINEAR))
        for channel in channels
    ]
    made = resized[0] if len(resized) == 1 else np.stack(resized, axis=-1)
    return made.reshape(height, width, *picture.shape[2:])


def _averaged(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averaged over areas where it shrinks, so that it does not alias; interpolated where it grows."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height < picture.shape[0] or width < picture.shape[1]
    resized: np.ndarray = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return resized.reshape(height, width, *picture.shape[2:])


def _zoom(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    return max(1, _SHOWN_SIDE // max(int(height), int(width)))


def _enlarged(picture: np.ndarray) -> np.ndarray:
    zoom = _zoom(picture)
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
