"""CNN and ResNets on log-mel: masks follow lengths, padding changes nothing, in training and in evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import coview
from coview.testing import check_encoder
from coview_audio.encoders.audio_cnn import AudioCNN
from coview_audio.encoders.masked import MaskedBatchNorm, frame_mask, masked_max, masked_mean
from coview_audio.encoders.mel_vit import MelViT
from coview_audio.encoders.resnet import AudioResNet18, AudioResNet34
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound

LENGTHS = (16000, 7001, 4096, 161, 1)


def sounds() -> list[Sound]:
    rng = np.random.default_rng(0)
    return [Sound((0.1 * rng.standard_normal(length)).astype(np.float32), 16000) for length in LENGTHS]


CASES = {
    "cnn": (AudioCNN, {"width": 16, "channels": 4}),
    "resnet18": (AudioResNet18, {"channels": 4}),
    "resnet18 small": (AudioResNet18, {"channels": 4, "stem": "small", "mel_bins": 32}),
    "resnet34": (AudioResNet34, {"channels": 2}),
    "vit": (MelViT, {"width": 16, "layers": 2, "heads": 2, "seconds": 2.0}),
    "vit of all bands, by the class token": (
        MelViT,
        {"width": 16, "layers": 2, "heads": 2, "seconds": 2.0, "patch": (64, 4), "pool": "cls"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_keeps_the_contract(name):
    factory, parameters = CASES[name]
    check_encoder(factory, AudioModality(), sounds(), parameters=parameters)


@pytest.mark.parametrize("name", CASES)
def test_more_padding_changes_nothing_in_training_either(name):
    factory, parameters = CASES[name]
    torch.manual_seed(0)
    encoder = factory(**parameters, **({"dropout": 0.0} if name == "cnn" else {})).train()
    batch = AudioModality().collate(sounds())
    padded = {**batch, "waveform_NT": nn.functional.pad(batch["waveform_NT"], (0, 5000))}
    one, other = encoder(batch), encoder(padded)
    assert torch.allclose(one.pooled_ND, other.pooled_ND, atol=1e-4)
    assert other.tokens_NTD.shape[1] > one.tokens_NTD.shape[1]
    assert other.mask_NT.sum(1).tolist() == one.mask_NT.sum(1).tolist()
    assert one.mask_NT.sum(1).min() >= 1


def test_without_padding_there_is_no_mask():
    encoder = AudioCNN(width=8, channels=4)
    encoding = encoder(AudioModality().collate([sounds()[0]] * 2))
    assert encoding.mask_NT is None
    assert encoding.tokens_NTD.shape == (2, 13, 8)  # 101 frames, three times halved upwards


def test_the_paper_has_this_many_weights():
    weights = sum(p.numel() for p in AudioCNN().parameters())
    convolutions = (9 + 1) * 64 + 2 * (9 * 64 + 1) * 64 + 3 * 2 * 64
    assert weights == convolutions + (512 + 1) * 2048 + (2048 + 1) * 2048
    assert AudioCNN().width == 2048


def test_resnet18_has_the_weights_of_torchvisions():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.models.resnet18(num_classes=1)
    expected = sum(p.numel() for p in theirs.parameters()) - (512 + 1) - 2 * 64 * 49  # one channel in, no classifier
    assert sum(p.numel() for p in AudioResNet18().parameters()) == expected


def test_batch_norm_over_real_frames_alone_is_batch_norm_of_what_is_cut_out():
    torch.manual_seed(0)
    x_NCFT, lengths_N = torch.randn(3, 4, 5, 6), torch.tensor([6, 2, 3])
    ours, plain = MaskedBatchNorm(4).train(), nn.BatchNorm2d(4).train()
    y = ours(x_NCFT, frame_mask(lengths_N, 6))
    rows = torch.cat([x_NCFT[i, :, :, : lengths_N[i]] for i in range(3)], dim=-1)  # (C, F, sum of lengths)
    expected = plain(rows[None])[0]
    found = torch.cat([y[i, :, :, : lengths_N[i]] for i in range(3)], dim=-1)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(ours.norm.running_var, plain.running_var, atol=1e-6)
    assert y[1, :, :, 2:].abs().max() == 0


def test_pooling_over_what_is_real():
    x_NTD = torch.tensor([[[1.0], [5.0], [torch.nan]], [[-3.0], [-1.0], [-2.0]]])
    mask_NT = torch.tensor([[True, True, False], [True, True, True]])
    assert masked_mean(x_NTD, mask_NT).tolist() == [[3.0], [-2.0]]
    assert masked_max(x_NTD, mask_NT).tolist() == [[5.0], [-1.0]]


def test_another_sample_rate_is_refused():
    batch = AudioModality(sample_rate=8000).collate(sounds())
    with pytest.raises(coview.CoviewError, match=r"16000 Hz, and \[modality\] makes 8000 Hz"):
        AudioCNN(width=8, channels=4)(batch)
    assert AudioCNN(width=8, channels=4, sample_rate=8000)(batch).pooled_ND.shape == (5, 8)
