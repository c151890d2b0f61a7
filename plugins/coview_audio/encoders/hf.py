"""``use = "hf:NAME"``: a sound model of the Hugging Face hub, or a local folder in its format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig

import coview
from coview_audio.encoders.hf_inputs import SHORTEST, Frontend, WaveformFrontend, frontend_of
from coview_audio.encoders.hidden_frames import BANDS, FrameValues, frame_count, takes_mask
from coview_audio.encoders.masked import masked_mean
from coview_audio.encoders.mel_input import check_rate, check_rate_once, of_modality

_CONTENTS = "what save_pretrained writes: config.json and model.safetensors"


class HuggingFaceAudioEncoder(nn.Module):
    """A sound model that transformers loads, in float32: wav2vec 2.0, HuBERT, WavLM and their like on waveforms, the
    encoder of Whisper, or AST, each with the preparation that its folder asks for.

    Frames of wav2vec 2.0 and its like can be hidden, by ``[mask]``: their own learnt vector stands for them, and is
    trained then. Whisper and AST take no mask. What transformers would mask at random in training (``mask_time_prob``,
    ``layerdrop``) is off: views are what the recipe's augmentations make of a sound.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        pooling: "mean" over the frames that are real; "cls" is what AST says of the whole sound.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    hides: Collection[Literal["replace", "drop", "swap"]] = ()
    mask_width = 0
    value_width = 0
    classes = 0

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = True,
        pooling: Literal["mean", "cls"] = "mean",
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        with coview.model_source("hf", name, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source:
            self.model, self._frontend = _load(source, pretrained, trust_remote_code)
        if pooling == "cls" and not self._frontend.has_class_token:
            raise ValueError(f'{name}: pooling = "cls": the model has no class token; "mean" may work')
        if (unused := getattr(self.model, "masked_spec_embed", None)) is not None:
            unused.requires_grad_(False)
        self.width = self.token_width = int(self.model.config.hidden_size)
        self._values: FrameValues | None = None
        if takes_mask(self.model):
            hides: tuple[Literal["replace"], ...] = ("replace",)
            self.hides = hides
            self.value_width = BANDS
            self._values = FrameValues(self.model.config, self._frontend.sample_rate)
        self.model.train()

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each frame (N, T, D)."""
        check_rate_once(self, batch, self._frontend.sample_rate)
        if batch["waveform_NT"].is_meta:  # older versions of transformers draw for layerdrop, and look at the number
            self.model.eval()
        tokens_NTD, mask_NT, class_ND = self._frontend(self.model, batch["waveform_NT"], batch["lengths_N"])
        if self.pooling == "cls":
            assert class_ND is not None
            return coview.Encoding(pooled_ND=class_ND, tokens_NTD=tokens_NTD, mask_NT=mask_NT)
        return coview.Encoding(pooled_ND=masked_mean(tokens_NTD, mask_NT), tokens_NTD=tokens_NTD, mask_NT=mask_NT)

    def token_layout(self, batch: Mapping[str, Tensor], /) -> coview.TokenLayout:
        """Frames in a row, of which those behind a sound are padding."""
        lengths_N = batch["lengths_N"].clamp(min=SHORTEST)
        frames_N = self.model._get_feat_extract_output_lengths(lengths_N)
        real_NT = torch.arange(self._most_frames(batch), device=lengths_N.device) < frames_N[:, None]
        return coview.TokenLayout(real_NT, real_NT, (real_NT.shape[1],))

    def token_values(self, batch: Mapping[str, Tensor], /) -> Tensor:
        """Log-mel of 80 bands of what each frame sees."""
        assert self._values is not None, "it takes a mask"
        values_NTP: Tensor = self._values(batch["waveform_NT"], self._most_frames(batch))
        return values_NTP

    def draw_tokens(self, values_STP: Tensor, layout: coview.TokenLayout, modality: Any, /) -> coview.TokenPictures:
        """Log-mel, a column of two pixels for each frame, low tones below."""
        assert self._values is not None, "it takes a mask"
        return self._values.draw(values_STP, layout)

    def encode_tokens(
        self,
        batch: Mapping[str, Tensor],
        mask: coview.TokenMask | None,
        /,
        *,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> coview.Encoding:
        """Pooled features (N, D), and those of each frame (N, T, D)."""
        check_rate_once(self, batch, self._frontend.sample_rate)
        if batch["waveform_NT"].is_meta:
            self.model.eval()
        assert isinstance(self._frontend, WaveformFrontend), "it takes a mask"
        tokens_NTD, real_NT, last = self._frontend.frames(
            self.model,
            batch["waveform_NT"],
            batch["lengths_N"],
            hidden_NT=None if mask is None else mask.replaced_NT,
            layers=layers,
        )
        return coview.Encoding(masked_mean(tokens_NTD, real_NT), tokens_NTD, real_NT, last)

    def train_mask_token(self) -> None:
        """The learnt vector for hidden frames is trained."""
        self.model.masked_spec_embed.requires_grad_(True)

    def _most_frames(self, batch: Mapping[str, Tensor]) -> int:
        return frame_count(self.model.config, max(batch["waveform_NT"].shape[1], SHORTEST))

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate."""
        check_rate(batch, self._frontend.sample_rate, of_modality(self._frontend.sample_rate))

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder."""
        with coview.no_progress_bar():
            self.model.save_pretrained(folder)
        self._frontend.save(folder)
        kind = type(self.model)
        return (
            f"from transformers import AutoFeatureExtractor\nfrom {kind.__module__} import {kind.__name__}\n"
            f"prepare = AutoFeatureExtractor.from_pretrained({str(folder)!r})\n"
            f"model = {kind.__name__}.from_pretrained({str(folder)!r}).eval()\n"
            "output = model(**prepare(sounds[0], sampling_rate=prepare.sampling_rate, return_tensors='pt'))"
        )


def hf_audio_encoder(name: str) -> Callable[..., HuggingFaceAudioEncoder]:
    """The factory of ``hf:NAME``.

    Args:
        name: A hub id such as ``facebook/hubert-base-ls960``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HuggingFaceAudioEncoder, coview.folder_or_hub_id("hf", name, "config.json"))


def _load(source: coview.ModelSource, pretrained: bool, trust_remote_code: bool) -> tuple[Any, Frontend]:
    with source.loading() as name:
        config = AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    config.apply_spec_augment = False
    config.layerdrop = config.encoder_layerdrop = 0.0
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    frontend = frontend_of(source.name, config, model_class)
    with source.loading() as name:
        model = coview.load_transformer(name, config, pretrained=pretrained, trust_remote_code=trust_remote_code)
    return frontend.part_of(model), frontend
