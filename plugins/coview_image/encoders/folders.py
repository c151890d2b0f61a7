"""Folders that both timm and transformers load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from timm.models import save_for_hf
from torch import Tensor, nn

import coview


class SaysPictureSize:
    """An encoder whose folder says how large the pictures of its run were, where the modality resizes none."""

    picture_size: tuple[int, int] | None = None

    def see_example(self, batch: Tensor, /) -> None:
        """Height and width of a batch (N, C, H, W)."""
        self.picture_size = (batch.shape[-2], batch.shape[-1])


def save_timm_folder(
    model: nn.Module, folder: Path, *, model_args: Mapping[str, Any], picture_size: tuple[int, int] | None
) -> str:
    """Writes ``config.json`` and ``model.safetensors`` in timm's hub format, and returns the lines that load
    them.

    Args:
        model: A timm model without a classifier.
        folder: Made if it is not there.
        model_args: What ``timm.create_model`` needs besides the name to build the same network.
        picture_size: Height and width of the run's pictures, where that is known. timm prepares pictures at the size
            that the folder names, and at that of its own weights where it names none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_for_hf(model, str(folder), model_args=dict(model_args), safe_serialization=True)
    config = json.loads((folder / "config.json").read_text())
    # transformers passes the number of classes itself and stops at a second one
    config["model_args"] = {k: v for k, v in config.get("model_args", {}).items() if k != "num_classes"}
    config["pretrained_cfg"] = config.get("pretrained_cfg", {}) | _preparation(folder, picture_size)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return (
        "import timm\n"
        f"model = timm.create_model({'local-dir:' + str(folder)!r}, pretrained=True, num_classes=0).eval()\n"
        "features = model(pixel_values)\n"
        "# or, with transformers:\n"
        "from transformers import AutoModel\n"
        f"model = AutoModel.from_pretrained({str(folder)!r})\n"
        "features = model(pixel_values).pooler_output"
    )


def pooled_timm(model: nn.Module, *, model_args: Mapping[str, Any], width: int) -> coview.PooledTransformer:
    """The same network as transformers' wrapper of timm's models, whose pooler is timm's.

    Args:
        model: A timm model without a classifier.
        model_args: As of :func:`save_timm_folder`.
        width: Of its representations.
    """
    from transformers import AutoModel

    with TemporaryDirectory() as folder, coview.no_progress_bar():
        save_timm_folder(model, Path(folder), model_args=model_args, picture_size=None)
        wrapped: Any = AutoModel.from_pretrained(folder).eval()
    wrapped.config.hidden_size = width  # which the wrapper does not say
    return coview.PooledTransformer(wrapped)


def _preparation(folder: Path, picture_size: tuple[int, int] | None) -> dict[str, Any]:
    """How the modality prepares pictures, in timm's words, where it has written so into the folder.

    With timm's folders transformers' ``AutoImageProcessor`` looks nowhere else.
    """
    file = folder / "preprocessor_config.json"
    if not file.is_file():
        return {}
    prepares = json.loads(file.read_text())
    mean, std = prepares["image_mean"], prepares["image_std"]
    preparation: dict[str, Any] = {"mean": mean, "std": std, "crop_pct": 1.0, "crop_mode": "center"}
    if prepares["do_resize"]:
        picture_size = (prepares["size"]["shortest_edge"],) * 2
    if picture_size is not None:
        preparation |= {"input_size": [len(mean), *picture_size], "interpolation": "bilinear"}
    return preparation
