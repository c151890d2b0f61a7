"""Folders that both timm and transformers load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timm.models import save_for_hf
from torch import nn


def save_timm_folder(model: nn.Module, folder: Path, *, model_args: Mapping[str, Any]) -> str:
    """Writes ``config.json`` and ``model.safetensors`` in timm's hub format, and returns the lines that load
    them.

    Args:
        model: A timm model without a classifier.
        folder: Made if it is not there.
        model_args: What ``timm.create_model`` needs besides the name to build the same network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_for_hf(model, str(folder), model_args=dict(model_args), safe_serialization=True)
    config = json.loads((folder / "config.json").read_text())
    # transformers passes the number of classes itself and stops at a second one
    config["model_args"] = {k: v for k, v in config.get("model_args", {}).items() if k != "num_classes"}
    config["pretrained_cfg"] = config.get("pretrained_cfg", {}) | _preparation(folder)
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


def _preparation(folder: Path) -> dict[str, Any]:
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
        side = prepares["size"]["shortest_edge"]
        preparation |= {"input_size": [len(mean), side, side], "interpolation": "bilinear"}
    return preparation
