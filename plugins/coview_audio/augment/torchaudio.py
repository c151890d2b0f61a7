"""``use = "torchaudio:NAME"``: torchaudio's transforms of waveforms in workers, and masks of log-mel on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import torch
import torchaudio.transforms
from torch import Tensor

import coview
from coview_audio.augment.log_mel import MelBatch, log_mel_of, with_log_mel
from coview_audio.sound import Sound

_OF_WAVEFORMS = ("Deemphasis", "Fade", "PitchShift", "Preemphasis", "SpeedPerturbation", "Vol")
_OF_LOG_MEL = ("FrequencyMasking", "TimeMasking")

_LIMITS = {
    **dict.fromkeys(("n_fft", "win_length", "hop_length"), (1, 2**20)),
    "fade_in_len": (0, 2**28),
    "fade_out_len": (0, 2**28),
    "n_steps": (-120, 120),
    "bins_per_octave": (1, 1200),
    "orig_freq": (1, 1_000_000),
    "factors": (0.01, 100),
}
"""Of what sounds and windows are as long as: torchaudio allocates whatever it is asked for."""


class TorchaudioStep:
    """A transform of one waveform, which draws from PyTorch's global generator: seeded for it, and restored.

    Args:
        transform: Of ``torchaudio.transforms``.
    """

    def __init__(self, transform: torch.nn.Module) -> None:
        self.transform = transform

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The transformed sound."""
        with coview.seeded(rng.seed32()), torch.no_grad():
            try:
                result = self.transform(torch.from_numpy(value.samples_T.copy())[None])
            except Exception as error:
                raise coview.library_refusal("torchaudio", self.transform, error, f"a sound of {value}") from error
        samples_1T: Tensor = result[0] if isinstance(result, tuple) else result
        return value.with_samples(samples_1T[0].numpy()) if samples_1T.numel() else value


class TorchaudioMelStep:
    """A mask of log-mel, for one row after the other.

    Args:
        transform: Of ``torchaudio.transforms``.
    """

    batch: ClassVar[bool] = True

    def __init__(self, transform: torch.nn.Module) -> None:
        self.transform = transform

    def __call__(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch with masks in it."""
        log_mel_NFT, _ = log_mel_of(batch, f"torchaudio:{type(self.transform).__name__}")
        device = log_mel_NFT.device
        seeds = (rng.uniform()[:, 0].double() * 2**24).long().tolist()
        rows = []
        with coview.seeded(0, device) as seed_again:
            for seed, row_FT in zip(seeds, log_mel_NFT, strict=True):
                seed_again(seed)
                try:
                    rows.append(self.transform(row_FT[None].clone())[0])
                except Exception as error:
                    mel = f"log-mel of {row_FT.shape[0]} bins and {row_FT.shape[1]} frames"
                    raise coview.library_refusal("torchaudio", self.transform, error, mel) from error
        return with_log_mel(batch, torch.stack(rows))


def torchaudio_transform(name: str) -> Callable[..., Any]:
    """The factory of ``torchaudio:NAME``.

    Args:
        name: A class of ``torchaudio.transforms``.

    Raises:
        LookupError: If there is none of that name that makes a sound of a sound, with the nearest names.
    """
    what, usable = "transform of a sound or of log-mel", usable_transforms()
    transform = coview.library_member("torchaudio", name, usable, what=what)
    if name in _OF_LOG_MEL:
        return coview.library_factory(transform, TorchaudioMelStep, batch=True)
    return coview.library_factory(transform, TorchaudioStep, limits=_LIMITS)


@cache
def usable_transforms() -> dict[str, type[torch.nn.Module]]:
    """The names after the colon, and what they name."""
    return {name: getattr(torchaudio.transforms, name) for name in sorted((*_OF_WAVEFORMS, *_OF_LOG_MEL))}
