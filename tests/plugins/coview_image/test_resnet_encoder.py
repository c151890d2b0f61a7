"""ResNets against torchvision's with the same weights, and exports that load elsewhere with the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import timm
import torch
import torchvision
from torch import nn

import coview
from coview_image.encoders.resnet import ResNet18, ResNet34, ResNet50

CLASSES = {18: ResNet18, 34: ResNet34, 50: ResNet50}


def trained(encoder: nn.Module) -> nn.Module:
    """With weights and BatchNorm statistics as they are after training: nothing zero, nothing one."""
    generator = torch.Generator().manual_seed(0)
    for name, value in encoder.state_dict().items():
        if value.ndim == 1:
            low = 0.5 if name.endswith(("weight", "var")) else -0.2
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + low)
    return encoder.eval()


def reference(depth: int, channels: int, stem: str) -> nn.Module:
    """torchvision's ResNet, its stem changed by hand."""
    model = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    if stem == "small":
        model.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    elif channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    model.fc = nn.Identity()
    return model.eval()


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize(("depth", "channels"), [(18, 1), (34, 3), (50, 3)])
def test_equals_torchvisions_with_the_same_weights(depth, channels, stem):
    torch.manual_seed(0)
    encoder = trained(CLASSES[depth](stem=stem, channels=channels))
    model = reference(depth, channels, stem)
    model.load_state_dict(encoder.network.state_dict())  # strict: the same names, the same shapes
    x = torch.randn(2, channels, 40, 33)
    with torch.no_grad():
        encoding, expected = encoder(x), model(x)
    assert encoding.pooled_ND.shape == (2, encoder.width)
    assert torch.allclose(encoding.pooled_ND, expected, atol=1e-5)
    assert torch.allclose(encoding.tokens_NTD.mean(1), expected, atol=1e-4)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("width", [8, 128])
def test_width_scales_every_stage(stem, width):
    with torch.device("meta"):
        narrow, full = ResNet18(stem=stem, width=width), ResNet18(stem=stem)
        assert narrow(torch.empty(2, 3, 32, 32)).pooled_ND.shape == (2, 8 * width)
    assert narrow.width == 8 * width
    shapes = {name: tuple(value.shape) for name, value in narrow.state_dict().items()}
    for name, value in full.state_dict().items():
        scaled = tuple(side * width // 64 if side >= 64 else side for side in value.shape)
        assert shapes.pop(name) == scaled, name
    assert not shapes


def test_the_small_stem_keeps_the_resolution():
    with torch.device("meta"):
        x = torch.empty(2, 3, 32, 32)
        assert ResNet18(stem="small")(x).tokens_NTD.shape == (2, 16, 512)
        assert ResNet18(stem="imagenet")(x).tokens_NTD.shape == (2, 1, 512)
        assert ResNet50(stem="small")(x).pooled_ND.shape == (2, 2048)


def test_is_an_encoder_whose_gradients_reach_every_weight():
    encoder = ResNet18(stem="small", width=8)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    encoding = encoder(torch.randn(4, 3, 16, 16))
    assert isinstance(encoding, coview.Encoding)
    encoding.pooled_ND.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_plain_one_is_exported_in_timms_format(tmp_path, channels):
    from transformers import AutoModel

    encoder = trained(ResNet18(channels=channels))
    lines = encoder.export_hf(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    x = torch.randn(2, channels, 48, 48)
    by_timm = timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True, num_classes=0).eval()
    by_transformers = AutoModel.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        expected = encoder(x).pooled_ND
        assert torch.equal(by_timm(x), expected)
        assert torch.equal(by_transformers(x).pooler_output.flatten(1), expected)
        scope = {"pixel_values": x}
        exec(lines, scope)
        assert torch.equal(scope["features"].flatten(1), expected)


def test_others_are_exported_with_their_code_and_load_without_coview(tmp_path):
    """One process loads both: importing the libraries takes longer than all else."""
    code = "import sys, torch\n"
    for name, options in {"small": {"stem": "small", "channels": 1}, "narrow": {"width": 16}}.items():
        encoder = trained(ResNet18(**options))
        lines = encoder.export_hf(tmp_path / name)
        x, features = torch.randn(2, encoder.channels, 24, 24), tmp_path / f"{name}.pt"
        with torch.no_grad():
            torch.save({"x": x, "expected": encoder(x).pooled_ND}, features)
        code += (
            f"saved = torch.load({str(features)!r})\n"
            "pixel_values = saved['x']\n"
            f"{lines}\n"
            "assert torch.equal(features, saved['expected']), (features - saved['expected']).abs().max()\n"
            f"print({name!r})\n"
        )
    code += "assert not any(name.startswith('coview') for name in sys.modules), 'needs coview'\nprint('same')"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split()[-3:] == ["small", "narrow", "same"], done.stderr


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_zero_init_is_of_the_last_norm_of_each_block_and_leaves_the_shortcuts_alone(stem):
    norms = {"bn2": ResNet18, "bn3": ResNet50}
    for last, kind in norms.items():
        for zero_init in (True, False):
            network = kind(stem=stem, zero_init=zero_init).network
            blocks = [block for stage in range(1, 5) for block in network.get_submodule(f"layer{stage}")]
            for block in blocks:
                assert set(block.get_submodule(last).weight.tolist()) == {0.0 if zero_init else 1.0}
                assert set(block.bn1.weight.tolist()) == {1.0}
    block = ResNet18(stem=stem, zero_init=True).eval().network.layer1[0]
    x = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(x), x)  # what is positive goes through an untrained block as it is
