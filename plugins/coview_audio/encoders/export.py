"""Encoders on log-mel as folders of transformers'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

import coview
from coview_audio.encoders.hub_audio import CoviewAudioConfig, CoviewAudioModel
from coview_audio.encoders.mel_input import MelInput


def export(encoder: nn.Module, network: str, parameters: Mapping[str, Any], mel: MelInput, folder: Path) -> str:
    """Writes the weights, the configuration and the code, and returns the lines that load them.

    Args:
        encoder: One whose state is that of the network.
        network: Its name in ``hub_audio.NETWORKS``.
        parameters: It was built with.
        mel: The log-mel that it is given.
        folder: Where to.
    """
    CoviewAudioConfig.register_for_auto_class()  # type: ignore[no-untyped-call]
    CoviewAudioModel.register_for_auto_class("AutoModel")  # type: ignore[no-untyped-call]
    settings = mel.front_end.settings
    config = CoviewAudioConfig(
        network=network,
        parameters=parameters,
        hidden_size=int(encoder.width),  # type: ignore[arg-type]
        sample_rate=settings.sample_rate,
        mel_bins=settings.mel_bins,
        mean=mel.mean,
        std=mel.std,
        window=settings.window,
    )
    model: Any = CoviewAudioModel(config)
    model.network.load_state_dict(encoder.state_dict())
    with coview.no_progress_bar():
        model.eval().save_pretrained(folder)
    return (
        "from transformers import AutoFeatureExtractor, AutoModel\n"
        f"prepare = AutoFeatureExtractor.from_pretrained({str(folder)!r})\n"
        f"model = AutoModel.from_pretrained({str(folder)!r}, trust_remote_code=True)\n"
        f"batch = prepare(sounds, sampling_rate={settings.sample_rate}, padding=True, return_tensors='pt')\n"
        "features = model(**batch).pooler_output"
    )
