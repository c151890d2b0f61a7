"""Steps on log-mel: each row by its own key, against loops by hand, with the state of mixup in its state_dict."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch

import coview
from coview_audio.augment.log_mel import LogMelStep
from coview_audio.augment.mixup import Mixup
from coview_audio.augment.random_resize_crop import RandomResizeCrop
from coview_audio.augment.spec_augment import SpecAugment
from coview_audio.augment.standardise_batch import StandardiseBatch
from coview_audio.augment.torchaudio import torchaudio_transform, usable_transforms
from coview_audio.encoders.audio_cnn import AudioCNN
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound


def waveforms(n: int = 4, lengths: tuple[int, ...] | None = None):
    rng = np.random.default_rng(0)
    lengths = lengths or (8000,) * n
    return AudioModality().collate([Sound((0.1 * rng.standard_normal(k)).astype(np.float32), 16000) for k in lengths])


def mel_batch(n: int = 4, frames: int = 30, real: tuple[int, ...] | None = None):
    values = torch.randn(n, 64, frames, generator=torch.Generator().manual_seed(0)) * 3 - 4
    return {
        "log_mel_NFT": values,
        "frames_N": torch.tensor(real or (frames,) * n),
        "rate_N": torch.full((n,), 16000),
    }


def rng_of(ids, views=(0,), seed: int = 0, epoch: int = 0, position: int = 0) -> coview.BatchRng:
    return coview.BatchRng(seed, epoch, torch.tensor(ids), views, position)


STATELESS = {
    "spec_augment": SpecAugment(),
    "random_resize_crop": RandomResizeCrop(),
    "torchaudio": torchaudio_transform("FrequencyMasking")(freq_mask_param=20),
}


@pytest.mark.parametrize("name", STATELESS)
def test_a_row_depends_on_its_own_key_alone(name):
    step, batch = STATELESS[name], mel_batch(6)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    ids = [5, 9, 2, 7, 1, 3]
    whole = step(batch, rng_of(ids))["log_mel_NFT"]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    order = [4, 0, 2]
    part = {key: value[order] for key, value in batch.items()}
    some = step(part, rng_of([ids[i] for i in order]))["log_mel_NFT"]
    assert torch.allclose(some, whole[order], atol=1e-6)
    same = mel_batch(1)["log_mel_NFT"].expand(6, -1, -1)
    for one, other in (({}, {"epoch": 1}), ({}, {"seed": 1}), ({}, {"position": 1}), ({}, {"views": (1,)})):
        a, b = (step({**batch, "log_mel_NFT": same}, rng_of(ids, **key))["log_mel_NFT"] for key in (one, other))
        assert not torch.equal(a, b)
    across = step({**batch, "log_mel_NFT": same}, rng_of(ids))["log_mel_NFT"]
    assert len({row.numpy().tobytes() for row in across}) > 1
    assert torch.equal(batch["log_mel_NFT"], mel_batch(6)["log_mel_NFT"])
    assert torch.equal(step(pickle.loads(pickle.dumps(batch)), rng_of(ids))["log_mel_NFT"], whole)


def test_the_encoder_sees_in_log_mel_what_it_would_have_made_itself():
    batch = waveforms(lengths=(8000, 3000, 1))
    encoder = AudioCNN(width=8, channels=4).eval()
    step = pickle.loads(pickle.dumps(LogMelStep()))
    with torch.no_grad():
        assert torch.equal(encoder(batch).pooled_ND, encoder(step(batch, rng_of([0, 1, 2]))).pooled_ND)
    with pytest.raises(coview.CoviewError, match="takes 64 mel bins, and the augmentations make 32"):
        encoder(LogMelStep(mel_bins=32)(batch, rng_of([0, 1, 2])))
    with pytest.raises(coview.CoviewError, match="8000 Hz, and the batch has 16000"):
        LogMelStep(sample_rate=8000)(batch, rng_of([0, 1, 2]))


def test_log_mel_is_normalised_once():
    batch = waveforms(lengths=(8000, 3000, 1))
    plain, step = LogMelStep()(batch, rng_of([0, 1, 2])), LogMelStep(mean=-6.0, std=2.5)
    made = pickle.loads(pickle.dumps(step))(batch, rng_of([0, 1, 2]))
    assert torch.allclose(made["log_mel_NFT"] * 2.5 - 6, plain["log_mel_NFT"], atol=1e-5)
    encoder = AudioCNN(width=8, channels=4, mean=-6.0, std=2.5).eval()
    encoder.check_batch(made)
    with torch.no_grad():
        assert torch.allclose(encoder(batch).pooled_ND, encoder(made).pooled_ND, atol=1e-6)
    with pytest.raises(coview.CoviewError, match=r"the mean -3 and the standard .* 4.5, and log_mel .* by -6 and 2.5"):
        AudioCNN(width=8, channels=4).check_batch(made)
    with pytest.raises(ValueError, match="mean and std belong together"):
        LogMelStep(mean=-6.0)


def test_a_batch_is_standardised_over_its_real_frames():
    batch = {**mel_batch(3, frames=30, real=(30, 20, 7)), "normalised_by_N2": torch.ones(3, 2)}
    step = StandardiseBatch()
    out = step(batch, rng_of([0, 1, 2]))["log_mel_NFT"]
    real = np.concatenate([batch["log_mel_NFT"][i, :, :n].numpy().ravel() for i, n in enumerate((30, 20, 7))])
    expected = (batch["log_mel_NFT"][1, :, :20].numpy() - real.mean()) / real.std(ddof=1)
    np.testing.assert_allclose(out[1, :, :20].numpy(), expected, atol=1e-5)
    assert float(step.state_dict()["mean"]) == pytest.approx(real.mean(), abs=1e-5)
    with pytest.raises(coview.CoviewError, match="normalised already") as caught:
        step(mel_batch(), rng_of([0, 1, 2, 3]))
    assert "mean and std" in caught.value.hint
    silent = {**batch, "log_mel_NFT": torch.full((3, 64, 30), -2.0)}
    assert torch.equal(step(silent, rng_of([0, 1, 2]))["log_mel_NFT"], torch.zeros(3, 64, 30))


def test_a_pipeline_of_byol_a_against_a_loop_of_the_paper():
    """Mixup of normalised log-mel, then a crop of everything, then the batch's own statistics."""
    steps = [
        LogMelStep(mean=-5.5, std=5.0),
        Mixup(),
        RandomResizeCrop(frequency=(1.0, 1.0), time=(1.0, 1.0), boundary=1.0),
        StandardiseBatch(),
    ]
    earlier, batch = waveforms(4), waveforms(3)
    batch["waveform_NT"] = batch["waveform_NT"].flip(1)

    def through(values, ids):
        for position, step in enumerate(steps):
            values = step(values, rng_of(ids, position=position))
        return values["log_mel_NFT"]

    through(earlier, [0, 1, 2, 3])
    out = through(batch, [7, 8, 9])
    xs, ys = (((LogMelStep()(b, None)["log_mel_NFT"] + 5.5) / 5.0).numpy() for b in (batch, earlier))
    draws = rng_of([7, 8, 9], position=1).uniform(2).numpy()
    mixed = []
    for row, x in enumerate(xs):
        weight, y = 0.4 * draws[row, 0], ys[int(draws[row, 1] * 4)]
        mixed.append(np.log((1 - weight) * np.exp(x) + weight * np.exp(y)))
    expected = (np.stack(mixed) - np.mean(mixed)) / np.std(mixed, ddof=1)
    np.testing.assert_allclose(out.numpy(), expected, atol=3e-3)  # the memory is of float16


