"""Sounds: how they become a batch, and how they are shown and played to a person."""

from __future__ import annotations

import base64
import io
import json
import math
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from PIL import Image
from torch import Tensor

import coview
from coview_audio.decode import SUFFIXES
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.sound import Sound, resampled
from coview_audio.sound_files import SoundFiles
from coview_audio.spectrogram import coloured

_SHOWN_COLUMNS = 160


class AudioModality:
    """Sounds of one channel: a value is a :class:`coview_audio.sound.Sound`, float32 samples and their rate.

    A batch is a mapping: ``waveform_NT`` are the samples, float32, with zeros behind the shorter sounds;
    ``lengths_N`` how many of each are real; ``rate_N`` the sample rate. ``all_real_N``, ones, is there where no
    sound of the batch is padded, so that no encoder has to ask a GPU: a step that shortens sounds leaves it out.
    Silence, and samples beyond full scale, are taken as they are.

    Args:
        sample_rate: Samples a second of the batch, in Hz. A sound of another rate is resampled; a data set that
            gives this rate saves that work.
        seconds: The longest a sound may be: of a longer one the middle is taken, both in training, after all
            augmentations, and for evaluation. Absent: as long as it is.
        rms: Each sound is brought to this root of its mean square, after all augmentations, and for evaluation, so
            that its level tells nothing; silence stays silence. Absent: as loud as it is.
    """

    suffixes = SUFFIXES

    def __init__(
        self,
        *,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        seconds: Annotated[float, Gt(0)] | None = None,
        rms: Annotated[float, Gt(0), Le(1)] | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.seconds = seconds
        self.rms = rms

    def length(self, value: Sound, /) -> float:
        """In seconds, as it will be in a batch."""
        return value.seconds if self.seconds is None else min(value.seconds, self.seconds)

    def collate(self, values: Sequence[Sound], /) -> Mapping[str, Tensor]:
        """The batch.

        Raises:
            CoviewError: If a sample is not a finite number.
        """
        sounds = [self._fitted(value) for value in values]
        lengths = [len(sound) for sound in sounds]
        waveform_NT = np.zeros((len(sounds), max(lengths)), dtype=np.float32)
        for row_T, sound in zip(waveform_NT, sounds, strict=True):
            row_T[: len(sound)] = sound.samples_T
        if not np.isfinite(waveform_NT.sum(dtype=np.float64)):
            raise coview.CoviewError(
                "a sound with samples that are not finite numbers came out of the augmentations",
                hint="look for a gain or a filter in [[augment]] that goes beyond all bounds",
            )
        batch = {
            "waveform_NT": torch.from_numpy(waveform_NT),
            "lengths_N": torch.tensor(lengths),
            "rate_N": torch.full((len(sounds),), self.sample_rate),
        }
        return {**batch, "all_real_N": torch.ones(len(sounds))} if len(set(lengths)) == 1 else batch

    def describe(self, value: Sound, /) -> str:
        """Such as ``1.30 s at 16 kHz``."""
        return str(value)

    def summary(self, values: Sequence[Sound], /) -> str:
        """Mean and standard deviation of log-mel, over all bands and frames: ``log_mel`` and encoders take them."""
        front_end = LogMel(LogMelSettings(sample_rate=self.sample_rate))
        count, total, squares = 0, 0.0, 0.0
        for value in values:
            mel_FT = _log_mel(front_end, self._fitted(value)).astype(np.float64)
            count, total, squares = count + mel_FT.size, total + mel_FT.sum(), squares + np.square(mel_FT).sum()
        mean = total / count
        std = math.sqrt(max(squares / count - mean**2, 0.0))
        settings = front_end.settings
        return (
            f"log-mel of {settings.mel_bins} bands at {settings.sample_rate:,} Hz: mean {mean:.2f}, std {std:.2f} "
            f"({len(values):,} sounds)"
        )

    def fit_raw(self, values: Iterable[Sound], /) -> Callable[[Sequence[Sound]], np.ndarray]:
        """Mean and standard deviation over time of each of the 64 log-mel bands."""
        front_end = LogMel(LogMelSettings(sample_rate=self.sample_rate))

        def statistics(sounds: Sequence[Sound]) -> np.ndarray:
            x_NF = np.empty((len(sounds), 2 * front_end.settings.mel_bins), dtype=np.float32)
            for row_F, sound in zip(x_NF, sounds, strict=True):
                mel_FT = _log_mel(front_end, self._fitted(sound))
                row_F[:] = np.concatenate([mel_FT.mean(axis=1), mel_FT.std(axis=1)])
            return x_NF

        return statistics

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Sound]], step: int, /) -> None:
        """One picture of spectrograms, a row for each sample, a cell for each view; and every view to listen to."""
        pictures = [[self._spectrogram(view) for view in row] for row in rows]
        writer.add_image(tag, coview.picture_grid(pictures), step, dataformats="HWC")
        for i, views in enumerate(rows):
            for j, view in enumerate(views):
                samples = torch.from_numpy(view.samples_T.clip(-1, 1))
                writer.add_audio(f"{tag}/{i}/{j}", samples, step, sample_rate=view.rate)

    def to_html(self, value: Sound, /) -> str:
        """The spectrogram above an ``<audio>`` that plays the sound, both carried along."""
        png = io.BytesIO()
        Image.fromarray(self._spectrogram(value)).save(png, format="PNG")
        picture, sound = (base64.b64encode(data).decode() for data in (png.getvalue(), _wav(value)))
        described = self.describe(value)
        return (
            '<span style="display: inline-block">'
            f'<img src="data:image/png;base64,{picture}" alt="spectrogram, {described}" style="display: block">'
            f'<audio controls preload="none" title="{described}" style="width: {_SHOWN_COLUMNS}px" '
            f'src="data:audio/wav;base64,{sound}"></audio></span>'
        )

    def file_reader(self, *, full_scale: Annotated[float, Gt(0)] | None = None) -> SoundFiles:
        """Reads sounds at the rate of the batch. What is resampled is kept, as of ``audio_folder``.

        Args:
            full_scale: What samples of files of floats are divided by. Absent: 1, or the full scale of 16, 24 or 32
                bits where files are so loud; coview then says so.
        """
        return SoundFiles(self.sample_rate, full_scale)

    def export_hf(self, folder: Path, /) -> str:
        """Writes ``preprocessor_config.json``, which makes batches as this modality does of sounds of its rate."""
        config = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": self.sample_rate,
            "padding_value": 0.0,
            "do_normalize": False,
            "return_attention_mask": True,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")
        lines = f"# sounds: a list of arrays of samples from -1 to 1, of one channel and {self.sample_rate} Hz;"
        lines += f"\n# of another rate: soxr.resample(sound, rate, {self.sample_rate}, quality='HQ'), as coview does"
        if (longest := self._longest) is not None:
            lines += f"\nsounds = [sound[max(0, (len(sound) - {longest}) // 2) :][:{longest}] for sound in sounds]"
        if self.rms is not None:
            lines += (
                "\nlevels = [float((sound.astype('float64') ** 2).mean() ** 0.5) for sound in sounds]"
                "\nsounds = [sound * sound.dtype.type("
                f"{self.rms} / level) if level else sound for sound, level in zip(sounds, levels)]"
            )
        return lines

    @property
    def _longest(self) -> int | None:
        """In samples."""
        return None if self.seconds is None else max(1, round(self.seconds * self.sample_rate))

    def _fitted(self, sound: Sound) -> Sound:
        sound = resampled(sound, self.sample_rate)
        longest = self._longest
        if longest is not None and len(sound) > longest:
            start = (len(sound) - longest) // 2
            sound = sound.with_samples(sound.samples_T[start : start + longest])
        if self.rms is None:
            return sound
        level = float(np.sqrt(np.square(sound.samples_T, dtype=np.float64).mean()))
        return sound if level == 0 else sound.with_samples(sound.samples_T * np.float32(self.rms / level))

    def _spectrogram(self, sound: Sound) -> np.ndarray:
        """A picture."""
        mel_FT = _log_mel(LogMel(LogMelSettings(sample_rate=sound.rate)), sound)
        columns = np.linspace(0, mel_FT.shape[1] - 1, min(_SHOWN_COLUMNS, mel_FT.shape[1])).round().astype(int)
        return coloured(mel_FT[:, columns], float(mel_FT.max()))


def _log_mel(front_end: LogMel, sound: Sound) -> np.ndarray:
    with torch.no_grad():
        mel_NFT, _ = front_end(torch.from_numpy(sound.samples_T)[None], torch.tensor([len(sound)]))
    array: np.ndarray = mel_NFT[0].numpy()
    return array


def _wav(sound: Sound) -> bytes:
    """As 16-bit PCM; what is beyond full scale is clipped."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sound.rate)
        out.writeframes((sound.samples_T.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()
