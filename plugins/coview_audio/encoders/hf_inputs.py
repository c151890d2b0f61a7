"""What transformers' sound models want to be given, and what is real of what they return."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import ASTFeatureExtractor, AutoFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from coview_audio.encoders.equal_lengths import by_length
from coview_audio.encoders.hidden_frames import frame_count, frames_of, takes_mask

_MASKS_EXACTLY = ("wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio")
"""Models whose attention mask leaves no trace of padding, unless their first layer is normalised over time."""

SHORTEST = 400
"""Samples that these models see at once in a first frame, 25 ms: a shorter sound is followed by silence."""


class Frontend(Protocol):
    """From a padded batch to tokens ``(N, T, D)``, their mask, and one vector for the whole sound where there is one.

    Attributes:
        sample_rate: Of the sounds.
        has_class_token: Whether there is such a vector.
    """

    sample_rate: int
    has_class_token: bool

    def __call__(
        self, model: Any, waveform_NL: Tensor, lengths_N: Tensor, /
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Encodes a batch.  L sample in time"""
        ...

    def part_of(self, model: Any, /) -> Any:
        """What of the loaded model is needed."""
        ...

    def save(self, folder: Path, /) -> None:
        """Writes ``preprocessor_config.json``."""
        ...


def frontend_of(name: str, config: Any, model_class: Any) -> Frontend:
    """What a model wants.

    Raises:
        ValueError: If it is not a model of sounds, or of a kind that is not known.
    """
    if config.model_type == "whisper":
        return WhisperFrontend(_extractor(name, WhisperFeatureExtractor(feature_size=config.num_mel_bins)), config)  # type: ignore[no-untyped-call]
    if config.model_type == "audio-spectrogram-transformer":
        own = ASTFeatureExtractor(max_length=config.max_length, num_mel_bins=config.num_mel_bins)  # type: ignore[no-untyped-call]
        return ASTFrontend(_extractor(name, own), config)
    takes = getattr(model_class, "main_input_name", "input_values")
    if takes != "input_values" or not hasattr(config, "conv_kernel"):
        what = "texts" if takes == "input_ids" else takes
        raise ValueError(f"{name} ({getattr(model_class, '__name__', config.model_type)}) takes {what}, not waveforms")
    return WaveformFrontend(_extractor(name, Wav2Vec2FeatureExtractor()), config)  # type: ignore[no-untyped-call]


class _Extracting:
    has_class_token = False

    def __init__(self, extractor: Any, config: Any) -> None:
        self.extractor, self.config = extractor, config
        self.sample_rate = int(extractor.sampling_rate)

    def part_of(self, model: Any) -> Any:
        return model

    def save(self, folder: Path) -> None:
        self.extractor.save_pretrained(folder)

    def _prepared(self, waveform_NL: Tensor, lengths_N: Tensor, shape: tuple[int, int], **options: Any) -> Tensor:
        """By transformers' own code, on the CPU, each sound alone."""
        if waveform_NL.is_meta:
            return waveform_NL.new_zeros(len(waveform_NL), *shape)
        sounds = [
            row[:length].cpu().numpy() for row, length in zip(waveform_NL.float(), lengths_N.tolist(), strict=True)
        ]
        prepared = self.extractor(sounds, sampling_rate=self.sample_rate, return_tensors="pt", **options)
        values: Tensor = prepared[self.extractor.model_input_names[0]]
        return values.to(waveform_NL.device)


