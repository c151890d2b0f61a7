"""The encoders of pictures keep the contract, and those of patches that of masks."""

from __future__ import annotations

import re

import numpy as np
import pytest
import timm
import torch

import coview
from coview.testing import check_encoder
from coview_image.encoders.patches import EncodesPatches
from coview_image.encoders.resnet import ResNet18
from coview_image.encoders.timm import timm_encoder
from coview_image.encoders.vit import ViT
from coview_image.modality import ImageModality

SMALL = {"image_size": 16, "patch": 4, "width": 16, "layers": 2, "heads": 2, "channels": 1}
CASES = {
    "resnet18": (ResNet18, {"channels": 1, "stem": "cifar"}),
    "vit by the class token": (ViT, SMALL),
    "vit of any size": (ViT, {**SMALL, "any_size": True}),
    "vit by the mean, with layer scale": (ViT, {**SMALL, "pool": "mean", "layer_scale": 0.1}),
    "vit of fixed positions, without a class token": (
        ViT,
        {**SMALL, "pool": "mean", "class_token": False, "positions": "sine"},
    ),
    "timm:test_vit": (timm_encoder("test_vit"), {"image_size": 48, "channels": 1}),
    "timm:test_vit2": (timm_encoder("test_vit2"), {"image_size": 48, "channels": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_keeps_the_contract(name):
    factory, parameters = CASES[name]
    side = parameters.get("image_size", 16)
    pictures = [np.random.default_rng(row).random((side, side), dtype=np.float32) for row in range(3)]
    check_encoder(factory, ImageModality(channels=1), pictures, parameters=parameters)


def test_fixed_positions_are_mae_s():
    """As ``util/pos_embed.py`` of facebookresearch/mae has them (efb2a80): the column in the first half of the width."""
    side, width = 3, 8
    vit = ViT(**{**SMALL, "image_size": 12, "width": width, "positions": "sine"})
    expected = np.zeros((1 + side * side, width))
    for row in range(side):
        for column in range(side):
            numbers = []
            for place in (column, row):
                angles = [place / 10000 ** (k / (width / 4)) for k in range(width // 4)]
                numbers += [*np.sin(angles), *np.cos(angles)]
            expected[1 + row * side + column] = numbers
    assert not vit.model.pos_embed.requires_grad
    np.testing.assert_allclose(vit.model.pos_embed[0], expected, atol=1e-6)


def families():
    """One architecture of each kind of timm's vision transformers, by what its name says beside its size."""
    found = {}
    for name in timm.list_models("*"):
        entrypoint = timm.model_entrypoint(name)
        if entrypoint.__module__ in ("timm.models.vision_transformer", "timm.models.deit"):
            found.setdefault(re.sub(r"_(tiny|small|medium|base|large|huge|giant|\d+)\b|\d+", "", name), name)
    return sorted(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", families())
def test_timms_vision_transformers_make_of_patches_what_timm_makes_or_take_no_mask(name):
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    encoder = EncodesPatches()
    encoder.use_patches(network)
    if not encoder.hides:
        return
    size = network.patch_embed.img_size[0]
    network = timm.create_model(name, num_classes=0, depth=1, img_size=size).eval()
    encoder.use_patches(network)
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made, tokens = encoder.encode_tokens(x, None), network.forward_features(x)
        torch.testing.assert_close(made.tokens_NTD, tokens)
        torch.testing.assert_close(made.pooled_ND, network.forward_head(tokens, pre_logits=True))
    assert encoder.token_layout(x).real_NT.shape[1] == tokens.shape[1]


def test_a_model_whose_patches_see_their_neighbours_takes_no_mask():
    hybrid = timm_encoder("vit_tiny_r_s16_p8_224")(image_size=64)
    distilled = timm_encoder("deit_tiny_distilled_patch16_224")(image_size=32)
    assert not hybrid.hides
    assert not distilled.hides
    assert timm_encoder("deit_tiny_patch16_224")(image_size=32).hides == ("replace", "drop")


def test_a_vision_transformer_of_any_size_resamples_its_positions_as_timm_does():
    torch.manual_seed(0)
    encoder = ViT(image_size=32, patch=8, width=24, layers=2, heads=2, any_size=True).eval()
    theirs = timm.create_model(
        "vit_base_patch16_224", num_classes=0, img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=2,
        dynamic_img_size=True, fc_norm=False,
    ).eval()  # fmt: skip
    theirs.load_state_dict(encoder.model.state_dict())
    fixed = ViT(image_size=32, patch=8, width=24, layers=2, heads=2).eval()
    fixed.model.load_state_dict(encoder.model.state_dict())
    for size in ((32, 32), (16, 16), (24, 40)):
        x = torch.randn(3, 3, *size)
        made = encoder(x)
        assert torch.allclose(made.pooled_ND, theirs(x), atol=1e-6)
        assert made.tokens_NTD.shape == (3, 1 + size[0] * size[1] // 64, 24)
    x = torch.randn(3, 3, 32, 32)
    assert encoder(x).pooled_ND.equal(fixed(x).pooled_ND)
    with pytest.raises(coview.CoviewError, match="multiples of 8 pixels, and these have 20 × 16"):
        encoder(torch.randn(3, 3, 16, 20))
    with pytest.raises(coview.CoviewError, match="takes pictures of 32 × 32 pixels, and these have 16 × 16"):
        fixed(torch.randn(3, 3, 16, 16))
