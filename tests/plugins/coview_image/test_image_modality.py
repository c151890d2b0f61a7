"""Batches against a loop by hand, previews as a real event file, markup that decodes to the same picture."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import coview
from coview_image.modality import ImageModality

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(n: int = 4, shape: tuple[int, ...] = (9, 12, 3), seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 3), height=st.integers(1, 5), width=st.integers(1, 5), seed=st.integers(0, 99))
def test_collate_against_a_loop(n, height, width, seed):
    values = pictures(n, (height, width, 3), seed)
    batch = ImageModality().collate(values)
    assert batch.shape == (n, 3, height, width)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous()
    for i, c, y, x in np.ndindex(n, 3, height, width):
        expected = (int(values[i][y, x, c]) / 255 - MEAN[c]) / STD[c]
        assert batch[i, c, y, x].item() == pytest.approx(expected, abs=2e-6)


def test_float_pictures_give_the_batch_of_their_bytes():
    values = pictures()
    modality = ImageModality()
    floats = [(value / 255).astype(np.float32) for value in values]
    assert torch.allclose(modality.collate(floats), modality.collate(values), atol=2e-6)
    mixed = [values[0], *floats[1:]]
    assert torch.allclose(modality.collate(mixed), modality.collate(values), atol=2e-6)
    assert np.array_equal(values[0], pictures()[0])


def test_collate_does_not_write_into_its_values():
    value = np.random.default_rng(0).random((4, 4, 1), dtype=np.float32)
    before = value.copy()
    ImageModality(channels=1, mean=(0.5,), std=(0.5,)).collate([value])
    assert np.array_equal(value, before)


def test_grey_is_repeated_and_colour_is_reduced_to_its_luma():
    grey = pictures(2, (5, 6))
    three = ImageModality(mean=(0.0,), std=(1.0,)).collate(grey)
    assert torch.equal(three[:, 0], three[:, 2])
    assert three[1, 1, 2, 3].item() == pytest.approx(grey[1][2, 3] / 255)
    coloured = pictures(2, (5, 6, 3))
    one = ImageModality(channels=1, mean=(0.0,), std=(1.0,)).collate(coloured)
    expected = np.asarray(Image.fromarray(coloured[0]).convert("L")) / 255
    assert one.shape == (2, 1, 5, 6)
    assert np.abs(one[0, 0].numpy() - expected).max() <= 1.01 / 255
    of_both = ImageModality(mean=(0.0,), std=(1.0,)).collate([grey[0], coloured[0]])
    assert of_both.shape == (2, 3, 5, 6)
    of_one_channel = ImageModality(mean=(0.0,), std=(1.0,)).collate([grey[0][..., None]])
    assert torch.equal(of_one_channel[0], three[0])


def test_a_grey_picture_that_is_three_wide_is_still_grey():
    assert ImageModality().collate(pictures(2, (5, 3))).shape == (2, 3, 5, 3)


def test_mean_and_std_of_one_channel():
    assert ImageModality(channels=1).mean == pytest.approx((0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406,))
    assert ImageModality(mean=(0.5,)).mean == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="one number or one for each of the 3"):
        ImageModality(mean=(0.1, 0.2))


def test_different_sizes_are_named_and_mended_by_size():
    values = [*pictures(2, (8, 10, 3)), *pictures(1, (20, 10, 3))]
    with pytest.raises(coview.CoviewError, match="10×8, 10×20") as caught:
        ImageModality().collate(values)
    assert "random_resized_crop" in caught.value.hint
    assert ImageModality(size=6).collate(values).shape == (3, 3, 6, 6)


def test_size_resizes_the_shorter_side_and_crops_the_centre():
    left_to_right = np.tile(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], (40, 1, 3))
    batch = ImageModality(size=20, mean=(0.0,), std=(1.0,)).collate([left_to_right])
    # 40×100 becomes 20×50, of which columns 15 to 34 stay; a shrunk column is the mean of two
    expected = (2.0 * np.arange(100)).reshape(50, 2).mean(1)[15:35] / 255
    assert np.abs(batch[0, 0, 7].numpy() - expected).max() < 1.01 / 255
    same = pictures(1, (20, 20, 3))
    assert torch.equal(ImageModality(size=20).collate(same), ImageModality().collate(same))


def test_size_does_not_alias():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    batch = ImageModality(size=16, mean=(0.0,), std=(1.0,)).collate([stripes])
    assert (batch - 0.5).abs().max() < 0.05


def test_describe():
    modality = ImageModality()
    assert modality.describe(np.zeros((28, 30, 3), np.uint8)) == "30×28 RGB, uint8"
    assert modality.describe(np.zeros((8, 8), np.float32)) == "8×8 grey, float32"


def test_raw_features_are_the_pixels():
    modality = ImageModality()
    values = pictures(3, (8, 6, 3))
    raw = modality.fit_raw(values)(values)
    assert raw.dtype == np.float32
    assert np.allclose(raw, np.stack(values).reshape(3, -1) / 255)
    large = pictures(2, (64, 96, 3))
    shrunk = modality.fit_raw(iter(large))(large)
    assert shrunk.shape == (2, 32 * 32 * 3)
    by_hand = (large[0].reshape(32, 2, 32, 3, 3).mean((1, 3)) / 255).reshape(-1)
    assert np.abs(shrunk[0] - by_hand).max() < 1e-5
    mixed = modality.fit_raw(values)([values[0], large[0]])
    assert mixed.shape == (2, 8 * 6 * 3)
    assert ImageModality(channels=1).fit_raw(values)(values).shape == (3, 48)
    with pytest.raises(coview.CoviewError, match="no picture"):
        modality.fit_raw([])


def test_preview_is_a_grid_in_a_real_event_file(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    rows = [[np.full((8, 8, 3), 10 * (2 * i + j), np.uint8) for j in range(2)] for i in range(3)]
    rows[0][1] = np.full((4, 8), 0.5, np.float32)
    writer = SummaryWriter(str(tmp_path))
    ImageModality().preview(writer, "views", rows, 7)
    writer.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Images("views")
    assert event.step == 7
    grid = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    cell = 96 + 2
    assert grid.shape == (3 * cell + 2, 2 * cell + 2, 3)
    assert grid[2 * cell + 50, 50].tolist() == [40, 40, 40]
    assert grid[cell + 50, cell + 50].tolist() == [30, 30, 30]
    assert grid[40, cell + 50].tolist() == [128, 128, 128]
    assert grid[0, 0].tolist() == [255, 255, 255]


def test_html_carries_the_picture():
    value = pictures(1, (8, 8, 3))[0]
    markup = ImageModality().to_html(value)
    data = re.search(r'base64,([^"]+)"', markup).group(1)
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert np.array_equal(decoded, value)
    assert 'width="96" height="96"' in markup
    assert "pixelated" in markup
    assert ImageModality().to_html(value[..., 0]).startswith("<img")


@pytest.mark.parametrize("size", [None, 16])
def test_exported_preprocessing_does_the_same(tmp_path, size):
    from transformers import AutoImageProcessor

    modality = ImageModality(size=size, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    lines = modality.export_hf(tmp_path)
    assert str(tmp_path) in lines
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    value = pictures(1, (16, 16, 3))[0]
    theirs = processor(Image.fromarray(value), return_tensors="pt").pixel_values
    assert torch.allclose(theirs, modality.collate([value]), atol=1e-5)
    if size is not None:
        assert processor(Image.new("RGB", (40, 30)), return_tensors="pt").pixel_values.shape == (1, 3, 16, 16)


@pytest.mark.parametrize("shape", [(2, 40_000), (40_000, 2)])
def test_a_strip_is_not_enlarged_as_a_whole(shape):
    """That would be 2.2 thousand million pixels; of which the middle alone is kept."""
    strip = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    batch = ImageModality(size=224).collate([strip])
    short = strip[:, 19_900:20_100] if shape[0] == 2 else strip[19_900:20_100]
    assert torch.allclose(batch, ImageModality(size=224).collate([short]))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_becomes_its_pictures_again(channels):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (6, 5, channels), dtype=np.uint8) for _ in range(3)]
    modality = ImageModality(channels=channels)
    batch = modality.collate(pictures)
    for picture, again in zip(pictures, modality.uncollate(batch), strict=True):
        assert again.dtype == np.uint8
        assert np.array_equal(picture, again)
    beyond = modality.uncollate(torch.stack([torch.full_like(batch[0], 9.0), torch.full_like(batch[0], -9.0)]))
    assert [(one.min(), one.max()) for one in beyond] == [(255, 255), (0, 0)]
