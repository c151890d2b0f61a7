"""Tux Paint's things with picture, name and voice, from a folder laid out as the package lays it out."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from PIL import Image

import coview
from coview.testing import check_dataset
from coview_audio.datasets.tuxpaint_triples import TuxpaintTriples

RATE = 8000


@pytest.fixture
def stamps(tmp_path):
    """Twelve animals and twelve of food: some lack a picture, some a voice, some a Spanish name; two share a name, two
    a picture, two a recording."""
    rng = np.random.default_rng(0)
    for category in ("animals", "food"):
        (tmp_path / category).mkdir()
        for index in range(12):
            at = tmp_path / category / f"{index}"
            picture = np.zeros((6, 8, 4), dtype=np.uint8)  # transparent but for a spot
            picture[2:4, 3, :] = [index, 100, 200, 255]
            if index != 3:
                Image.fromarray(picture if index != 5 else picture * 0).save(f"{at}.png")
            if category == "food" and index == 6:
                Image.fromarray(picture * 0).save(f"{at}.png")  # as animals/5 and food/5
            name = "La misma." if index in (1, 2) and category == "animals" else f"{category} {index}."
            lines = [f"English {category} {index}.", f"es.utf8={name}"]
            at.with_suffix(".txt").write_text("\n".join(lines[: 1 if index == 4 else 2]), encoding="utf-8")
            sound = rng.normal(size=RATE // 4).astype(np.float32) / 8
            if index != 7:
                soundfile.write(f"{at}_desc_es.ogg", sound, RATE)
    (tmp_path / "food" / "9_desc_es.ogg").write_bytes((tmp_path / "food" / "8_desc_es.ogg").read_bytes())
    (tmp_path / "animals" / "lonely.png").write_bytes((tmp_path / "animals" / "0.png").read_bytes())
    return tmp_path


def both(stamps, **more):
    return {split: TuxpaintTriples(split=split, root=stamps, sample_rate=RATE, **more) for split in ("train", "test")}


def test_each_thing_has_what_there_is_of_it(stamps):
    data = both(stamps)
    found = {sample.id: sample for one in data.values() for sample in map(one.__getitem__, range(len(one)))}
    assert len(found) == 24
    for name, sample in found.items():
        category, index = name.split("/")
        assert ("image" in sample.values) is (index != "3")
        assert ("text" in sample.values) is (index != "4")
        assert ("audio" in sample.values) is (index != "7")
        assert sample.label == ("animals", "food").index(category)
        if "text" in sample.values and name not in ("animals/1", "animals/2"):
            assert sample["text"] == f"{category} {index}."
    picture = found["food/2"]["image"]
    assert picture.shape == (6, 8, 3)
    assert (picture[0] == 255).all()  # what is transparent is laid on white
    assert picture[2, 3].tolist() == [2, 100, 200]
    assert found["food/2"]["audio"].rate == RATE
    for one in data.values():
        assert isinstance(one, coview.KnowsPresent)
        for row in range(len(one)):
            assert {name for name in one.modalities if one.present[name][row]} == set(one[row].values)


@pytest.mark.parametrize("seed", range(6))
def test_no_name_picture_or_recording_is_on_both_sides(stamps, seed):
    data = both(stamps, split_seed=seed, test_fraction=0.4)
    side = {name: split for split, one in data.items() for name in one.ids}
    for one, other in (("animals/1", "animals/2"), ("animals/5", "food/5"), ("food/5", "food/6"), ("food/8", "food/9")):
        assert side[one] == side[other]
    assert set(side.values()) == {"train", "test"}
    assert not set(data["train"].groups) & set(data["test"].groups)


def test_it_keeps_what_data_sets_promise(stamps):
    check_dataset(TuxpaintTriples, parameters={"root": stamps, "sample_rate": RATE})


def test_a_language_that_nobody_speaks_is_a_message(stamps):
    with pytest.raises(
        coview.CoviewError, match="no category of 10 things with two of picture, name and voice in 'xx'"
    ):
        TuxpaintTriples(root=stamps, language="xx")


def test_a_picture_that_is_none_is_skipped_by_name(stamps):
    data = TuxpaintTriples(root=stamps, sample_rate=RATE)
    row = next(row for row in range(len(data)) if data.present["image"][row])
    (stamps / f"{data.ids[row]}.png").write_bytes(b"nothing")
    with pytest.raises(coview.SampleError, match=r"\.png"):
        data[row]
