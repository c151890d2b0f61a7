import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview import CoviewError, check_split, seeded_split, split_notes


@given(st.integers(6, 300), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 2**40), st.booleans())
def test_two_parts_of_the_whole_the_same_for_the_same_seed(n, fraction, seed, labelled):
    labels = np.arange(n) % 3 if labelled else None
    rest, held = seeded_split(n, fraction=fraction, seed=seed, labels=labels)
    assert sorted([*rest, *held]) == list(range(n))
    assert len(rest) > 0 < len(held)
    again = seeded_split(n, fraction=fraction, seed=seed, labels=labels)
    assert np.array_equal(held, again[1])


@given(st.integers(4, 30), st.integers(1, 8), st.integers(0, 99), st.booleans())
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


def test_a_class_of_one_sample_does_not_unstratify_the_others():
    labels = np.array([*np.repeat([0, 1, 2], [50, 30, 20]), 3])
    for seed in range(5):
        rest, held = seeded_split(len(labels), fraction=0.2, seed=seed, labels=labels)
        assert np.bincount(labels[held], minlength=4).tolist() == [10, 6, 4, 0]
        notes = split_notes(rest, held, fraction=0.2, labels=labels, classes=["a", "b", "c", "d"])
        assert notes == ("the class d cannot be tested: its samples are all in the train split",)


def test_classes_of_one_sample_each_cannot_be_tested():
    with pytest.raises(CoviewError, match="each of the 30 classes has one sample"):
        seeded_split(30, fraction=0.2, seed=0, labels=np.arange(30))


@given(st.lists(st.integers(1, 4), min_size=20, max_size=60).filter(lambda sizes: max(sizes) > 1), st.integers(0, 9))
def test_of_many_small_classes_no_one_is_tested_that_is_not_learned(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rest, held = seeded_split(len(labels), fraction=0.2, seed=seed, labels=labels)
    assert set(labels[held]) <= set(labels[rest])
    assert 0 < len(held) <= max(1, round(0.2 * len(labels)))


def test_groups_are_stratified_though_a_class_is_small():
    groups = np.repeat(np.arange(50), 4)
    labels = groups % 2
    labels[0] = 2
    _, held = seeded_split(len(groups), fraction=0.2, seed=0, labels=labels, groups=groups)
    assert abs(np.mean(labels[held] == 1) - 0.5) <= 0.05
    assert abs(len(held) / len(groups) - 0.2) <= 0.02


def test_a_share_that_whole_groups_cannot_meet_is_said_with_the_numbers():
    speakers, digits = np.repeat(np.arange(6), 500), np.arange(3000) % 10

    def notes(fraction, groups):
        rest, held = seeded_split(3000, fraction=fraction, seed=0, labels=digits, groups=groups)
        return split_notes(rest, held, fraction=fraction, labels=digits, groups=groups)

    assert notes(0.2, speakers) == (
        "a fraction of 0.2 should be held out, but with whole groups it is 0.33: 1,000 of 3,000 samples, 2 of 6 groups",
    )
    assert notes(1 / 3, speakers) == ()
    assert notes(0.2, np.arange(3000) // 2) == ()
