import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview import CoviewError, check_split, seeded_split


@given(st.integers(2, 300), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 2**40), st.booleans())
def test_two_parts_of_the_whole_the_same_for_the_same_seed(n, fraction, seed, labelled):
    labels = np.arange(n) % 3 if labelled else None
    rest, held = seeded_split(n, fraction=fraction, seed=seed, labels=labels)
    assert sorted([*rest, *held]) == list(range(n))
    assert len(rest) > 0 < len(held)
    again = seeded_split(n, fraction=fraction, seed=seed, labels=labels)
    assert np.array_equal(held, again[1])


@pytest.mark.filterwarnings("ignore:a fraction of:UserWarning")
@given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 99), st.booleans())
def test_no_group_is_on_both_sides(groups, size, seed, labelled):
    of = np.repeat(np.arange(groups), size)
    labels = of % 2 if labelled else None
    rest, held = seeded_split(len(of), fraction=0.2, seed=seed, groups=of, labels=labels)
    assert not set(of[rest]) & set(of[held])
    assert len(rest) > 0 < len(held)


def test_classes_keep_their_shares():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    _, held = seeded_split(1000, fraction=0.2, seed=0, labels=labels)
    assert np.bincount(labels[held]).tolist() == [120, 60, 20]


def test_one_group_cannot_be_split():
    with pytest.raises(CoviewError, match="1 group"):
        seeded_split(10, fraction=0.2, seed=0, groups=["a"] * 10)


def test_a_split_that_the_data_do_not_have_is_refused():
    check_split("test", ("train", "test"))
    with pytest.raises(ValueError, match="split has to be one of train, test, got 'valid'"):
        check_split("valid", ("train", "test"))


def test_a_share_that_whole_groups_cannot_meet_is_said_with_the_numbers():
    speakers, digits = np.repeat(np.arange(6), 500), np.arange(3000) % 10
    with pytest.warns(
        UserWarning, match=r"a fraction of 0\.2 was asked .* make it 0\.33: 1,000 of 3,000 samples, 2 of 6"
    ):
        seeded_split(3000, fraction=0.2, seed=0, labels=digits, groups=speakers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seeded_split(3000, fraction=1 / 3, seed=0, labels=digits, groups=speakers)
        seeded_split(3000, fraction=0.2, seed=0, labels=digits, groups=np.arange(3000) // 2)
