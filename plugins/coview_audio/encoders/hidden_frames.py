"""Hiding frames of a waveform from wav2vec 2.0 and its like: the one place that knows how transformers does so.

``tests/plugins/coview_audio/test_hidden_frames.py`` notices when that changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

import coview
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.encoders.mel_input import MEAN, STD
from coview_audio.spectrogram import coloured

_TAKES_MASK = (
    "wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio", "wav2vec2-conformer",
)  # fmt: skip
"""Models that give as many tokens as they have frames, and take which of these are hidden."""

BANDS = 80
_LEAST_WINDOW = 0.025
_COLUMN = 2
"""Pixels of a frame's column in a picture."""


def takes_mask(model: Any) -> bool:
    """Whether a model has a learnt vector for hidden frames, and a token for each frame."""
    config = model.config
    of_frames = config.model_type in _TAKES_MASK and not getattr(config, "add_adapter", False)
    return of_frames and isinstance(getattr(model, "masked_spec_embed", None), nn.Parameter)


def frame_count(config: Any, samples: int) -> int:
    """How many frames a model makes of so many samples."""
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def frames_of(
    model: Any,
    waveform_ML: Tensor,
    *,
    attention_NL: Tensor | None = None,
    hidden_MT: Tensor | None = None,
    layers: int = 0,
) -> tuple[Tensor, ...]:
    """``(M, T, D)`` of what comes out, then of each of the last layers, before any last norm.

    Args:
        model: Of transformers.
        waveform_ML: Its input.
        attention_NL: Which of it is real; absent: all.
        hidden_MT: For which frames the model's own vector stands; absent: none.
        layers: How many of the last layers.
    """
    made: list[Tensor] = []

    def keep(_module: nn.Module, _given: Any, output: Any) -> None:
        made.append(output[0] if isinstance(output, tuple) else output)

    kept = model.encoder.layers[len(model.encoder.layers) - layers :] if layers else ()
    hooks = [layer.register_forward_hook(keep) for layer in kept]
    given: dict[str, Any] = {}
    if hidden_MT is not None and not hidden_MT.is_meta:  # of a tensor without values no place is known
        given["mask_time_indices"] = hidden_MT
    try:
        with _hides_what_it_is_told(model.config) if given else nullcontext():
            tokens_MTD: Tensor = model(waveform_ML, attention_mask=attention_NL, **given).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    return tokens_MTD, *made


class FrameValues(nn.Module):
    """Log-mel of 80 bands of what each frame of a model sees: a column for each, centred on its samples, standardised.

    The window is what a frame sees, at least 25 ms.

    Args:
        config: The model's, with ``conv_kernel`` and ``conv_stride``.
        sample_rate: Of the sounds.
    """

    def __init__(self, config: Any, sample_rate: int) -> None:
        super().__init__()
        hop, sees = 1, 1
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            sees += (kernel - 1) * hop
            hop *= stride
        # column t of a log-mel is centred on sample t · hop: silence before the sound moves that to a frame's middle
        self._first = -(-(sees // 2) // hop)
        self._hop, self._before = hop, self._first * hop - sees // 2
        window = max(sees / sample_rate, _LEAST_WINDOW)
        settings = LogMelSettings(
            sample_rate=sample_rate, mel_bins=BANDS, window=window, hop=hop / sample_rate, transform=window
        )
        self.log_mel = LogMel(settings)

    def forward(self, waveform_NL: Tensor, frames: int) -> Tensor:
        """``(N, T, 80)`` of so many frames, of waveforms that are zero behind each sound."""
        # a sound shorter than a frame is followed by silence, as the model is given it
        after = max(0, (self._first + frames - 1) * self._hop - self._before - waveform_NL.shape[1])
        padded_NL = pad(waveform_NL, (self._before, after))
        lengths_N = torch.full((len(padded_NL),), padded_NL.shape[1], device=padded_NL.device)
        mel_NFT, _ = self.log_mel(padded_NL, lengths_N)
        of_frames_NFT: Tensor = mel_NFT[:, :, self._first : self._first + frames]
        return ((of_frames_NFT - MEAN) / STD).transpose(1, 2)

    def draw(self, values_STP: Tensor, layout: coview.TokenLayout) -> coview.TokenPictures:
        """Such values as pictures, a column of two pixels for each frame."""
        mel_SFT = values_STP.transpose(1, 2) * STD + MEAN
        loudest = float(mel_SFT[0][:, layout.real_NT[0]].max())
        frame_FT = torch.arange(mel_SFT.shape[2]).expand(mel_SFT.shape[1:])
        pixels_SFT3 = coloured(mel_SFT.numpy(), loudest).repeat(_COLUMN, axis=2)
        return coview.TokenPictures(pixels_SFT3, frame_FT.numpy().repeat(_COLUMN, axis=1))


@contextmanager
def _hides_what_it_is_told(config: Any) -> Iterator[None]:
    """transformers looks at ``mask_time_indices`` only where it may mask by itself, and then hides features too."""
    before = config.apply_spec_augment, config.mask_feature_prob
    config.apply_spec_augment, config.mask_feature_prob = True, 0.0
    try:
        yield
    finally:
        config.apply_spec_augment, config.mask_feature_prob = before
