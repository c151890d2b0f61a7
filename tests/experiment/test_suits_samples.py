"""What a run says, before it trains, of samples that its recipe does not suit."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from PIL import Image

SETS = [
    "train.steps=1",
    "data.workers=0",
    "optimizer={use='sgd', lr=0.001}",
    "train.batch_size=8",
    "schedule.warmup=0",
    "evaluate=[]",
]


def pictures(folder, shape, *, grey=False):
    rng = np.random.default_rng(0)
    for i in range(12):
        path = folder / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = rng.integers(0, 255, (*shape, 1 if grey else 3), dtype=np.uint8)
        Image.fromarray(values.repeat(3, axis=2) if grey else values).save(path)


def warned(call, recipe, *sets):
    given = [part for text in (*SETS, *sets) for part in ("--set", text)]
    done = call("run", recipe, *given)
    assert done.status == 0, done.err
    first_step = done.err.index("step 1/") if "step 1/" in done.err else len(done.err)
    said = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert all(done.err.index(line) < first_step for line in said), "before training"
    return said


PICTURES = """
schema = 1
name = "pictures"

[data]
use = "image_folder"
root = "pictures"

[modality]
size = 16
channels = {channels}

{augment}

[encoder]
use = "resnet18"
stem = "small"
width = 2
channels = {channels}

[loss]
use = "nt_xent"
"""
CROP = '[[augment]]\nuse = "random_resized_crop"\nsize = 16\nscale = [{low}, 1.0]\n'
FLIP = '[[augment]]\nuse = "random_flip"\n'


def recipe_of(write_recipe, channels=3, augment=FLIP):
    return write_recipe(PICTURES.format(channels=channels, augment=augment))


def test_colour_that_is_dropped_is_said_with_what_keeps_it(call, write_recipe, tmp_path):
    pictures(tmp_path / "pictures", (16, 16))
    recipe = recipe_of(write_recipe, channels=1)
    (said,) = warned(call, recipe)
    line = recipe.read_text().splitlines().index("[modality]") + 1
    assert re.fullmatch(
        rf"warning: \S+:{line}: modality: 100% of \d+ samples are in colour, .* set channels = 3 .*", said
    )
    assert warned(call, recipe, "train.steps=0", 'evaluate=[{use="knn"}]') == [said], "what is only measured, too"
    assert warned(call, recipe_of(write_recipe, channels=3)) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pictures_are_no_loss(call, write_recipe, tmp_path, channels):
    pictures(tmp_path / "pictures", (16, 16), grey=True)
    assert warned(call, recipe_of(write_recipe, channels=channels)) == []


def test_a_distortion_of_colour_that_grey_pictures_have_not(call, write_recipe, tmp_path):
    pictures(tmp_path / "pictures", (16, 16), grey=True)
    steps = FLIP + '[[augment]]\nuse = "color_jitter"\n[[augment]]\nuse = "random_grayscale"\n'
    jitter, greyscale = warned(call, recipe_of(write_recipe, augment=steps))
    assert "augment.1: color_jitter: 100% of" in jitter
    assert "saturation and hue change nothing" in jitter
    assert "augment.2: random_grayscale: 100% of" in greyscale
    assert len(warned(call, recipe_of(write_recipe, augment='[[augment]]\nuse = "simclr"\nsize = 16\n'))) == 1
    pictures(tmp_path / "pictures", (16, 16))
    assert warned(call, recipe_of(write_recipe, augment=steps)) == []


@pytest.mark.parametrize(
    ("shape", "low", "warns"), [((16, 16), 1.0, True), ((16, 16), 0.5, False), ((16, 20), 1.0, False)]
)
def test_a_crop_that_is_always_the_whole_picture(call, write_recipe, tmp_path, shape, low, warns):
    pictures(tmp_path / "pictures", shape)
    said = warned(call, recipe_of(write_recipe, augment=CROP.format(low=low) + FLIP))
    assert [("are not cropped: scale = [1, 1]" in line) for line in said] == [True] * warns


def test_a_step_that_does_nothing_is_named(call, write_recipe, tmp_path):
    pictures(tmp_path / "pictures", (16, 16))
    recipe = recipe_of(write_recipe, augment=FLIP + '[[augment]]\nuse = "gaussian_blur"\np = 0.0\n')
    (said,) = warned(call, recipe)
    assert "augment.1: gaussian_blur leaves all of" in said


SOUNDS = """
schema = 1
name = "sounds"

[data]
use = "audio_folder"
root = "sounds"
sample_rate = 8000

[modality]
sample_rate = 8000

[[augment]]
use = "random_excerpt"
seconds = 0.5
{more}

[encoder]
use = "audio_resnet18"
sample_rate = 8000
channels = 2

[loss]
use = "nt_xent"
"""


@pytest.mark.parametrize(
    ("long", "more", "share"), [(0, "", "100%"), (10, "", "75%"), (30, "", None), (0, "pad = false", None)]
)
def test_an_excerpt_longer_than_most_sounds(call, write_recipe, tmp_path, long, more, share):
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "sounds" / f"{i:02}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.normal(0, 0.1, 8000 if i % 40 < long else 2400), 8000)
    recipe = write_recipe(SOUNDS.format(more=more))
    said = warned(call, recipe, "data.test_fraction=0.02")
    line = recipe.read_text().splitlines().index("[[augment]]") + 1
    expected = [f"{line}: augment.0: random_excerpt: {share} of 39 samples are shorter than the excerpt of 0.5 s"]
    if share is None:
        assert not any("random_excerpt: " in text for text in said)
    elif long:
        (text,) = said
        assert "of 39 samples are shorter than the excerpt of 0.5 s" in text
        assert abs(float(re.search(r"(\d+)% of", text)[1]) - 75) < 3
    else:
        assert [text for text in said if expected[0] in text] == said
        assert len(said) == 1


def test_a_text_too_short_to_be_cropped(registry):
    crop = registry.build("augmentation", "token_cropping", modality="text", share=[0.5, 0.9])
    assert "so few words" in crop.remark("word")
    assert crop.remark("two words") == ""


def test_views_that_differ_in_the_encoder_are_not_said_to_be_equal(call, write_recipe, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(f"line {i} of a text" for i in range(40)))
    recipe = write_recipe(
        'schema = 1\nname = "texts"\n[data]\nuse = "text_lines"\npath = "lines.txt"\n'
        '[[augment]]\nuse = "dropout_views"\n[encoder]\nuse = "text_transformer"\nwidth = 8\nlayers = 1\nheads = 2\n'
        'vocabulary = 300\n[loss]\nuse = "nt_xent"\n'
    )
    assert warned(call, recipe) == []


def test_what_works_on_batches_only_is_not_said_to_do_nothing(call, write_recipe, tmp_path):
    for i in range(20):
        path = tmp_path / "sounds" / f"{i:02}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.random.default_rng(i).normal(0, 0.1, 8000), 8000)
    text = SOUNDS.format(more="").replace('use = "random_excerpt"\nseconds = 0.5\n', ON_BATCHES)
    recipe = write_recipe(text.replace("channels = 2", "channels = 2\nmel_bins = 32"))
    assert warned(call, recipe) == []


ON_BATCHES = """use = "log_mel"
sample_rate = 8000
mel_bins = 32

[[augment]]
use = "spec_augment"
"""
