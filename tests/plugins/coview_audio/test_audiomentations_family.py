"""``audiomentations:*``: every transform deterministic by key, equal to its own call when seeded alike, checked."""

from __future__ import annotations

import importlib.util
import inspect
import random
import warnings

import numpy as np
import pytest
import soundfile

import coview
from coview.plugins.parameters import Parameters
from coview_audio.augment.audiomentations import audiomentations_transform, usable_transforms
from coview_audio.sound import Sound

EXTRAS = {
    "Limiter": "numpy_audio_limiter",
    "LoudnessNormalization": "loudness",
    "Mp3Compression": "fast_mp3_augment",
    "RoomSimulator": "pyroomacoustics",
}
NEEDS = {"AdjustDuration": {"duration_seconds": 0.3}, "RepeatPart": {"max_part_duration": 0.3}}
FOLDERS = {"AddBackgroundNoise": "sounds_path", "AddShortNoises": "sounds_path", "ApplyImpulseResponse": "ir_path"}
NEVER_DRAW = {"Clip", "Normalize", "PolarityInversion", "Reverse", "Trim"}
NAMES = sorted(
    name for name in usable_transforms() if name not in EXTRAS or importlib.util.find_spec(EXTRAS[name]) is not None
)
VALUE = Sound((0.2 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32), 16000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds")
    for i in range(3):
        samples = 0.1 * np.random.default_rng(i + 1).standard_normal(9000)
        soundfile.write(path / f"{i}.wav", samples, 16000)
    return path


def build(name: str, folder, **given):
    factory = audiomentations_transform(name)
    given = {**NEEDS.get(name, {}), **({FOLDERS[name]: str(folder)} if name in FOLDERS else {}), **given}
    parameters = Parameters.of(factory, "augmentation")
    assert parameters.check(given) == []
    return factory(**parameters.arguments(given))


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", NAMES)
def test_is_a_pure_function_of_the_key_that_touches_no_global_state(name, folder):
    step, other, rng = (*[build(name, folder, p=1.0) for _ in range(2)], coview.Rng())
    step(VALUE, rng)  # librosa imports its parts on first use, and what they import may draw at random
    before, expected = VALUE.samples_T.copy(), []
    for sample in range(3):
        np.random.seed(sample)
        random.seed(sample)
        numpy_state, python_state = np.random.get_state(), random.getstate()
        expected.append(step(VALUE, rng.seek(3, 1, sample, 1, 2)))
        after = np.random.get_state()
        assert np.array_equal(after[1], numpy_state[1])
        assert after[2] == numpy_state[2]
        assert random.getstate() == python_state
    fresh = coview.Rng()
    for sample in (2, 0, 1):
        np.random.seed(99)
        random.seed(99)
        assert other(VALUE, fresh.seek(3, 1, sample, 1, 2)) == expected[sample]
    assert np.array_equal(VALUE.samples_T, before)
    draws = {step(VALUE, fresh.seek(0, 0, sample, 0, 0)).samples_T.tobytes() for sample in range(12)}
    assert (len(draws) > 1) == (name not in NEVER_DRAW)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_transforms_own_call(name, folder, monkeypatch):
    """Its own code, its own NumPy calls: only what ``random`` draws from is another generator."""
    ours = build(name, folder)(VALUE, coview.Rng(5))
    transform, rng = build(name, folder).transform, coview.Rng(5)
    for function in ("random", "uniform", "randint", "choice", "sample", "randrange", "shuffle", "gauss"):
        monkeypatch.setattr(random, function, getattr(rng.python, function))
    np.random.seed(rng.seed32())
    theirs = transform(VALUE.samples_T, VALUE.rate)
    assert np.array_equal(ours.samples_T, theirs)
    assert ours.samples_T.dtype == np.float32


def test_a_transform_that_fails_leaves_the_generators_in_place(folder):
    import audiomentations.augmentations.gain as module

    step = build("Gain", folder, p=1.0)
    step.transform.min_gain_db = "loud"
    bits = np.random.get_bit_generator()
    with pytest.raises(coview.CoviewError, match="audiomentations:Gain does not take"):
        step(VALUE, coview.Rng())
    assert module.random.random is random.random
    assert np.random.get_bit_generator() is bits


def test_there_are_many():
    assert len(usable_transforms()) > 30
    assert {"AirAbsorption", "TimeMask", "Mp3Compression"} <= set(usable_transforms())


@pytest.mark.parametrize("name", sorted(usable_transforms()))
def test_every_parameter_that_a_recipe_can_give_is_listed(name):
    transform = usable_transforms()[name]
    listed = {parameter.name for parameter in Parameters.of(audiomentations_transform(name), "augmentation").parameters}
    signature = inspect.signature(transform).parameters
    left_out = {key for key, value in signature.items() if value.kind is not value.VAR_KEYWORD} - listed
    assert all(key.endswith("_transform") for key in left_out)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("Gain", {"min_gain": 3.0}, "unknown key"),
        ("Gain", {"min_gain_db": "3"}, "number"),
        ("Gain", {"p": 1.5}, "less than or equal to 1"),
        ("TimeMask", {"mask_location": "middle"}, "start"),
        ("AddBackgroundNoise", {}, "missing"),
        ("BitCrush", {"min_bit_depth": 3.5}, "integer"),
    ],
)
def test_what_python_would_let_pass_is_refused(name, given, message):
    problems = Parameters.of(audiomentations_transform(name), "augmentation").check(given)
    assert message in "; ".join(f"{problem.path}: {problem.message}" for problem in problems)


def test_what_the_transform_refuses_is_the_users_to_mend(registry):
    with pytest.raises(coview.CoviewError, match="min_rate must not be greater"):
        registry.build("augmentation", "audiomentations:TimeStretch", modality="audio", min_rate=2.0, max_rate=1.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timemask", 'did you mean "TimeMask"'),
        ("Lambda", "cannot be used"),
        ("Compose", "no transform"),
        ("os", "no transform"),
        ("SpecFrequencyMask", "no transform"),
    ],
)
def test_what_is_no_transform_of_a_sound_is_refused(name, message):
    with pytest.raises(LookupError, match=message):
        audiomentations_transform(name)


@pytest.mark.parametrize("name", sorted(set(usable_transforms()) - set(NAMES)))
def test_what_needs_another_package_says_so(name):
    with pytest.raises(coview.CoviewError, match="needs a package that is not installed") as caught:
        audiomentations_transform(name)(p=1.0)(VALUE, coview.Rng())
    assert "pip install" in caught.value.hint


def test_nothing_to_do_gives_the_very_sound(folder):
    assert build("Gain", folder, p=0.0)(VALUE, coview.Rng()) is VALUE
