"""``use = "hf-clip:NAME"``: the picture encoder of a pretrained model of pictures and texts, such as CLIP or SigLIP."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig

import coview
from coview_image.encoders.sentence_folder import write_sentence_files

_CONTENTS = "what save_pretrained writes: config.json and model.safetensors"


class HFClipImageEncoder(coview.TransformerPart):
    """The picture encoder of a pretrained CLIP, SigLIP or SigLIP 2 that transformers loads, in float32.

    The model's own pooling makes the vector of a picture. ``[modality]`` prepares the pictures: set its ``size``,
    ``mean`` and ``std`` to those of the model.

    ``[projector] use = "own"`` is the model's projection. With "own" as their parameter, the losses ``clip`` and
    ``siglip`` start from the model's scale and bias.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(self, name: str, /, *, pretrained: bool = True, trust_remote_code: bool = False) -> None:
        with coview.model_source("hf-clip", name, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source:
            with source.loading() as loaded_by:
                config: Any = AutoConfig.from_pretrained(loaded_by, trust_remote_code=trust_remote_code)
            if not isinstance(getattr(getattr(config, "vision_config", None), "image_size", None), int):
                raise ValueError(
                    f"{name} is not a model of texts and of pictures of one size, but of type {config.model_type}"
                )
            with source.loading() as loaded_by:
                whole = coview.load_transformer(
                    loaded_by, config, pretrained=pretrained, trust_remote_code=trust_remote_code
                )
        super().__init__(whole, "vision_model", "visual_projection")

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """Pooled features (N, D), and those of each token (N, T, D)."""
        try:
            output = self.model(pixel_values=x_NCHW)
        except ValueError as error:  # so transformers refuses pictures of another size
            raise coview.CoviewError(
                f"{type(self.model).__name__} cannot encode a batch of shape {tuple(x_NCHW.shape)}: {error}",
                hint=f"set size = {self.model.config.image_size} in [modality], and in random_resized_crop",
            ) from error
        return coview.Encoding(pooled_ND=output.pooler_output, tokens_NTD=output.last_hidden_state)

    def save_preparation(self, folder: Path, /) -> str:
        """Writes nothing, because the modality prepares the pictures."""
        return "image_projections = model.get_image_features(pixel_values=pixel_values).pooler_output"

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with this encoder only."""
        return f"{self.save_alone(folder)}\nfeatures = model(pixel_values=pixel_values).pooler_output"

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers with this encoder only."""
        self.export_hf(folder)
        return write_sentence_files(folder, width=self.width)

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """The encoder, which has its own pooler."""
        return coview.PooledTransformer(copy.deepcopy(self.model).eval())


def hf_clip_image_encoder(name: str) -> Callable[..., HFClipImageEncoder]:
    """The factory of ``hf-clip:NAME``.

    Args:
        name: A hub id such as ``openai/clip-vit-base-patch32``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HFClipImageEncoder, coview.folder_or_hub_id("hf-clip", name, "config.json"))
