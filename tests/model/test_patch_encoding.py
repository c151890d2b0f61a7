"""timm's insides: without a mask what timm makes; with one, what a loop over rows makes of the patches that are left."""

from __future__ import annotations

import pytest
import timm
import torch

from coview.data.token_mask import TokenMask
from coview.model.patch_encoding import Patches

N = 5


def model(**options):
    torch.manual_seed(0)
    given = {"img_size": 16, "patch_size": 4, "embed_dim": 12, "depth": 3, "num_heads": 3, "num_classes": 0}
    return timm.create_model("vit_base_patch16_224", **(given | options)).double().eval()


def pictures():
    return torch.randn(N, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def masked(patches, x, hide):
    """Of each row another number of patches."""
    real = torch.ones(len(x), 16, dtype=torch.bool)
    layout = patches.layout(16, 16, real)
    hidden = (
        torch.rand(layout.real_NT.shape, generator=torch.Generator().manual_seed(2))
        < torch.linspace(0.2, 0.8, N)[:, None]
    )
    hidden &= layout.maskable_NT
    return TokenMask(layout, hidden, hidden, hidden[:, None], hide)


OPTIONS = {
    "class token": {},
    "mean": {"global_pool": "avg", "fc_norm": False},
    "mean, normalised after": {"global_pool": "avg"},
    "registers": {"reg_tokens": 2},
    "no class token": {"class_token": False, "global_pool": "avg"},
    "norm before": {"pre_norm": True},
    "layer scale": {"init_values": 0.1},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_without_a_mask_it_is_what_timm_makes(options):
    network = model(**options)
    patches = Patches(network, (4, 4), 3)
    made = patches.encode(pictures(), layers=2)
    expected = network.forward_features(pictures())
    torch.testing.assert_close(made.tokens_NTD, expected)
    torch.testing.assert_close(made.pooled_ND, network.forward_head(expected, pre_logits=True))
    _, layers = network.forward_intermediates(pictures(), indices=2, output_fmt="NLC", return_prefix_tokens=False)
    for mine, theirs in zip(made.layers_LNTD, layers, strict=True):
        torch.testing.assert_close(mine[:, patches.prefix :], theirs)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_is_dropped_is_not_there(options):
    """Each row by itself, its patches taken out by hand before the first layer."""
    network = model(**options)
    patches = Patches(network, (4, 4), 3)
    mask = masked(patches, pictures(), "drop")
    made = patches.encode(pictures(), mask)
    for row, x in enumerate(pictures()):
        seen = ~mask.hidden_NT[row]
        tokens = network._pos_embed(network.patch_embed(x[None]))[:, seen]
        tokens = network.norm(network.blocks(network.norm_pre(tokens)))
        torch.testing.assert_close(made.tokens_NTD[row, seen], tokens[0])
        assert not made.tokens_NTD[row, ~seen].any()
        torch.testing.assert_close(made.pooled_ND[row], network.forward_head(tokens, pre_logits=True)[0])


def test_what_is_replaced_is_the_learnt_token_at_its_place():
    network = model()
    patches = Patches(network, (4, 4), 3)
    mask = masked(patches, pictures(), "replace")
    token = torch.randn(12, dtype=torch.float64)
    made = patches.encode(pictures(), mask, mask_token_D=token)
    x = network.patch_embed(pictures())
    x[mask.hidden_NT[:, 1:]] = token
    expected = network.norm(network.blocks(network._pos_embed(x)))
    torch.testing.assert_close(made.tokens_NTD, expected)


def test_values_are_the_pixels_of_patches_as_mae_has_them():
    """``patchify`` of the authors' code: ``einsum('nchpwq->nhwpqc')``."""
    patches = Patches(model(), (4, 4), 3)
    x = pictures()
    expected = torch.einsum("nchpwq->nhwpqc", x.reshape(N, 3, 4, 4, 4, 4)).reshape(N, 16, 48)
    torch.testing.assert_close(patches.values(x)[:, 1:], expected)


@pytest.mark.parametrize("size", [(16, 16), (8, 12), (4, 12)], ids=["square", "wide", "one row"])
def test_pictures_are_put_together_from_values_by_a_loop(size):
    """Three channels, registers, patches that are not square; of one row, which has a layout of its own."""
    height, width = size
    network = model(img_size=size, patch_size=(4, 2), reg_tokens=2)
    patches = Patches(network, (4, 2), 3)
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    layout = patches.layout(height, width, torch.ones(2, height // 4 * width // 2, dtype=torch.bool))
    assert len(layout.shape) == (1 if height == 4 else 2)
    values = patches.values(x)
    assert torch.equal(patches.unpatched(values, layout), x)
    token_of = patches.patch_of_pixels(layout)
    assert token_of.shape == (height, width)
    for row in range(height):
        for column in range(width):
            token = 3 + row // 4 * (width // 2) + column // 2
            assert token_of[row, column] == token
            place = (row % 4 * 2 + column % 2) * 3
            assert torch.equal(values[:, token, place : place + 3], x[:, :, row, column])


def test_rows_that_keep_as_many_need_no_attention_mask_and_cost_less():
    network = model()
    patches = Patches(network, (4, 4), 3)
    layout = patches.layout(16, 16, torch.ones(N, 16, dtype=torch.bool))
    hidden = torch.zeros_like(layout.real_NT)
    hidden[:, 5:] = True
    seen = []
    network.blocks[0].register_forward_pre_hook(
        lambda _, inputs, kwargs: seen.append((inputs[0].shape, kwargs)), with_kwargs=True
    )
    patches.encode(pictures(), TokenMask(layout, hidden, hidden, hidden[:, None], "drop"))
    assert seen == [((N, 5, 12), {})]
