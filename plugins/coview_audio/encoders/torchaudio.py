"""``use = "torchaudio:NAME"``: wav2vec 2.0, HuBERT and WavLM as torchaudio's bundles have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pad

import coview
from coview_audio.encoders.equal_lengths import by_length
from coview_audio.encoders.masked import masked_mean
from coview_audio.encoders.mel_input import check_rate, check_rate_once, of_modality
from coview_audio.encoders.torchaudio_bundle import normalises, untrained, usable_bundles, weights, width

_SHORTEST = 400


class TorchaudioEncoder(nn.Module):
    """A network of ``torchaudio.pipelines``; the vector of a sound is the mean over its frames. A sound below 25 ms is
    followed by silence.

    Args:
        pretrained: Start from its weights, which are downloaded from download.pytorch.org; false: from its
            architecture alone, with random weights.
        pooling: "mean" over the frames.
    """

    def __init__(self, bundle: Any, /, *, pretrained: bool = True, pooling: Literal["mean"] = "mean") -> None:
        super().__init__()
        self.pooling = pooling
        self._sample_rate = int(bundle.sample_rate)
        self._normalises = normalises(bundle)
        self.model = _load(bundle, pretrained)
        # no layer is left out at random in training: it would get no gradient
        self.model.encoder.transformer.layer_drop = -1.0
        self.width = width(bundle)
        self.model.train()

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each frame (N, T, D)."""
        check_rate_once(self, batch, self._sample_rate)
        waveform_NL = batch["waveform_NT"]
        lengths_N = None if "all_real_N" in batch else batch["lengths_N"].clamp(min=_SHORTEST)
        if waveform_NL.shape[1] < _SHORTEST:
            waveform_NL = pad(waveform_NL, (0, _SHORTEST - waveform_NL.shape[1]))
        tokens_NTD, mask_NT = by_length(waveform_NL, lengths_N, lambda x_ML, _: self._encode(x_ML))
        return coview.Encoding(pooled_ND=masked_mean(tokens_NTD, mask_NT), tokens_NTD=tokens_NTD, mask_NT=mask_NT)

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate."""
        check_rate(batch, self._sample_rate, of_modality(self._sample_rate))

    def layer_numbers(self) -> dict[str, int]:
        """What comes before the transformer, then each of its layers."""
        return coview.stacked_layers(self)

    def _encode(self, waveform_ML: Tensor) -> Tensor:
        if self._normalises:
            waveform_ML = layer_norm(waveform_ML, waveform_ML.shape[1:])
        # torchaudio looks at a number that it draws, which a meta tensor does not have
        with torch.device("cpu") if waveform_ML.is_meta else nullcontext():
            tokens_MTD: Tensor = self.model(waveform_ML)[0]
        return tokens_MTD


def torchaudio_encoder(name: str) -> Callable[..., TorchaudioEncoder]:
    """The factory of ``torchaudio:NAME``.

    Args:
        name: A bundle of self-supervised weights in ``torchaudio.pipelines``.

    Raises:
        LookupError: If there is none of that name, with the nearest names.
    """
    return partial(TorchaudioEncoder, coview.library_member("torchaudio", name, usable_bundles(), what="encoder"))


def _load(bundle: Any, pretrained: bool) -> Any:
    model = untrained(bundle)
    if pretrained and not coview.on_meta_device():
        try:
            model.load_state_dict(weights(bundle))
        except OSError as error:
            raise coview.CoviewError(
                f"its weights can neither be found in the cache nor downloaded: {error}",
                hint="connect to the network, or set pretrained = false",
            ) from error
    return model