@pytest.mark.parametrize(
    "step", [SpecAugment(), RandomResizeCrop(), Mixup(), StandardiseBatch()], ids=lambda s: type(s).__name__
)
def test_without_log_mel_before_it_says_what_to_do(step):
    with pytest.raises(coview.CoviewError, match="works on log-mel") as caught:
        step(waveforms(), rng_of([0, 1, 2, 3]))
    assert '"log_mel"' in caught.value.hint


def test_masks_are_as_wide_as_asked_and_hold_the_mean():
    batch = mel_batch(300, frames=40, real=(25,) * 300)
    step = SpecAugment(frequency_masks=1, frequency_width=10, time_masks=0)
    out = step(batch, rng_of(list(range(300))))["log_mel_NFT"]
    changed_NFT = out != batch["log_mel_NFT"]
    widths = changed_NFT.all(2).sum(1)
    assert sorted(set(widths.tolist())) == list(range(11))
    assert (np.bincount(widths) > 300 / 11 / 2).all()
    for row in range(20):
        bands = changed_NFT[row].all(1).nonzero()[:, 0].tolist()
        assert bands == list(range(bands[0], bands[0] + len(bands))) if bands else True
        mean = batch["log_mel_NFT"][row, :, :25].mean()
        assert torch.allclose(out[row][changed_NFT[row]], mean, atol=1e-5)
    times = SpecAugment(frequency_masks=0, time_masks=1, time_width=100, time_share=0.4)
    masked_NT = (times(batch, rng_of(list(range(300))))["log_mel_NFT"] != batch["log_mel_NFT"]).all(1)
    assert int(masked_NT.sum(1).max()) == 10  # 0.4 of 25 real frames
    assert not masked_NT[:, 25:].any()


