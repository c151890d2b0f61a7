"""``use = "timm:NAME"``: a convolutional network of timm on log-mel, as COLA has an EfficientNet-B0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import timm
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

import coview
from coview_audio.encoders.equal_lengths import by_length
from coview_audio.encoders.masked import masked_max, masked_mean
from coview_audio.encoders.mel_input import MEAN, STD, WINDOW, MelInput, Window

_SHORTEST = 32
"""Frames: below that, a network that halves its map five times has nothing left."""


class TimmAudioEncoder(nn.Module):
    """A convolutional network of timm with random weights, on log-mel as a picture of one channel, a frame every 10 ms.

    The vector of a sound is the mean or the maximum over all places of the last feature map. Sounds of one length are
    encoded together, and others apart, as such a network sees padding; a sound below 0.32 s is followed by silence.

    Args:
        pooling: "mean", or "max", which COLA takes.
        drop_path: Largest probability of leaving out a block in training (stochastic depth, arXiv:1603.09382).
        mel_bins: Bands of the log-mel spectrogram.
        sample_rate: Sample rate of the sounds in Hz, the same as the modality's.
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the result is divided by.
        window: Length of a frame, in milliseconds; COLA: 25.
    """

    starts_trained: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        /,
        *,
        pooling: Literal["mean", "max"] = "mean",
        drop_path: Annotated[float, Ge(0), Lt(1)] = 0.0,
        mel_bins: Annotated[int, Ge(32), Le(1024)] = 64,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
        window: Window = WINDOW,
    ) -> None:
        super().__init__()
        drops: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path > 0 else {}
        try:
            model: Any = timm.create_model(name, in_chans=1, num_classes=0, **drops)
        except TypeError as error:
            if "drop_path_rate" not in str(error):
                raise
            raise ValueError(f"drop_path cannot be set for timm's {name}: it takes none") from error
        self.model, self.width = model, int(model.num_features)
        if getattr(model, "head_hidden_size", self.width) != self.width:  # not all of timm's models say
            raise ValueError(
                f"timm's {name} has layers behind its feature map, which would stay as they are: take another"
            )
        self.pooling = pooling
        self.input = MelInput(sample_rate, mel_bins, mean, std, window)

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each step in time (N, T, D)."""
        x_N1FT, lengths_N = self.input(batch)
        if (missing := _SHORTEST - x_N1FT.shape[-1]) > 0:
            x_N1FT = nn.functional.pad(x_N1FT, (0, missing))
        x_NTF = x_N1FT[:, 0].transpose(1, 2)
        if lengths_N is not None:
            lengths_N = lengths_N.clamp(min=_SHORTEST)
        tokens_NTD, mask_NT = by_length(x_NTF, lengths_N, lambda x_MTF, _: self._tokens(x_MTF))
        pool = masked_max if self.pooling == "max" else masked_mean
        return coview.Encoding(pool(tokens_NTD, mask_NT), tokens_NTD, mask_NT)

    def _tokens(self, x_MTF: Tensor) -> Tensor:
        """``(M, T', D)``: the feature map without its frequencies."""
        features_MDFT: Tensor | None = None
        with suppress(AssertionError):  # how timm's transformers refuse pictures of a size that they were not built for
            features_MDFT = self.model.forward_features(x_MTF.transpose(1, 2)[:, None])
        if features_MDFT is None or features_MDFT.ndim != 4 or features_MDFT.shape[1] != self.width:
            raise coview.CoviewError(
                f"{type(self.model).__name__} of timm makes no feature map of {self.width} channels",
                hint='take a convolutional network, such as "timm:efficientnet_b0", or use = "mel_vit"',
            )
        tokens_MDT = features_MDFT.amax(2) if self.pooling == "max" else features_MDFT.mean(2)
        return tokens_MDT.transpose(1, 2)

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate."""
        self.input.check_batch(batch)


def timm_audio_encoder(name: str) -> Callable[..., TimmAudioEncoder]:
    """The factory of ``timm:NAME``.

    Args:
        name: As ``timm.list_models`` has it.

    Raises:
        LookupError: If timm has no such model, with the nearest names.
    """
    if not timm.is_model(name):
        raise LookupError(f'timm has no model "{name}"{coview.did_you_mean(name, timm.list_models())}')
    return partial(TimmAudioEncoder, name)
