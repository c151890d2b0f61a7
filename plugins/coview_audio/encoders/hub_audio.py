"""An encoder on log-mel as transformers loads it (``trust_remote_code=True``): neither it nor timm has such a network.

This file and those that it imports from here are copied beside the exported weights, so none imports coview.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .audio_cnn_network import AudioCNNNetwork
from .log_mel import LogMel, LogMelSettings
from .masked import standardised
from .mel_vit_network import MelViTNetwork
from .resnet_network import AudioResNetNetwork

NETWORKS: Mapping[str, Any] = {"cnn": AudioCNNNetwork, "resnet": AudioResNetNetwork, "vit": MelViTNetwork}


class CoviewAudioConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The network by its name in ``NETWORKS`` with its parameters, and the log-mel that it is given."""

    model_type = "coview_audio"

    def __init__(
        self,
        network: str = "cnn",
        parameters: Mapping[str, Any] | None = None,
        hidden_size: int = 0,
        sample_rate: int = 16000,
        mel_bins: int = 64,
        mean: float = 0.0,
        std: float = 1.0,
        window: float = 0.064,
        **kwargs: Any,
    ) -> None:
        self.network = network
        self.parameters = dict(parameters or {})
        self.hidden_size = hidden_size
        self.sample_rate = sample_rate
        self.mel_bins = mel_bins
        self.mean = mean
        self.std = std
        self.window = window
        super().__init__(**kwargs)


class CoviewAudioModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Gives ``pooler_output`` (N, D) and ``last_hidden_state`` (N, T, D)."""

    config_class = CoviewAudioConfig
    main_input_name = "input_values"
    base_model_prefix = "network"

    def __init__(self, config: CoviewAudioConfig) -> None:
        super().__init__(config)
        settings = LogMelSettings(sample_rate=config.sample_rate, mel_bins=config.mel_bins, window=config.window)
        self.front_end = LogMel(settings)
        for name, value in list(self.front_end.named_buffers()):
            # transformers builds models without memory, and fills in only what is in the file
            self.front_end.register_buffer(name, value)
        self.network = NETWORKS[config.network](**config.parameters)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: Any) -> None:
        """The network has already done so."""

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        """Encodes a batch of waveforms (N, L), each followed by zeros where the mask (N, L) is 0."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_values)
        mel_NFT, frames_N = self.front_end(input_values, attention_mask.sum(1).long())
        x_N1FT = standardised(mel_NFT, frames_N, self.config.mean, self.config.std)
        pooled_ND, tokens_NTD, _ = self.network.encode(x_N1FT, frames_N)
        return BaseModelOutputWithPooling(last_hidden_state=tokens_NTD, pooler_output=pooled_ND)
