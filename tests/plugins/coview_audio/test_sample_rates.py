"""An encoder at another sample rate than the modality is refused before anything is trained or written."""

import wave

import numpy as np
import pytest

RECIPE = """
schema = 1
name = "tones"

[data]
use = "audio_folder"
root = "tones"
workers = 0

[modality]
seconds = 0.2

[encoder]
use = "audio_cnn"
width = 16
channels = 8

[projector]
hidden = 16
width = 8

[[augment]]
use = "gain"

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.01

[train]
steps = 2
batch_size = 4
device = "cpu"

[[evaluate]]
use = "knn"
k = 1
"""


@pytest.fixture
def recipe(write_recipe, tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "tones" / name).mkdir(parents=True)
        for number in range(8):
            with wave.open(str(tmp_path / "tones" / name / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(16000)
                file.writeframes(rng.integers(-9000, 9000, 4000, dtype=np.int16).tobytes())
    return write_recipe(RECIPE)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize(
    ("key", "wanted", "made"), [("modality.sample_rate", 16000, 8000), ("encoder.sample_rate", 8000, 16000)]
)
def test_is_refused_by_every_check(call, recipe, tmp_path, key, wanted, made, steps):
    for command in (["recipe", "check", recipe, "--build"], ["run", recipe, "--dry-run"], ["run", recipe]):
        done = call(*command, "--set", f"{key}=8000", "--set", f"train.steps={steps}")
        assert done.status == 2, done.out
        assert f"{recipe}:" in done.err
        what = f"encoder.use: the encoder takes sounds of {wanted} Hz, and [modality] makes {made} Hz"
        assert what in done.err
        assert f"give [encoder] the sample_rate of [modality], or [modality] sample_rate = {wanted}" in done.err
    assert not list(tmp_path.glob("runs/**/recipe.toml"))


def test_the_same_rate_of_both_is_taken(call, recipe):
    sets = [part for name in ("modality", "encoder", "data") for part in ("--set", f"{name}.sample_rate=8000")]
    assert call("recipe", "check", recipe, "--build", *sets).status == 0
    assert call("run", recipe, *sets).status == 0
