"""The transformer on log-mel patches: one network by two paths, and hidden patches against each sound by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import coview
from coview_audio.encoders.mel_vit import MelViT
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound

LENGTHS = (16000, 7001, 4096, 161)
SIZE = {"width": 16, "layers": 3, "heads": 2, "seconds": 1.0, "mel_bins": 32}
CASES = {
    "patches": {"patch": (8, 4)},
    "class token": {"patch": (8, 4), "pool": "cls"},
    "all bands": {"patch": (32, 3)},
}


def batch_of(lengths=LENGTHS):
    rng = np.random.default_rng(0)
    sounds = [Sound((0.1 * rng.standard_normal(n)).astype(np.float32), 16000) for n in lengths]
    return AudioModality().collate(sounds)


def built(**options):
    torch.manual_seed(0)
    return MelViT(**(SIZE | options)).eval()


def masked(encoder, batch, hide):
    """Of each row another number of patches."""
    layout = encoder.token_layout(batch)
    drawn = torch.rand(layout.real_NT.shape, generator=torch.Generator().manual_seed(1))
    hidden = (drawn < torch.linspace(0.3, 0.7, len(drawn))[:, None]) & layout.maskable_NT
    return coview.TokenMask(layout, hidden, hidden, hidden[:, None], hide)


def log_mel(encoder, batch, row):
    """Standardised, of one sound, and zero up to whole patches: ``(F, T)``."""
    mel, frames = encoder.input.front_end(batch["waveform_NT"][row : row + 1], batch["lengths_N"][row : row + 1])
    mel = (mel[0, :, : int(frames[0])] + 3.0) / 4.5
    return torch.nn.functional.pad(mel, (0, -mel.shape[1] % encoder.patch[1]))


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_without_a_mask_both_paths_are_one(options):
    encoder, batch = built(**options), batch_of()
    one, other = encoder(batch), encoder.encode_tokens(batch, None, layers=2)
    real = encoder.token_layout(batch).real_NT
    assert one.mask_NT.equal(real)
    assert other.mask_NT.equal(real)
    torch.testing.assert_close(one.pooled_ND, other.pooled_ND, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.tokens_NTD[real], other.tokens_NTD[real], atol=1e-5, rtol=1e-4)
    last = encoder.model.norm(other.layers_LNTD[-1])
    torch.testing.assert_close(last[real], one.tokens_NTD[real], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("hide", ["drop", "replace"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_hidden_patches_against_each_sound_alone(options, hide):
    """timm's parts by hand, on a sound without padding: patch by patch, then its layers."""
    encoder, batch = built(**options), batch_of()
    mask, token = masked(encoder, batch, hide), torch.randn(16, generator=torch.Generator().manual_seed(2))
    found = encoder.encode_tokens(batch, mask, mask_token_D=token if hide == "replace" else None)
    network, (height, width) = encoder.model, encoder.patch
    columns = mask.layout.shape[-1]
    for row in range(len(LENGTHS)):
        mel = log_mel(encoder, batch, row)
        places, vectors = [], [network.cls_token[0, 0]]
        for band in range(mel.shape[0] // height):
            for column in range(mel.shape[1] // width):
                place = 1 + band * columns + column
                assert mask.layout.real_NT[row, place]
                patch = mel[band * height : (band + 1) * height, column * width : (column + 1) * width]
                vector = network.patch_embed.proj(patch[None, None]).flatten()
                if mask.hidden_NT[row, place]:
                    if hide == "drop":
                        continue
                    vector = token
                places.append(place)
                vectors.append(vector + encoder.positions_HWD[band, column])
        x = torch.stack(vectors)[None]
        for block in network.blocks:
            x = block(x)
        x = network.norm(x)[0]
        assert int(mask.seen_NT[row].sum()) == len(x)
        torch.testing.assert_close(found.tokens_NTD[row, [0, *places]], x, atol=1e-5, rtol=1e-4)
        expected = x[0] if options.get("pool") == "cls" else x[1:].mean(0) if len(x) > 1 else torch.zeros(16)
        torch.testing.assert_close(found.pooled_ND[row], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_values_are_the_log_mel_of_patches(options):
    encoder, batch = built(**options), batch_of()
    values, layout = encoder.token_values(batch), encoder.token_layout(batch)
    assert values.shape == (*layout.real_NT.shape, encoder.value_width)
    height, width = encoder.patch
    columns = layout.shape[-1]
    for row in range(len(LENGTHS)):
        mel = log_mel(encoder, batch, row)
        for band in range(mel.shape[0] // height):
            for column in range(mel.shape[1] // width):
                patch = mel[band * height : (band + 1) * height, column * width : (column + 1) * width]
                found = values[row, 1 + band * columns + column]
                torch.testing.assert_close(found, patch.flatten(), atol=1e-5, rtol=1e-4)


def test_more_padding_changes_nothing_and_the_class_token_is_never_hidden():
    encoder, batch = built(patch=(32, 3)), batch_of(LENGTHS[1:])
    padded = {**batch, "waveform_NT": torch.nn.functional.pad(batch["waveform_NT"], (0, 2000))}
    mask = masked(encoder, batch, "drop")
    layout = encoder.token_layout(padded)
    hidden = torch.nn.functional.pad(mask.hidden_NT, (0, layout.real_NT.shape[1] - mask.hidden_NT.shape[1]))
    more = coview.TokenMask(layout, hidden, hidden, hidden[:, None], "drop")
    assert layout.shape == (layout.real_NT.shape[1] - 1,), "patches of all bands lie in a row"
    assert not layout.maskable_NT[:, 0].any()
    assert layout.real_NT.sum(1).equal(mask.layout.real_NT.sum(1))
    one, other = encoder.encode_tokens(batch, mask), encoder.encode_tokens(padded, more)
    torch.testing.assert_close(one.pooled_ND, other.pooled_ND, atol=1e-5, rtol=1e-4)


def test_a_longer_sound_is_refused_in_one_line():
    encoder, batch = built(patch=(8, 4)), batch_of((17000,))
    for called in (encoder, encoder.check_batch, encoder.token_layout):
        with pytest.raises(
            coview.CoviewError, match=r"sounds of at most 1 s: 107 frames are more than the 104"
        ) as error:
            called(batch)
        assert "seconds" in error.value.hint
        assert "\n" not in error.value.message


def test_layers_are_numbered_and_left_out_at_random():
    encoder, batch = built(patch=(8, 4), drop_path=0.5), batch_of()
    numbers = encoder.layer_numbers()
    assert set(numbers) == dict(encoder.named_parameters()).keys()
    assert numbers["model.patch_embed.proj.weight"] == numbers["model.cls_token"] == 0
    assert [numbers[f"model.blocks.{k}.attn.qkv.weight"] for k in range(3)] == [1, 2, 3]
    assert numbers["model.norm.weight"] == 4
    drops = [block.drop_path1 for block in encoder.model.blocks]
    assert [getattr(drop, "drop_prob", 0.0) for drop in drops] == pytest.approx([0.0, 0.25, 0.5])
    assert encoder(batch).pooled_ND.equal(encoder(batch).pooled_ND), "none in evaluation"
    encoder.train()
    torch.manual_seed(1)
    assert not encoder(batch).pooled_ND.equal(encoder(batch).pooled_ND)


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_drawn_are_the_bands_of_each_patch_on_the_scale_of_the_first(options):
    """Against a loop over pixels: low tones below, and the loudest real value is the brightest colour of all."""
    encoder, batch = built(**options), batch_of()
    row, (height, width) = 1, encoder.patch
    layout = encoder.token_layout(batch).map_tensors(lambda tensor: tensor[row : row + 1])
    values = encoder.token_values(batch)[row]
    drawn = encoder.draw_tokens(torch.stack([values, values - 3.0]), layout, AudioModality())
    mel = log_mel(encoder, batch, row) * 4.5 - 3.0
    loudest = float(mel.max())
    columns = layout.shape[-1]
    assert drawn.pixels_SHW3.shape == (2, 32, columns * width, 3)
    for band in range(32):
        for frame in range(mel.shape[1]):
            pixel = 31 - band, frame
            assert drawn.token_HW[pixel] == 1 + band // height * columns + frame // width
            for version, less in enumerate((0.0, 3.0 * 4.5)):
                share = max(0.0, 1 + (float(mel[band, frame]) - less - loudest) / np.log(10) / 8)
                red, green, _ = drawn.pixels_SHW3[version][pixel].astype(int)
                ramp = np.linspace(0, 1, 8)
                assert abs(red - np.interp(share, ramp, (0, 40, 101, 159, 212, 245, 250, 252))) <= 1
                assert abs(green - np.interp(share, ramp, (0, 11, 21, 42, 72, 125, 193, 255))) <= 1
    assert tuple(drawn.pixels_SHW3[0].reshape(-1, 3).max(0)[:2]) == (252, 255)
