"""A vision transformer on patches of log-mel, as SSAST and AudioMAE have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

import coview
from coview_audio.encoders.mel_input import MEAN, STD, WINDOW, MelInput, Window
from coview_audio.encoders.mel_vit_network import MelViTNetwork
from coview_audio.spectrogram import coloured


class MelViT(MelViTNetwork):
    """A vision transformer with random weights on log-mel, a frame every 10 ms. Its patches can be hidden, by
    ``[mask]``.

    Positions are fixed sines and cosines of frequency and time (AudioMAE, arXiv:2207.06405, section 3.1).

    Args:
        width: Width of the tokens, a multiple of ``heads`` and of 4; AudioMAE: 768.
        layers: Layers of the transformer; AudioMAE: 12.
        heads: Heads of its attention; AudioMAE: 12.
        patch: Bands and frames of a patch; AudioMAE: [16, 16].
        mel_bins: Bands of the log-mel spectrogram, a multiple of those of a patch; AudioMAE: 128.
        seconds: The longest that a sound may be; AudioMAE: 10.
        sample_rate: Sample rate of the sounds in Hz, the same as the modality's.
        pool: "mean": the mean over the patches that are real; "cls": what comes out for the class token.
        drop_path: Largest probability of leaving out a layer in training (stochastic depth, arXiv:1603.09382).
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the result is divided by.
        window: Length of a frame, in milliseconds; AudioMAE: 25.
    """

    starts_trained: ClassVar[bool] = False
    hides: Collection[Literal["replace", "drop", "swap"]] = ("replace", "drop")
    classes = 0

    def __init__(
        self,
        *,
        width: Annotated[int, Ge(4)] = 384,
        layers: Annotated[int, Ge(1)] = 12,
        heads: Annotated[int, Ge(1)] = 6,
        patch: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] = (16, 16),
        mel_bins: Annotated[int, Ge(8), Le(1024)] = 64,
        seconds: Annotated[float, Gt(0), Le(600)] = 10.0,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        pool: Literal["mean", "cls"] = "mean",
        drop_path: Annotated[float, Ge(0), Lt(1)] = 0.0,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
        window: Window = WINDOW,
    ) -> None:
        if width % heads or width % 4:
            raise ValueError(f"width = {width} is not a multiple of heads = {heads}, and of 4")
        if mel_bins % patch[0]:
            raise ValueError(f"mel_bins = {mel_bins} is not a multiple of the {patch[0]} bands of a patch")
        mel = MelInput(sample_rate, mel_bins, mean, std, window)
        frames = int(seconds * sample_rate) // mel.front_end.settings.hop_length + 1
        self._parameters_of_network = {
            "width": width, "layers": layers, "heads": heads, "patch": list(patch), "mel_bins": mel_bins,
            "frames": frames, "pool": pool,
        }  # fmt: skip
        super().__init__(**self._parameters_of_network, drop_path=drop_path)  # type: ignore[arg-type]
        shape = self.rows, self.most_columns
        self.positions_HWD.copy_(coview.sine_positions(shape, width).unflatten(0, shape))
        self.input, self.seconds = mel, seconds
        self.patches = coview.Patches(self.model, self.patch, 1, mean=pool == "mean")
        self.token_width = self.mask_width = width
        self.value_width = self.patches.value_width

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of the class token and each patch (N, T, D)."""
        self._patches_of(batch)
        return coview.Encoding(*self.encode(*self.input(batch)))

    def token_layout(self, batch: Mapping[str, Tensor], /) -> coview.TokenLayout:
        """The class token, which cannot be hidden, then patches, band by band; those of silence behind a sound are
        padding."""
        columns, real_NT = self._patches_of(batch)
        height, width = self.rows * self.patch[0], columns * self.patch[1]
        return self.patches.layout(height, width, real_NT)

    def token_values(self, batch: Mapping[str, Tensor], /) -> Tensor:
        """The log-mel of each patch, standardised."""
        return self.patches.values(self.whole_patches(self.input(batch)[0]))

    def draw_tokens(self, values_STP: Tensor, layout: coview.TokenLayout, modality: Any, /) -> coview.TokenPictures:
        """Spectrograms, low tones below; the loudest of the first has the brightest colour."""
        mel_S1FT = self.patches.unpatched(values_STP, layout) * self.input.std + self.input.mean
        place_FT = self.patches.patch_of_pixels(layout)
        loudest = float(mel_S1FT[0, 0][layout.real_NT[0][place_FT]].max())
        return coview.TokenPictures(coloured(mel_S1FT[:, 0].numpy(), loudest), place_FT.numpy()[::-1])

    def encode_tokens(
        self,
        batch: Mapping[str, Tensor],
        mask: coview.TokenMask | None,
        /,
        *,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> coview.Encoding:
        """Pooled features (N, D), and those of all tokens (N, T, D)."""
        columns, _ = self._patches_of(batch)
        return self.patches.encode(
            self.whole_patches(self.input(batch)[0]),
            mask,
            real_NT=self.token_layout(batch).real_NT,
            positions_TD=self.positions(columns),
            mask_token_D=mask_token_D,
            layers=layers,
        )

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate, or of longer sounds."""
        self.input.check_batch(batch)
        self._patches_of(batch)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with the network's code."""
        from coview_audio.encoders.export import export

        return export(self, "vit", self._parameters_of_network, self.input, folder)

    def layer_numbers(self) -> Mapping[str, int]:
        """The embedding, then each layer."""
        after = len(self.model.blocks) + 1
        numbers = dict.fromkeys((name for name, _ in self.named_parameters()), 0)
        for name in numbers:
            place = name.split(".")
            if place[:2] == ["model", "blocks"]:
                numbers[name] = int(place[2]) + 1
            elif place[:2] == ["model", "norm"]:
                numbers[name] = after
        return numbers

    def _patches_of(self, batch: Mapping[str, Tensor]) -> tuple[int, Tensor]:
        """How many patches lie beside each other, and which of all are real."""
        frames, lengths_N = self.input.frames(batch)
        try:
            columns = self.columns(frames)
        except ValueError as error:
            raise coview.CoviewError(
                f"the encoder takes sounds of at most {self.seconds:g} s: {error}",
                hint="give the encoder seconds, or set seconds in [modality]",
            ) from error
        return columns, self.real_patches(columns, lengths_N)
