"""Tux Paint's pictures and names, from folders laid out as the package lays them out, and from the package's own."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import coview
from coview_image.datasets.tuxpaint_stamps import TuxpaintStamps


@pytest.fixture
def stamps(tmp_path):
    """Twelve animals, of which two share a name; twelve kinds of food; two people, too few; and what is no stamp."""
    for category, count in (("animals", 12), ("food", 12), ("people", 2)):
        for index in range(count):
            folder = tmp_path / category / ("wild" if index % 2 else "")
            folder.mkdir(parents=True, exist_ok=True)
            picture = np.zeros((20, 30, 4), dtype=np.uint8)  # transparent
            picture[5:15, :, index % 3] = picture[5:15, :, 3] = 255
            Image.fromarray(picture).save(folder / f"{index}.png")
            name = "A cat." if category == "animals" and index < 2 else f"{category} {index}."
            lines = [f"{name} ", f"fr.utf8=Numéro {index} de {category}.", "xx=no caption"]
            (folder / f"{index}.txt").write_text("\n".join(lines if index != 5 else lines[:1]), encoding="utf-8")
    Image.new("RGB", (4, 4)).save(tmp_path / "animals" / "without.png")
    (tmp_path / "animals" / "0_desc.ogg").write_bytes(b"")
    return tmp_path


def all_of(**parameters):
    return {
        split: list(
            map(
                TuxpaintStamps(split=split, **parameters).__getitem__,
                range(len(TuxpaintStamps(split=split, **parameters))),
            )
        )
        for split in ("train", "test")
    }


def test_pictures_stand_with_their_names(stamps):
    data = TuxpaintStamps(root=stamps)
    assert isinstance(data, coview.Dataset)
    assert data.classes == ("animals", "food")
    found = all_of(root=stamps)
    everything = found["train"] + found["test"]
    assert len({sample.id for sample in everything}) == len(everything) == 24
    for sample in everything:
        path = sample.id.partition("#")[0]
        category, index = path.split("/")[0], int(path.split("/")[-1].removesuffix(".png"))
        assert sample["text"] == ("A cat." if category == "animals" and index < 2 else f"{category} {index}.")
        assert data.classes[sample.label] == category
        assert sample["image"].shape == (20, 30, 3)
        assert (sample["image"][0] == 255).all()  # what is transparent is laid on white


def test_no_name_is_on_both_sides(stamps):
    for seed in range(8):
        found = all_of(root=stamps, split_seed=seed)
        names = {split: {sample["text"] for sample in samples} for split, samples in found.items()}
        assert not names["train"] & names["test"]
        assert 3 <= len(found["test"]) <= 7


def test_captions_come_in_other_languages(stamps):
    found = all_of(root=stamps, language="fr", smallest_class=11)
    assert len(found["train"]) + len(found["test"]) == 22  # two have none
    assert {sample["text"] for samples in found.values() for sample in samples} == {
        f"Numéro {index} de {category}." for category in ("animals", "food") for index in range(12) if index != 5
    }


def test_languages_that_are_not_there_are_refused_with_those_that_are(stamps):
    with pytest.raises(coview.CoviewError, match="caption in 'tlh'") as caught:
        TuxpaintStamps(root=stamps, language="tlh")
    assert caught.value.hint == "languages there: en, fr"


def test_the_package_has_what_is_said_of_it():
    try:
        data = [TuxpaintStamps(split=split) for split in ("train", "test")]
    except coview.CoviewError as error:
        pytest.skip(error.hint)
    assert 740 < sum(map(len, data)) < 785
    assert data[0].classes == data[1].classes
    assert {"animals", "food", "symbols", "vehicles"} <= set(data[0].classes)
    assert data[0][0]["text"]
    assert data[0][0]["image"].ndim == 3