def test_a_crop_of_everything_changes_nothing():
    batch = mel_batch()
    out = RandomResizeCrop(frequency=(1.0, 1.0), time=(1.0, 1.0), boundary=1.0)(batch, rng_of([0, 1, 2, 3]))
    assert torch.allclose(out["log_mel_NFT"], batch["log_mel_NFT"], atol=1e-4)


def test_crops_cover_the_sizes_asked_for():
    """A spectrogram that encodes its own places; bicubic weights (a = -0.75) give a slope to within a fifth."""
    n = 150
    ramp_F, ramp_T = torch.arange(64.0), torch.arange(60.0)
    heights, lengths = [], []
    for axis in ("F", "T"):
        values = (ramp_F[:, None] if axis == "F" else ramp_T[None]).expand(n, 64, 60).contiguous()
        batch = {"log_mel_NFT": values, "frames_N": torch.full((n,), 60), "rate_N": torch.full((n,), 16000)}
        out = RandomResizeCrop()(batch, rng_of(list(range(n))))["log_mel_NFT"]
        if axis == "F":
            heights = [float(row[40, 30] - row[30, 30]) / 10 for row in out]
        else:
            lengths = [float(row[30, 30] - row[30, 29]) for row in out]  # the middle is always inside
    assert 0.58 < min(heights) < 0.63
    assert max(heights) == pytest.approx(1, abs=0.01)
    assert np.mean(np.isclose(heights, 1, atol=0.01)) == pytest.approx(5 / 9, abs=0.15)  # of 0.6 to 1.5, above 1
    assert 0.48 < min(lengths) < 0.7
    assert 1.3 < max(lengths) < 1.8


@pytest.mark.parametrize("is_normalised", [True, False])
def test_a_crop_is_what_interpolate_makes_of_the_same_box(is_normalised):
    """As the authors do it: on a canvas of zeros, integer boxes, bicubic with aligned corners, one after the other."""
    n, bins, frames, canvas = 60, 64, 31, 46
    step, ids = RandomResizeCrop(), list(range(n))
    batch = mel_batch(n, frames=frames)
    outside_N = batch["log_mel_NFT"].mean((1, 2))
    if is_normalised:
        batch, outside_N = {**batch, "normalised_by_N2": torch.ones(n, 2)}, torch.zeros(n)
    rng = rng_of(ids)
    height_N, length_N = rng.uniform(1, 0.6, 1.5)[:, 0], rng.uniform(1, 0.6, 1.5)[:, 0]
    share_N2 = rng.uniform(2)
    out = step(batch, rng_of(ids))["log_mel_NFT"]
    for row in range(n):
        h = min(max(int(height_N[row] * bins), 1), bins)
        w = min(max(int(length_N[row] * frames), 1), canvas)
        i, j = int(share_N2[row, 0] * (bins - h + 1)), int(share_N2[row, 1] * (canvas - w + 1))
        padded = torch.zeros(bins, canvas)
        padded[:, 7 : 7 + frames] = batch["log_mel_NFT"][row] - outside_N[row]
        box = padded[i : i + h, j : j + w][None, None]
        expected = torch.nn.functional.interpolate(box, (bins, frames), mode="bicubic", align_corners=True)[0, 0]
        assert torch.allclose(out[row], expected + outside_N[row], atol=1e-4)


