"""CNN and ResNets on log-mel: masks follow lengths, padding changes nothing, in training and in evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio
from torch import nn

import coview
from coview.testing import check_encoder
from coview_audio.augment.log_mel import LogMelStep
from coview_audio.encoders.audio_cnn import AudioCNN
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.encoders.masked import MaskedBatchNorm, frame_mask, masked_max, masked_mean
from coview_audio.encoders.mel_vit import MelViT
from coview_audio.encoders.resnet import AudioResNet18, AudioResNet34
from coview_audio.encoders.timm import timm_audio_encoder
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


TIMM = {
    f"timm, {pooling}": (timm_audio_encoder("test_efficientnet"), {"pooling": pooling, "window": 25.0})
    for pooling in ("mean", "max")
}


@pytest.mark.parametrize("name", [*CASES, *TIMM])
def test_keeps_the_contract(name):
    factory, parameters = {**CASES, **TIMM}[name]
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


@pytest.mark.parametrize("lengths", [None, (6, 2, 3)])
def test_a_batch_norm_that_is_frozen_by_itself_stays_as_it_is(lengths):
    norm = MaskedBatchNorm(4).train()
    norm.norm.eval()
    norm.norm.running_mean.fill_(3)
    mask = None if lengths is None else frame_mask(torch.tensor(lengths), 6)
    y = norm(torch.full((3, 4, 5, 6), 3.0).to(memory_format=torch.channels_last), mask)
    assert y.abs().max() == 0
    assert norm.norm.running_mean.tolist() == [3] * 4
    assert norm.norm.num_batches_tracked == 0


@pytest.mark.parametrize("padded", [False, True])
def test_batch_norm_of_many_frames_is_as_exact_as_pytorchs_of_channels_that_lie_together(padded):
    """Of rows that lie together PyTorch's is not: it loses a digit or two of 100,000 of them."""
    torch.manual_seed(0)
    x = (1 + 2 * torch.randn(64, 4, 32, 50)).to(memory_format=torch.channels_last).requires_grad_()
    upstream, mask = torch.randn(64, 4, 32, 50), torch.full((64, 50), True)
    if padded:
        mask[0, 1:] = False
    real = mask[:, None, None].expand_as(x)
    exact, norm = nn.BatchNorm1d(4).double().train(), MaskedBatchNorm(4).train()
    for module in (exact, norm.norm):
        module.weight.data.copy_(torch.linspace(0.5, 2, 4))
        module.bias.data.copy_(torch.linspace(-1, 1, 4))

    def outcome(y, module, *inputs):
        gradients = torch.autograd.grad((y * upstream * real).sum(), [*inputs, *module.parameters()])
        return y, *gradients, *module.buffers()

    found = outcome(norm(x, mask if padded else None), norm, x)
    rows_KC = x.detach().double().movedim(1, -1)[mask[:, None].expand(64, 32, 50)].requires_grad_()
    y_NFTC = torch.zeros(64, 32, 50, 4, dtype=torch.float64)
    y_NFTC[mask[:, None].expand(64, 32, 50)] = exact(rows_KC)
    y, *gradients = outcome(y_NFTC.movedim(-1, 1), exact, rows_KC)
    gradients[0] = torch.zeros(64, 32, 50, 4, dtype=torch.float64).masked_scatter(
        mask[:, None, :, None].expand(64, 32, 50, 4), gradients[0]
    ).movedim(-1, 1)  # fmt: skip
    for ours, theirs in zip(found, [y, *gradients], strict=True):
        # the largest value of each is about 1, 10 of gradients of parameters over 100,000 frames
        least = 3e-6 * max(1.0, float(theirs.detach().abs().max()))
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-5, atol=least, msg=lambda said: said[:300])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_batch_norm_of_real_frames_gives_lies_in_memory_as_its_input(layout):
    """A convolution would copy what lies otherwise. Of a contiguous network it copies the gradient alone."""
    x = torch.randn(3, 4, 5, 6).to(memory_format=layout).requires_grad_()
    norm = MaskedBatchNorm(4)
    for mode in (True, False):
        y = norm.train(mode)(x, frame_mask(torch.tensor([6, 2, 3]), 6))
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        assert y.stride() == x.stride()
        assert gradient.stride() == x.stride() or layout == torch.contiguous_format


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


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_network_of_timm_is_pooled_over_all_places_of_its_map(pooling):
    encoder = timm_audio_encoder("test_efficientnet")(pooling=pooling, mean=-5.0, std=4.0, window=25.0).eval()
    value = sounds()[0]
    spectrum = torch.stft(
        torch.from_numpy(value.samples_T), 1024, hop_length=160, win_length=400, window=torch.hann_window(400),
        pad_mode="constant", return_complex=True,
    ).abs().square()  # fmt: skip
    filters = torchaudio.functional.melscale_fbanks(513, 60.0, 7800.0, 64, 16000)
    mel = ((filters.T @ spectrum + 2**-23).log() + 5.0) / 4.0
    with torch.no_grad():
        features = encoder.model.forward_features(mel[None, None])
        expected = features.amax((2, 3)) if pooling == "max" else features.mean((2, 3))
        found = encoder(AudioModality().collate([value])).pooled_ND
    assert torch.allclose(found, expected, atol=1e-4)
    assert found.shape == (1, encoder.width)


