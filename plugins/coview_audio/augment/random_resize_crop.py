"""BYOL-A's random resize crop of log-mel: an approximation of pitch shift and time stretch."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch.nn.functional import grid_sample

import coview
from coview_audio.augment.log_mel import MelBatch, log_mel_of, mean_of_real, with_log_mel
from coview_audio.augment.ranges import check_range

_Scale = Annotated[float, Gt(0)]


class RandomResizeCrop:
    """BYOL-A's (arXiv:2103.06695, §III-B): a box of random size and place is cut out of the spectrogram, which is
    surrounded by its own mean in time, and resized to the spectrogram's size.

    Args:
        frequency: Smallest and largest height of the box, as a share of the bands; what is drawn above 1 counts as
            1. The paper's [0.6, 1.5].
        time: Smallest and largest length of the box, as a share of the frames; the paper's [0.6, 1.5].
        boundary: Length that the spectrogram is extended to, as a share of its frames; the paper's 1.5.
    """

    batch: ClassVar[bool] = True

    def __init__(
        self,
        *,
        frequency: tuple[_Scale, _Scale] = (0.6, 1.5),
        time: tuple[_Scale, _Scale] = (0.6, 1.5),
        boundary: Annotated[float, Ge(1)] = 1.5,
    ) -> None:
        check_range("frequency", frequency)
        check_range("time", time)
        if time[1] > boundary:
            raise ValueError(f"time has to stay within the boundary {boundary:g}, got {time[1]:g}")
        self.frequency, self.time, self.boundary = frequency, time, boundary

    def __call__(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch, cropped and resized; every frame counts as real."""
        log_mel_NFT, frames_N = log_mel_of(batch, "random_resize_crop")
        rows, bins, frames = log_mel_NFT.shape
        mean_N11 = mean_of_real(log_mel_NFT, frames_N)
        real_N1T = (torch.arange(frames, device=frames_N.device) < frames_N[:, None])[:, None]
        height_N = rng.uniform(1, *self.frequency)[:, 0].clamp(max=1)
        length_N = rng.uniform(1, *self.time)[:, 0]
        share_N2 = rng.uniform(2)
        # on the scale of grid_sample: from -1 to 1 is the spectrogram itself
        bottom_N = share_N2[:, 0] * (1 - height_N) * 2 - 1
        left_N = share_N2[:, 1] * (self.boundary - length_N) * 2 - self.boundary
        middle_F = (torch.arange(bins, device=frames_N.device) + 0.5) / bins
        middle_T = (torch.arange(frames, device=frames_N.device) + 0.5) / frames
        y_NF = bottom_N[:, None] + 2 * height_N[:, None] * middle_F
        x_NT = left_N[:, None] + 2 * length_N[:, None] * middle_T
        grid_NFT2 = torch.stack(
            [x_NT[:, None].expand(rows, bins, frames), y_NF[:, :, None].expand(rows, bins, frames)], dim=-1
        )
        centred_N1FT = (log_mel_NFT - mean_N11).masked_fill(~real_N1T, 0)[:, None]
        cropped_NFT = grid_sample(centred_N1FT, grid_NFT2, mode="bicubic", padding_mode="zeros", align_corners=False)[
            :, 0
        ]
        return {**with_log_mel(batch, cropped_NFT + mean_N11), "frames_N": torch.full_like(frames_N, frames)}