def test_what_lies_outside_of_a_sound_is_its_mean():
    batch = mel_batch(1, frames=40, real=(20,))
    out = RandomResizeCrop(frequency=(1.0, 1.0), time=(1.5, 1.5))(batch, rng_of([0]))
    mean = float(batch["log_mel_NFT"][0, :, :20].mean())
    assert out["frames_N"].tolist() == [40]
    assert torch.allclose(out["log_mel_NFT"][0, :, -5:], torch.tensor(mean), atol=1e-4)


def test_mixup_against_a_loop():
    step = Mixup(alpha=0.4, memory=5)
    first, second = mel_batch(4), mel_batch(3)
    untouched = step(first, rng_of([0, 1, 2, 3]))
    assert torch.equal(untouched["log_mel_NFT"], first["log_mel_NFT"])
    draws = rng_of([7, 8, 9]).uniform(2)
    out = step(second, rng_of([7, 8, 9]))["log_mel_NFT"]
    memory = first["log_mel_NFT"].half().float()
    for row in range(3):
        weight, which = 0.4 * float(draws[row, 0]), int(float(draws[row, 1]) * 4)
        for f, t in ((0, 0), (10, 20), (63, 29)):
            x, y = float(second["log_mel_NFT"][row, f, t]), float(memory[which, f, t])
            expected = math.log((1 - weight) * math.exp(x) + weight * math.exp(y))
            assert float(out[row, f, t]) == pytest.approx(expected, abs=1e-4)


def test_mixup_keeps_the_latest_first_in_first_out():
    step = Mixup(memory=5)
    for start in (0, 4, 8):
        values = torch.arange(start, start + 4.0).view(4, 1, 1).expand(4, 64, 30)
        step({**mel_batch(4), "log_mel_NFT": values}, rng_of([0, 1, 2, 3]))
    assert sorted(step.memory_MFT[:, 0, 0].tolist()) == [7, 8, 9, 10, 11]
    big = Mixup(memory=3)
    big({**mel_batch(4), "log_mel_NFT": torch.arange(4.0).view(4, 1, 1).expand(4, 64, 30)}, rng_of([0, 1, 2, 3]))
    assert sorted(big.memory_MFT[:, 0, 0].tolist()) == [1, 2, 3]


def test_mixup_goes_on_from_its_state(tmp_path):
    from safetensors.torch import load_model, save_model

    step = Mixup(memory=8)
    step(mel_batch(4), rng_of([0, 1, 2, 3]))
    save_model(step, str(tmp_path / "state"))
    expected = step(mel_batch(3), rng_of([4, 5, 6]))["log_mel_NFT"]
    other = Mixup(memory=8)
    load_model(other, str(tmp_path / "state"))
    assert torch.equal(other(mel_batch(3), rng_of([4, 5, 6]))["log_mel_NFT"], expected)
    with pytest.raises(coview.CoviewError, match="64 × 20 where the earlier ones were of 64 × 30") as caught:
        other(mel_batch(3, frames=20), rng_of([4, 5, 6]))
    assert "random_excerpt" in caught.value.hint


def test_torchaudios_transforms_of_waveforms():
    value = Sound((0.1 * np.random.default_rng(0).standard_normal(4000)).astype(np.float32), 16000)
    for name in usable_transforms():
        if name.endswith("Masking"):
            continue
        given = {
            "SpeedPerturbation": {"orig_freq": 16000, "factors": [0.9, 1.0, 1.1]},
            "PitchShift": {"sample_rate": 16000, "n_steps": 12},
            "Vol": {"gain": 0.5},
        }
        step = torchaudio_transform(name)(**given.get(name, {}))
        torch.manual_seed(0)
        state = torch.get_rng_state()
        outs = [step(value, coview.Rng(0, 0, i)) for i in range(8)]
        assert torch.equal(torch.get_rng_state(), state)
        assert outs == [step(value, coview.Rng(0, 0, i)) for i in range(8)]
        assert (len({out.samples_T.tobytes() for out in outs}) > 1) == (name == "SpeedPerturbation")
    with pytest.raises(LookupError, match="FrequencyMasking"):
        torchaudio_transform("FrequencyMask")


def test_ranges_the_wrong_way_round_are_refused():
    for make in (
        lambda: RandomResizeCrop(time=(1.2, 0.8)),
        lambda: RandomResizeCrop(frequency=(1.2, 0.8)),
        lambda: RandomResizeCrop(time=(0.6, 2.0)),
    ):
        with pytest.raises(ValueError, match="has to"):
            make()