def test_what_makes_no_feature_map_is_refused():
    with pytest.raises(LookupError, match='did you mean "efficientnet_b0"'):
        timm_audio_encoder("eficientnet_b0")
    with pytest.raises(ValueError, match="layers behind its feature map"):
        timm_audio_encoder("lcnet_050")()
    with pytest.raises(coview.CoviewError, match="makes no feature map") as caught:
        timm_audio_encoder("test_vit")()(AudioModality().collate(sounds()[:1]))
    assert "mel_vit" in caught.value.hint
    with pytest.raises(ValueError, match="drop_path cannot be set"):
        timm_audio_encoder("vgg11")(drop_path=0.1)


def test_frames_of_another_length_than_the_encoders_are_refused():
    batch = AudioModality().collate(sounds())
    AudioResNet18(channels=2, window=25.0).check_batch(LogMelStep(window=25.0)(batch, None))
    with pytest.raises(coview.CoviewError, match=r"frames of 25 ms, and log_mel in .* makes 64 ms"):
        AudioResNet18(channels=2, window=25.0).check_batch(LogMelStep()(batch, None))


def test_short_frames_leave_no_band_empty():
    """COLA's 25 ms: their own 400 samples would tell 201 frequencies apart, too few for the lowest of 64 bands."""
    filters_FK = LogMel(LogMelSettings(window=0.025)).filters_FK
    assert filters_FK.shape == (64, 513)
    assert (filters_FK.sum(1) > 0).all()


@pytest.mark.parametrize("lengths", [(9, 4, 1), (9, 9, 9)])
def test_batch_norm_of_real_frames_is_the_same_by_weights(lengths, monkeypatch):
    """On a GPU the frames are not picked out: it would have to be known how many they are."""
    torch.manual_seed(0)
    picked, weighted = MaskedBatchNorm(4).double().train(), MaskedBatchNorm(4).double().train()
    for norm in (picked.norm, weighted.norm):
        norm.weight.data.copy_(torch.linspace(0.5, 2, 4))
        norm.bias.data.copy_(torch.linspace(-1, 1, 4))
    x = (3 + torch.randn(3, 4, 5, 9, dtype=torch.float64)).requires_grad_()
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    upstream = torch.randn(3, 4, 5, 9, dtype=torch.float64)

    def outcome(module):
        y = module(x, mask)
        gradients = torch.autograd.grad((y * upstream).sum(), [x, *module.parameters()])
        return y, *gradients, *module.buffers()

    expected = outcome(picked)
    monkeypatch.setattr("coview_audio.encoders.masked.may_look", lambda tensor: False)
    for found, wanted in zip(outcome(weighted), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_a_batch_says_where_no_sound_is_padded():
    one = sounds()[0]
    assert "all_real_N" in AudioModality().collate([one, one])
    assert "all_real_N" not in AudioModality().collate(sounds())


@pytest.mark.parametrize("name", [*CASES, *TIMM])
def test_where_no_sound_is_padded_it_makes_no_difference_that_the_batch_says_so(name):
    factory, parameters = {**CASES, **TIMM}[name]
    torch.manual_seed(0)
    encoder = factory(**parameters).eval()
    one = sounds()[0]
    batch = dict(AudioModality().collate([one, one]))
    known = encoder(batch)
    del batch["all_real_N"]
    looked = encoder(batch)
    torch.testing.assert_close(known.pooled_ND, looked.pooled_ND)
    torch.testing.assert_close(known.tokens_NTD, looked.tokens_NTD)
