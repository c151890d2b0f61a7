"""A library's transform that its value is too small for is a message with its name, in a check and in a run."""

import numpy as np
import pytest

import coview

VALUES = {
    "albumentations:Crop": ("image", np.zeros((16, 16, 3), np.uint8), {}, "a picture of 16 × 16 pixels"),
    "albumentations:CenterCrop": (
        "image", np.zeros((16, 20, 3), np.uint8), {"height": 64, "width": 64}, "a picture of 20 × 16 pixels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("use", VALUES)
def test_names_the_transform_and_the_value(use, registry):
    modality, value, parameters, said = VALUES[use]
    step = registry.build("augmentation", use, modality=modality, **parameters)
    with pytest.raises(coview.CoviewError, match=f"{use} does not take {said}: .") as refused:
        step(value, coview.Rng())
    assert "its parameters have to suit what it gets here" in str(refused.value)


class Failing:
    def __call__(self, *_):
        raise RuntimeError("first line\nsecond line")

    augment = __call__


def test_of_sounds_and_texts(registry):
    from coview_audio.augment.audiomentations import AudiomentationsStep
    from coview_audio.augment.torchaudio import TorchaudioStep
    from coview_audio.sound import Sound
    from coview_text.augment.nlpaug import NlpaugStep

    sound = Sound(np.zeros(4000, np.float32), 16000)
    rng = coview.Rng()
    for family, step, value, said in (
        ("audiomentations", AudiomentationsStep, sound, "a sound of 0.25 s at 16 kHz"),
        ("torchaudio", TorchaudioStep, sound, "a sound of 0.25 s at 16 kHz"),
        ("nlpaug", NlpaugStep, "five words", "a text of 10 characters"),
    ):
        with pytest.raises(coview.CoviewError, match=f"{family}:Failing does not take {said}: first line\n"):
            step(Failing())(value, rng)


@pytest.mark.parametrize("command", [("recipe", "check", "--build"), ("run",)])
def test_a_crop_that_is_larger_than_the_picture_is_no_traceback(call, write_recipe, small_recipe, command):
    recipe = write_recipe(small_recipe)
    done = call(*command, recipe, "--set", 'augment=[{use="albumentations:Crop"}]', "--set", "data.workers=0")
    assert done.status == 2
    assert "albumentations:Crop does not take a picture of 8 × 8 pixels" in done.err
    assert "Traceback" not in done.err
