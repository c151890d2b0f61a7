from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

import coview
from coview_image.datasets.digits import Digits


def test_both_splits_are_scikit_learns_digits():
    data = load_digits()
    seen = {}
    for split in Digits.splits:
        digits = Digits(split=split)
        assert isinstance(digits, coview.Dataset)
        for i in range(len(digits)):
            sample = digits[i]
            assert sample.id not in seen
            seen[sample.id] = sample
    assert sorted(seen) == list(range(1797))
    for i in (0, 17, 1796):
        picture = seen[i]["image"]
        assert picture.shape == (8, 8, 3)
        assert picture.dtype == np.uint8
        assert np.array_equal(np.round(picture[..., 1] / 255 * 16), data.images[i])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        assert seen[i].label == data.target[i]
        assert Digits.classes[seen[i].label] == str(data.target[i])


def test_the_split_is_stratified_and_its_own_seeds():
    train, test = Digits(split="train"), Digits(split="test")
    assert len(test) == 360
    counts = [np.bincount([d[i].label for i in range(len(d))], minlength=10) / len(d) for d in (train, test)]
    assert np.abs(counts[0] - counts[1]).max() < 0.01

    def ids(**options):
        digits = Digits(split="test", **options)
        return [digits[i].id for i in range(len(digits))]

    assert ids() == ids()
    assert ids(split_seed=1) != ids()
    assert len(ids(test_fraction=0.5)) in (898, 899)


def test_an_unknown_split():
    with pytest.raises(ValueError, match="train, test"):
        Digits(split="validation")
