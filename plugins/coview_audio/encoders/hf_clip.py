"""``use = "hf-clip:NAME"``: the sound encoder of a pretrained model of sounds and texts, such as CLAP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig

import coview
from coview_audio.encoders.clap_input import ClapInput
from coview_audio.encoders.mel_input import check_rate, check_rate_once, of_modality

_CONTENTS = "what save_pretrained writes: config.json, model.safetensors and preprocessor_config.json"


class HFClipAudioEncoder(coview.TransformerPart):
    """The sound encoder of a pretrained CLAP that transformers loads, in float32.

    It prepares sounds as the model's folder says. If a sound is longer than the model's input, it takes the middle.

    ``[projector] use = "own"`` is the model's projection. With ``temperature = "own"``, the loss ``clip`` starts from
    the model's scale. CLAP has two scales; this is the mean of their logarithms.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(self, name: str, /, *, pretrained: bool = True, trust_remote_code: bool = False) -> None:
        with coview.model_source("hf-clip", name, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source:
            with source.loading() as loaded_by:
                config: Any = AutoConfig.from_pretrained(loaded_by, trust_remote_code=trust_remote_code)
            if getattr(config, "audio_config", None) is None or config.model_type != "clap":
                raise ValueError(f"{name} is not a model of sounds and texts, but of type {config.model_type}")
            with source.loading() as loaded_by:
                prepares = ClapInput.of(loaded_by, fuses=bool(config.audio_config.enable_fusion))
                whole = coview.load_transformer(
                    loaded_by, config, pretrained=pretrained, trust_remote_code=trust_remote_code
                )
        super().__init__(whole, "audio_model", "audio_projection")
        self._prepares = prepares

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D)."""
        check_rate_once(self, batch, self._prepares.sample_rate)
        mel_NCTF, is_longer_N1 = self._prepares(batch["waveform_NT"], batch["lengths_N"])
        output = self.model(input_features=mel_NCTF, is_longer=is_longer_N1)
        return coview.Encoding(pooled_ND=output.pooler_output)

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch with another sample rate."""
        rate = self._prepares.sample_rate
        check_rate(batch, rate, of_modality(rate))

    def save_preparation(self, folder: Path, /) -> str:
        """Writes how sounds become log-mel."""
        self._prepares.extractor.save_pretrained(folder)
        return f"{self._prepared(folder)}\naudio_projections = model.get_audio_features(**batch).pooler_output"

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with this encoder only."""
        loaded = self.save_alone(folder)
        self.save_preparation(folder)
        return f"{self._prepared(folder)}\n{loaded}\nfeatures = model(**batch).pooler_output"

    def _prepared(self, folder: Path) -> str:
        """The Python lines that make a batch of sounds."""
        return (
            "from transformers import AutoFeatureExtractor\n"
            f"prepare = AutoFeatureExtractor.from_pretrained({str(folder)!r})\n"
            "batch = prepare(sounds, sampling_rate=prepare.sampling_rate, return_tensors='pt')"
        )


def hf_clip_audio_encoder(name: str) -> Callable[..., HFClipAudioEncoder]:
    """The factory of ``hf-clip:NAME``.

    Args:
        name: A hub id such as ``laion/clap-htsat-unfused``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HFClipAudioEncoder, coview.folder_or_hub_id("hf-clip", name, "config.json"))
