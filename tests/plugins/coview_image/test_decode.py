"""Real files of every colour mode, orientation and kind of damage."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
import pytest
from PIL import Image

import coview
from coview_image.datasets.image_folder import ImageFolder
from coview_image.decode import decode

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(path, picture: Image.Image, **options):
    picture.save(path, **options)
    return path


def test_lossless_files_come_back_as_they_were(tmp_path):
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True})):
        out = decode(saved(tmp_path / name, Image.fromarray(RGB), **options))
        assert np.array_equal(out, RGB)
        assert out.dtype == np.uint8
        assert out.flags.writeable
        assert out.flags.c_contiguous


def test_jpeg_comes_back_close(tmp_path):
    smooth = np.tile(np.linspace(0, 255, 30).astype(np.uint8)[None, :, None], (20, 1, 3))
    out = decode(saved(tmp_path / "a.jpg", Image.fromarray(smooth), quality=95))
    assert np.abs(out.astype(int) - smooth).mean() < 3


def test_grey_palette_and_bilevel(tmp_path):
    grey = RGB[..., 0]
    assert np.array_equal(decode(saved(tmp_path / "l.png", Image.fromarray(grey))), np.dstack([grey] * 3))
    palette = Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    assert np.array_equal(decode(saved(tmp_path / "p.png", palette)), np.asarray(palette.convert("RGB")))
    bilevel = Image.fromarray(grey).convert("1")
    out = decode(saved(tmp_path / "1.png", bilevel))
    assert np.array_equal(out[..., 0], np.asarray(bilevel).astype(np.uint8) * 255)


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.dstack([np.zeros((4, 4, 3), np.uint8), np.array([[0, 85, 170, 255]] * 4, np.uint8)])
    out = decode(saved(tmp_path / "a.png", Image.fromarray(rgba)))
    assert np.abs(out[0, :, 0].astype(int) - [255, 170, 85, 0]).max() <= 1
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert np.abs(decode(saved(tmp_path / "la.png", grey_alpha))[0, :, 1].astype(int) - [255, 170, 85, 0]).max() <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.putdata([0, 1])
    out = decode(saved(tmp_path / "p.png", palette, transparency=0))
    assert out[0].tolist() == [[255, 255, 255], [200, 0, 0]]


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    wide = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    out = decode(saved(tmp_path / "a.png", Image.fromarray(wide)))
    assert out[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_cmyk(tmp_path):
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = decode(saved(tmp_path / "a.jpg", cmyk, quality=95))[4, 4].astype(int)
    assert red[0] > 230
    assert red[1:].max() < 30


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, lambda x: x), (3, lambda x: x[::-1, ::-1]), (6, lambda x: np.rot90(x, -1)), (8, lambda x: np.rot90(x)),
     (2, lambda x: x[:, ::-1]), (5, lambda x: x.transpose(1, 0, 2))],
)  # fmt: skip
def test_exif_orientation(tmp_path, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = decode(saved(tmp_path / "a.png", Image.fromarray(RGB), exif=exif))
    assert np.array_equal(out, upright(RGB))


def test_reduced_size_decodes_at_a_smaller_scale(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.new("RGB", (640, 480), (200, 30, 40)), quality=95)
    assert decode(path).shape == (480, 640, 3)
    assert decode(path, 100).shape == (120, 160, 3)
    assert decode(path, 121).shape == (240, 320, 3)
    assert decode(path, 2000).shape == (480, 640, 3)
    assert np.abs(decode(path, 100)[50, 50].astype(int) - [200, 30, 40]).max() < 6


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damage_is_a_sample_error_that_names_the_file(tmp_path, suffix):
    whole = saved(tmp_path / f"whole.{suffix}", Image.fromarray(np.tile(RGB, (5, 5, 1))))
    content = whole.read_bytes()
    for name, damaged in (
        ("half", content[: len(content) // 2]),
        ("stub", content[:10]),
        ("empty", b""),
        ("text", b"this is no picture"),
        ("html", b"<html>404</html>" * 50),
    ):
        path = tmp_path / f"{name}.{suffix}"
        path.write_bytes(damaged)
        with pytest.raises(coview.SampleError) as caught:
            decode(path)
        assert caught.value.what == str(path)
        assert caught.value.reason


def test_bytes_flipped_anywhere_never_give_another_error(tmp_path):
    content = bytearray(saved(tmp_path / "whole.png", Image.fromarray(RGB)).read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "a.png"
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with contextlib.suppress(coview.SampleError):
            assert decode(path).shape[2] == 3


def test_missing_file(tmp_path):
    with pytest.raises(coview.SampleError, match="no such file"):
        decode(tmp_path / "gone.png")


def test_the_format_is_one_of_pictures_whatever_the_name_says(tmp_path):
    """EPS is a program, which Pillow would have Ghostscript run."""
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with pytest.raises(coview.SampleError, match="cannot be read as a picture"):
        decode(path)
    Image.new("RGB", (8, 8), "red").save(path, "TIFF")
    assert decode(path).shape == (8, 8, 3)


@pytest.mark.parametrize("pixels", [64, 40])
def test_a_picture_of_too_many_pixels_is_skipped(tmp_path, monkeypatch, pixels):
    """Between Pillow's limit and twice that it only warns."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels - 10)
    Image.new("RGB", (pixels // 8, 8)).save(tmp_path / "a.png")
    with pytest.raises(coview.SampleError, match=rf"a\.png: has more than {pixels - 10} pixels"):
        decode(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)
    assert decode(tmp_path / "a.png").shape == (8, pixels // 8, 3)


@pytest.mark.parametrize(("high", "scale"), [(1.0, 255), (200.0, 1)])
def test_floats_are_read_on_the_scale_that_they_have(tmp_path, high, scale):
    values = np.linspace(0, high, 600, dtype=np.float32).reshape(20, 30)
    out = decode(saved(tmp_path / "a.tif", Image.fromarray(values)))
    assert np.array_equal(out[..., 1], np.rint(values * scale).astype(np.uint8))


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 4000), (0, np.nan)])
def test_floats_on_no_known_scale_are_refused(tmp_path, low, high):
    values = np.array([[low, high]], dtype=np.float32)
    with pytest.raises(coview.SampleError, match=r"its values are floats from .* have to be in 0 to 1 or 0 to 255"):
        decode(saved(tmp_path / "a.tif", Image.fromarray(values)))


