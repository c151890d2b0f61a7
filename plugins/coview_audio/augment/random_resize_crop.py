"""BYOL-A's random resize crop of log-mel: an approximation of pitch shift and time stretch."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor

import coview
from coview_audio.augment.log_mel import MelBatch, is_normalised, log_mel_of, mean_of_real, with_log_mel
from coview_audio.augment.ranges import check_range

_Scale = Annotated[float, Gt(0)]

_CUBIC = -0.75
"""The parameter of the cubic kernel that PyTorch and OpenCV take."""


class RandomResizeCrop:
    """BYOL-A's (arXiv:2103.06695): a box of random size and place, of whole bands and frames, is cut out of the
    spectrogram, and resized to the spectrogram's size by bicubic interpolation between its corners. Before and behind
    the spectrogram is its own mean, or where ``log_mel`` normalises, 0, the mean of the data, as in the authors' code.

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
        _, bins, frames = log_mel_NFT.shape
        extended = int(self.boundary * frames)
        height_N = (rng.uniform(1, *self.frequency)[:, 0] * bins).long().clamp(1, bins)
        length_N = (rng.uniform(1, *self.time)[:, 0] * frames).long().clamp(1, extended)
        share_N2 = rng.uniform(2)
        bottom_N = (share_N2[:, 0] * (bins - height_N + 1)).long()
        left_N = (share_N2[:, 1] * (extended - length_N + 1)).long() - (extended - frames) // 2
        real_N1T = (torch.arange(frames, device=frames_N.device) < frames_N[:, None])[:, None]
        outside_N11 = 0.0 if is_normalised(batch) else mean_of_real(log_mel_NFT, frames_N)
        centred_NFT = (log_mel_NFT - outside_N11).masked_fill(~real_N1T, 0)
        to_bands_NFF = _resizing(bottom_N, height_N, bins)
        to_frames_NTT = _resizing(left_N, length_N, frames)
        cropped_NFT = to_bands_NFF @ centred_NFT @ to_frames_NTT.mT
        all_real = {"frames_N": torch.full_like(frames_N, frames), "all_real_N": torch.ones_like(frames_N)}
        return {**with_log_mel(batch, cropped_NFT + outside_N11), **all_real}


def _resizing(start_N: Tensor, length_N: Tensor, places: int) -> Tensor:
    """``(N, places, places)``: what each place of the result takes of each place of what is cropped.

    Args:
        start_N: Where the crop begins; may lie before or behind the places, where everything is 0.
        length_N: How many places it has, at least 1; the first and the last become those of the result.
        places: How many there are, before and after.
    """
    result_P = torch.arange(places, device=start_N.device) / max(places - 1, 1)
    source_NP = result_P * (length_N - 1)[:, None]
    first_NP = source_NP.floor()
    beyond_NP1 = (source_NP - first_NP)[..., None]
    neighbour_4 = torch.arange(-1, 3, device=start_N.device)
    weights_NP4 = _cubic((beyond_NP1 - neighbour_4).abs())
    # at its edges the crop goes on as it ends
    within_NP4 = (first_NP.long()[..., None] + neighbour_4).clamp(min=0).minimum(length_N[:, None, None] - 1)
    place_NP4 = within_NP4 + start_N[:, None, None]
    is_there_NP4 = (place_NP4 >= 0) & (place_NP4 < places)
    made_NPP = weights_NP4.new_zeros((len(start_N), places, places))
    return made_NPP.scatter_add_(2, place_NP4.clamp(0, places - 1), weights_NP4 * is_there_NP4)


def _cubic(distance: Tensor) -> Tensor:
    """The weight of a place at a distance of up to 2 (Keys 1981)."""
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance.square() + 1
    far = _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    return torch.where(distance <= 1, near, far)