class WaveformFrontend(_Extracting):
    """wav2vec 2.0 and its like."""

    def __call__(
        self, model: Any, waveform_NL: Tensor, lengths_N: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Encodes a batch."""
        tokens_NTD, mask_NT, _ = self.frames(model, waveform_NL, lengths_N)
        return tokens_NTD, mask_NT, None

    def frames(
        self, model: Any, waveform_NL: Tensor, lengths_N: Tensor, *, hidden_NT: Tensor | None = None, layers: int = 0
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, ...]]:
        """Encodes a batch of which some frames are hidden: its tokens, their mask, and its last layers."""
        lengths_N = lengths_N.clamp(min=SHORTEST)
        if waveform_NL.shape[1] < SHORTEST:
            waveform_NL = pad(waveform_NL, (0, SHORTEST - waveform_NL.shape[1]))
        real_NL = torch.arange(waveform_NL.shape[1], device=lengths_N.device) < lengths_N[:, None]
        if self.extractor.do_normalize:
            waveform_NL = _normalised(waveform_NL, real_NL, lengths_N)
        normalises_over_time = getattr(self.config, "feat_extract_norm", "layer") == "group"
        if normalises_over_time or self.config.model_type not in _MASKS_EXACTLY or real_NL.is_meta or real_NL.all():

            def encode(x_ML: Tensor, rows_M: Tensor) -> Tensor:
                hidden_MT = None
                if hidden_NT is not None:
                    hidden_MT = hidden_NT[rows_M, : frame_count(model.config, x_ML.shape[1])]
                return torch.cat(frames_of(model, x_ML, hidden_MT=hidden_MT, layers=layers), -1)

            # a mask is of as many frames as the batch is long, whatever the longest of some of its sounds
            least = frame_count(model.config, waveform_NL.shape[1]) if takes_mask(model) else 0
            made_NTE, mask_NT = by_length(waveform_NL, lengths_N, encode, frames=least)
            tokens_NTD, *last = made_NTE.chunk(1 + layers, dim=-1)
            return tokens_NTD, mask_NT, tuple(last)
        tokens_NTD, *last = frames_of(
            model, waveform_NL, attention_NL=real_NL.long(), hidden_MT=hidden_NT, layers=layers
        )
        frames_N = model._get_feat_extract_output_lengths(lengths_N)
        mask_NT = torch.arange(tokens_NTD.shape[1], device=frames_N.device) < frames_N[:, None]
        return tokens_NTD, mask_NT, tuple(last)


class WhisperFrontend(_Extracting):
    """Whisper's encoder, which always sees 30 seconds: a shorter sound is followed by silence, a longer one cut."""

    def __call__(
        self, model: Any, waveform_NL: Tensor, lengths_N: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Encodes a batch."""
        frames = self.config.max_source_positions
        samples = 2 * frames * self.extractor.hop_length
        mel_NFT = self._prepared(
            waveform_NL,
            lengths_N,
            (self.config.num_mel_bins, 2 * frames),
            padding="max_length",
            max_length=samples,
            truncation=True,
        )
        tokens_NTD = model(mel_NFT).last_hidden_state
        real_N = (-(-lengths_N // (2 * self.extractor.hop_length))).clamp(1, frames)
        return tokens_NTD, torch.arange(frames, device=real_N.device) < real_N[:, None], None

    def part_of(self, model: Any) -> Any:
        """The decoder is not needed."""
        encoder = model.get_encoder()
        for parameter in encoder.embed_positions.parameters():  # fixed sines
            parameter.requires_grad_(False)
        return encoder


class ASTFrontend(_Extracting):
    """The audio spectrogram transformer, which always sees as many frames as it was made for."""

    has_class_token = True

    def __call__(
        self, model: Any, waveform_NL: Tensor, lengths_N: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Encodes a batch."""
        if waveform_NL.shape[1] < SHORTEST:
            waveform_NL = pad(waveform_NL, (0, SHORTEST - waveform_NL.shape[1]))
        shape = (self.config.max_length, self.config.num_mel_bins)
        output = model(self._prepared(waveform_NL, lengths_N.clamp(min=SHORTEST), shape))
        return output.last_hidden_state[:, 2:], None, output.pooler_output


def _extractor(name: str, otherwise: Any) -> Any:
    """The folder's or the hub's own preparation, or the usual one where it has none."""
    try:
        # unless told, it would ask in the terminal whether to run code
        return AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        return otherwise


def _normalised(waveform_NL: Tensor, real_NL: Tensor, lengths_N: Tensor) -> Tensor:
    """Each sound with mean 0 and variance 1, silence behind it: as transformers' extractor does, on the device."""
    mean_N1 = waveform_NL.masked_fill(~real_NL, 0).sum(1, keepdim=True) / lengths_N[:, None]
    centred_NL = (waveform_NL - mean_N1).masked_fill(~real_NL, 0)
    variance_N1 = centred_NL.square().sum(1, keepdim=True) / lengths_N[:, None]
    return centred_NL / (variance_N1 + 1e-7).sqrt()
