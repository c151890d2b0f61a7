"""``use = "hf:NAME"``: a vision model of the Hugging Face hub, or a local folder in its format."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel

import coview
from coview import hub_or_cache, no_progress_bar

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FEATURES = {
    "cls": "output.last_hidden_state[:, 0]",
    "mean": "output.last_hidden_state.mean(1 if output.last_hidden_state.ndim == 3 else (2, 3))",
    "pooler": "output.pooler_output.flatten(1)",
}
_AS_FOLDER = 'use = "hf:/path/to/folder"'


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
        if Path(name).is_dir():
            with no_progress_bar():
                self.model = _load(name, pretrained, pooling, trust_remote_code)
        else:
            with hub_or_cache() as unreachable:
                self.model = _load(name, pretrained, pooling, trust_remote_code, unreachable)
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
                raise ValueError('pooling = "pooler": the model has none; "cls" or "mean" may do')
            pooled_ND = pooled.flatten(1)
        elif self.pooling == "mean":
            pooled_ND = tokens_NTD.mean(dim=1)
        elif tokens.ndim == 3:
            pooled_ND = tokens_NTD[:, 0]
        else:
            raise ValueError('pooling = "cls": the model has no class token; "mean" or "pooler" may do')
        return coview.Encoding(pooled_ND=pooled_ND, tokens_NTD=tokens_NTD)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder."""
        with no_progress_bar():
            self.model.save_pretrained(folder)
        return (
            f"from transformers import AutoModel\nmodel = AutoModel.from_pretrained({str(folder)!r})\n"
            f"output = model(pixel_values)\nfeatures = {_FEATURES[self.pooling]}"
        )

    def _probe(self, name: str) -> int:
        """The width, from one black picture: models name it differently, and some fail only when run."""
        config = self.model.config
        side = getattr(config, "image_size", None) or 64
        height, width = side if isinstance(side, (list, tuple)) else (side, side)
        like = next(self.model.parameters())
        black = torch.zeros(1, getattr(config, "num_channels", 3), height, width, device=like.device)
        self.model.eval()
        try:
            with torch.no_grad():
                return int(self(black).pooled_ND.shape[1])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def hf_image_encoder(name: str) -> Callable[..., HuggingFaceImageEncoder]:
    """The factory of ``hf:NAME``.

    Args:
        name: A hub id such as ``facebook/dinov2-small``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise LookupError(f'"hf:{name}": the folder has no config.json, so transformers cannot load it')
        return partial(HuggingFaceImageEncoder, str(folder))
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise LookupError(f'"hf:{name}": there is no such folder, and a hub id is of the form owner/name')
    return partial(HuggingFaceImageEncoder, name)


def _load(name: str, pretrained: bool, pooling: str, trust_remote_code: bool, unreachable: str = "") -> Any:
    # A meta-device model is only to be looked at; transformers refuses to load weights onto that device
    on_meta = torch.empty(0).device.type == "meta"
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": trust_remote_code}
    with _loading(name, unreachable):
        config = AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    if model_class is not None:
        if model_class.main_input_name != "pixel_values":
            raise ValueError(
                f"{name} ({model_class.__name__}) takes {model_class.main_input_name}, not pictures: "
                "give a model for pictures alone"
            )
        # A pooler that is not used would be random weights that get no gradient
        if pooling != "pooler" and "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
            options["add_pooling_layer"] = False
    with _loading(name, unreachable):
        if not pretrained or on_meta:
            return AutoModel.from_config(config, **options)  # type: ignore[no-untyped-call]
        return AutoModel.from_pretrained(name, config=config, **options)


@contextmanager
def _loading(name: str, unreachable: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if unreachable and isinstance(error, OSError):  # a ValueError is about what was found
            raise coview.CoviewError(
                f'"hf:{name}" is neither a folder here nor in the cache, and {unreachable}',
                hint="give the path of a local folder, " + _AS_FOLDER + ", or connect to the network",
            ) from error
        raise coview.CoviewError(
            f'"hf:{name}" cannot be loaded: {(str(error).strip().splitlines() or [type(error).__name__])[0]}',
            hint=_hint(name, str(error)),
        ) from error


def _hint(name: str, error: str) -> str:
    if "trust_remote_code" in error:
        return "it comes with its own Python code: set trust_remote_code = true if you trust its source"
    if Path(name).is_dir():
        return "the folder has to hold what save_pretrained writes: config.json and model.safetensors"
    return f"check the name, or give the path of a local folder, {_AS_FOLDER}"
