"""A ResNet with a stem or width that timm has no name for, as transformers loads it
(``trust_remote_code=True``).

This file and ``resnet_network.py`` are copied beside the exported weights, so neither imports coview.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .resnet_network import build_resnet


class CoviewResNetConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """What :func:`build_resnet` takes."""

    model_type = "coview_resnet"

    def __init__(
        self,
        depth: int = 18,
        stem: Literal["imagenet", "small"] = "small",
        num_channels: int = 3,
        base_width: int = 64,
        **kwargs: Any,
    ) -> None:
        self.depth = depth
        self.stem = stem
        self.num_channels = num_channels
        self.base_width = base_width
        super().__init__(**kwargs)


class CoviewResNetModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Gives ``pooler_output`` (N, D) and ``last_hidden_state`` (N, D, H, W)."""

    config_class = CoviewResNetConfig
    main_input_name = "pixel_values"
    base_model_prefix = "network"

    def __init__(self, config: CoviewResNetConfig) -> None:
        super().__init__(config)
        self.network = build_resnet(config.depth, config.stem, config.num_channels, config.base_width)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: Any) -> None:
        """The network has already done so."""

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """Encodes a batch of normalised pictures (N, C, H, W)."""
        features = self.network.forward_features(pixel_values)
        return BaseModelOutputWithPooling(
            last_hidden_state=features, pooler_output=self.network.forward_head(features, pre_logits=True)
        )