def test_bits_are_what_of_sixteen_the_values_have(tmp_path):
    wide = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    path = saved(tmp_path / "a.png", Image.fromarray(wide))
    assert np.array_equal(decode(path, bits=12)[..., 0], wide // 16)
    assert np.array_equal(decode(path)[..., 0], wide // 256)


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".tif", ".TIFF", ".ppm", ".jfif"])
def test_folders_have_pictures_of_all_kinds_that_are_read(tmp_path, suffix):
    for name in "ab":
        for i in range(5):
            (tmp_path / name).mkdir(exist_ok=True)
            kind = {".jfif": "JPEG", ".ppm": "PPM"}.get(suffix)
            Image.fromarray(RGB).convert("L").save(tmp_path / name / f"{i}{suffix}", format=kind)
    train, test = (ImageFolder(root=tmp_path, split=split) for split in ("train", "test"))
    assert len(train) + len(test) == 10
    grey = np.asarray(Image.fromarray(RGB).convert("L"))
    assert np.abs(train[0]["image"][..., 0].astype(int) - grey).mean() < 8


def test_twelve_bits_in_sixteen_are_asked_about_before_anything_is_trained(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        for i in range(5):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 4096, (8, 8)).astype(np.uint16)).save(tmp_path / name / f"{i}.png")
    with pytest.raises(
        coview.CoviewError, match=r"grey pictures of 16 bits, and no value is greater than 40\d\d|4,0"
    ) as caught:
        ImageFolder(root=tmp_path)
    assert "bits = 12" in caught.value.hint
    data = ImageFolder(root=tmp_path, bits=12)
    raw = np.asarray(Image.open(tmp_path / data[0].id))
    assert np.array_equal(data[0]["image"][..., 0], raw // 16)
    assert ImageFolder(root=tmp_path, bits=16)[0]["image"].max() < 16


@pytest.mark.parametrize(("highest", "refused"), [(4096, True), (65536, False)])
def test_colours_of_twelve_bits_in_sixteen_are_refused(tmp_path, highest, refused):
    rng = np.random.default_rng(0)
    for name in "ab":
        for i in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name / f"{i}.png"), rng.integers(0, highest, (8, 8, 3)).astype(np.uint16))
    if not refused:
        assert ImageFolder(root=tmp_path)[0]["image"].max() > 200
        return
    with pytest.raises(coview.CoviewError, match="colour pictures of 16 bits") as caught:
        ImageFolder(root=tmp_path)
    assert "convert them to 8 bits" in caught.value.hint
