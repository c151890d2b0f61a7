"""``use = "hf:NAME"``: a vision model of the Hugging Face hub, or a local folder in its format."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig

import coview
from coview_image.encoders.sentence_folder import write_sentence_files
from coview_image.resources import EFFICIENTNET_LITE0

_FEATURES = {
    "cls": "output.last_hidden_state[:, 0]",
    "mean": "output.last_hidden_state.mean(1 if output.last_hidden_state.ndim == 3 else (2, 3))",
    "pooler": "output.pooler_output.flatten(1)",
}
_CONTENTS = "what save_pretrained writes: config.json and model.safetensors"

FETCHED = (EFFICIENTNET_LITE0,)
"""Names of the models that ``coview data fetch`` downloads."""


class HuggingFaceImageEncoder(nn.Module):
    """A vision model that transformers loads, in float32.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        pooling: "cls" is the first token, "mean" the mean over all tokens or places, "pooler" the model's
            own.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = True,
        pooling: Literal["cls", "mean", "pooler"] = "cls",
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        place = str(coview.resource_folder(name)) if name in FETCHED else name
        with coview.model_source("hf", place, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source:
            self.model = _load(source, pretrained, pooling, trust_remote_code)
        self.width = self._probe(name)
        self.model.train()

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """Pooled features (N, D), and those of each token or place (N, T, D)."""
        try:
            output = self.model(pixel_values=x_NCHW)
        except ValueError as error:  # how transformers' models refuse pictures of a size that they were not made for
            raise coview.CoviewError(
                f"{type(self.model).__name__} cannot encode a batch of shape {tuple(x_NCHW.shape)}: {error}",
                hint="set size in [modality], and in random_resized_crop, to the size that the model takes",
            ) from error
        tokens = output.last_hidden_state
        tokens_NTD = tokens if tokens.ndim == 3 else tokens.flatten(2).transpose(1, 2)
        if self.pooling == "pooler":
            pooled = getattr(output, "pooler_output", None)
            if pooled is None:
                raise ValueError('pooling = "pooler": the model has none; "cls" or "mean" may work')
            pooled_ND = pooled.flatten(1)
        elif self.pooling == "mean":
            pooled_ND = tokens_NTD.mean(dim=1)
        elif tokens.ndim == 3:
            pooled_ND = tokens_NTD[:, 0]
        else:
            raise ValueError('pooling = "cls": the model has no class token; "mean" or "pooler" may work')
        return coview.Encoding(pooled_ND=pooled_ND, tokens_NTD=tokens_NTD)

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder."""
        with coview.no_progress_bar():
            self.model.save_pretrained(folder)
        return (
            f"from transformers import AutoModel\nmodel = AutoModel.from_pretrained({str(folder)!r})\n"
            f"output = model(pixel_values)\nfeatures = {_FEATURES[self.pooling]}"
        )

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a transformers folder, and what sentence-transformers needs beside it.

        Raises:
            CoviewError: If the model's own pooler gives a map, as those of convolutional networks do.
        """
        if self.pooling == "pooler" and self._pools_to_map():
            raise coview.CoviewError(
                f"sentence-transformers cannot take the pooler of transformers' {type(self.model).__name__}, which "
                "gives a map of one place and not a vector",
                hint='encoder.pooling = "mean" gives a vector that it can make',
            )
        self.export_hf(folder)
        return write_sentence_files(
            folder, width=self.width, pooling=None if self.pooling == "pooler" else self.pooling
        )

    def _pools_to_map(self) -> bool:
        with torch.no_grad():
            pooled: Tensor = self.eval().model(pixel_values=torch.zeros(1, *self._shape)).pooler_output
        return pooled.ndim != 2

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """The model, where its own pooler makes what the run takes."""
        model = copy.deepcopy(self.model).eval()
        noise = torch.randn(2, *self._shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            own_ND = getattr(model(pixel_values=noise), "pooler_output", None)
            pooled_ND = self.eval()(noise).pooled_ND
        if own_ND is not None and own_ND.shape == pooled_ND.shape and torch.allclose(own_ND, pooled_ND, atol=1e-5):
            return coview.PooledTransformer(model)
        if self.pooling == "cls":
            return coview.pooled_by_first_token(model)
        raise ValueError(
            f'pooling = "{self.pooling}" is not that of transformers\' {type(model).__name__}: its own is "pooler"'
        )

    def _probe(self, name: str) -> int:
        """The width, from one black picture: models name it differently, and some fail only when run."""
        config = self.model.config
        side = getattr(config, "image_size", None) or 64
        height, width = side if isinstance(side, (list, tuple)) else (side, side)
        like = next(self.model.parameters())
        self._shape = getattr(config, "num_channels", 3), height, width
        black = torch.zeros(1, *self._shape, device=like.device)
        self.model.eval()
        try:
            with torch.no_grad():
                return int(self(black).pooled_ND.shape[1])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def hf_image_encoder(name: str) -> Callable[..., HuggingFaceImageEncoder]:
    """The factory of ``hf:NAME``.

    Args:
        name: A hub id such as ``facebook/dinov2-small``, a model that ``coview data fetch`` downloads, or a local
            folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HuggingFaceImageEncoder, coview.folder_or_hub_id("hf", name, "config.json"))


def _load(source: coview.ModelSource, pretrained: bool, pooling: str, trust_remote_code: bool) -> Any:
    with source.loading() as name:
        config = AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    if model_class is not None and model_class.main_input_name != "pixel_values":
        raise ValueError(
            f"{source.name} ({model_class.__name__}) takes {model_class.main_input_name}, not pictures: "
            "give a model for pictures alone"
        )
    with source.loading() as name:
        return coview.load_transformer(
            name, config, pretrained=pretrained, pooler=pooling == "pooler", trust_remote_code=trust_remote_code
        )
