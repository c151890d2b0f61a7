"""The compressor against a loop over samples, against the closed form of its static curve, and by what it does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview_audio.augment.dynamic_range_compression import DynamicRangeCompression, compress
from coview_audio.sound import Sound

SETTINGS = {
    "threshold_db": -20.0, "ratio": 4.0, "attack_ms": 5.0, "release_ms": 80.0, "knee_db": 6.0, "makeup_db": 3.0,
}  # fmt: skip


def curve(level, threshold, ratio, knee):
    over = level - threshold
    if over < -knee / 2:
        return level
    if over > knee / 2:
        return threshold + over / ratio
    return level + (1 / ratio - 1) * (over + knee / 2) ** 2 / (2 * knee) if knee else threshold + over / ratio


def by_loop(samples, rate, threshold_db, ratio, attack_ms, release_ms, knee_db, makeup_db):
    attack, release = (math.exp(-1 / (ms / 1000 * rate)) for ms in (attack_ms, release_ms))
    held = smooth = 0.0
    out = []
    for sample in samples:
        level = 20 * math.log10(max(abs(float(sample)), 1e-6))
        reduction = level - curve(level, threshold_db, ratio, knee_db)
        held = max(reduction, release * held)
        smooth = attack * smooth + (1 - attack) * held
        out.append(float(sample) * 10 ** ((makeup_db - smooth) / 20))
    return np.array(out)


@given(
    seed=st.integers(0, 99),
    threshold_db=st.floats(-60, 0),
    ratio=st.floats(1, 20),
    attack_ms=st.floats(0.1, 50),
    release_ms=st.floats(1, 500),
    knee_db=st.one_of(st.just(0.0), st.floats(0.1, 20)),
    makeup_db=st.floats(0, 12),
)
def test_against_a_loop(seed, **settings):
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0, 1.2, 6), 100)
    samples = (loudness * rng.uniform(-1, 1, 600)).astype(np.float32)
    samples[250:300] = 0
    assert np.allclose(compress(samples, 8000, **settings), by_loop(samples, 8000, **settings), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("knee_db", [0.0, 6.0, 20.0])
@pytest.mark.parametrize("level_db", [-60.0, -30.0, -20.0, -18.0, -12.0, 0.0, 3.0])
def test_a_level_that_stays_comes_out_as_the_static_curve_says(level_db, knee_db):
    samples = np.full(16000, 10 ** (level_db / 20), dtype=np.float32)
    out = compress(samples, 16000, **{**SETTINGS, "knee_db": knee_db})
    expected = curve(level_db, -20.0, 4.0, knee_db) + 3.0
    assert 20 * math.log10(out[-1]) == pytest.approx(expected, abs=1e-3)


def test_attack_and_release_take_their_time():
    loud, soft = np.float32(1.0), np.float32(0.01)
    samples = np.concatenate([np.full(8000, loud), np.full(16000, soft)])
    out = compress(samples, 16000, **{**SETTINGS, "knee_db": 0.0, "makeup_db": 0.0})
    gain_db = 20 * np.log10(out / samples)
    assert gain_db[7999] == pytest.approx(-15, abs=0.01)  # 20 dB over the threshold become 5
    assert gain_db[79] == pytest.approx(-15 * (1 - math.exp(-1)), abs=0.1)  # 5 ms on
    # after the attack's own 5 ms the reduction falls by a factor of e in 80 ms
    assert gain_db[8000 + 2560] / gain_db[8000 + 1280] == pytest.approx(math.exp(-1), rel=0.02)


def test_a_ratio_of_one_changes_nothing_and_silence_stays():
    samples = np.random.default_rng(0).uniform(-1, 1, 500).astype(np.float32)
    assert np.array_equal(compress(samples, 8000, **{**SETTINGS, "ratio": 1.0, "makeup_db": 0.0}), samples)
    assert not compress(np.zeros(500, dtype=np.float32), 8000, **SETTINGS).any()
    assert compress(samples[:1], 8000, **SETTINGS).shape == (1,)


def test_hours_of_silence_do_not_overflow():
    samples = np.zeros(2_000_000, dtype=np.float32)
    samples[0] = samples[-1] = 1.0
    out = compress(samples, 16000, **{**SETTINGS, "release_ms": 0.1, "attack_ms": 0.1})
    assert np.isfinite(out).all()
    assert out[-1] == pytest.approx(out[0], rel=1e-6)


def test_draws_within_its_ranges():
    augmentation = DynamicRangeCompression(threshold_db=(-20, -20), ratio=(4, 4), makeup_db=(0, 0), p=1.0)
    value = Sound(np.full(4000, 1.0, dtype=np.float32), 8000)
    out = augmentation(value, coview.Rng())
    assert 20 * math.log10(out.samples_T[-1]) == pytest.approx(-15, abs=0.01)
    with pytest.raises(ValueError, match="attack_ms has to be"):
        DynamicRangeCompression(attack_ms=(5.0, 1.0))
