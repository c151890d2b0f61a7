import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview import Rng

KEYS = st.tuples(
    st.integers(0, 2**63 - 1), st.integers(0, 2**31), st.integers(0, 2**63 - 1), st.integers(0, 64), st.integers(0, 64)
)


def draws(rng):
    return (
        rng.numpy.random(3).tolist(),
        rng.python.random(),
        rng.python.gauss(0, 1),
        rng.python.randint(0, 10**6),
        rng.python.sample(range(100), 5),
        rng.torch.initial_seed(),
        rng.numpy.normal(),
        rng.seed32(),
    )


@given(KEYS)
def test_a_stream_is_a_function_of_its_key(key):
    assert draws(Rng(*key)) == draws(Rng(*key))


@given(KEYS, KEYS)
def test_another_key_is_another_stream(one, other):
    if one != other:
        assert Rng(*one).numpy.random() != Rng(*other).numpy.random()


@given(KEYS, KEYS, st.integers(0, 20))
def test_seeking_is_the_same_as_making_anew_whatever_was_drawn_before(one, other, before):
    rng = Rng(*one)
    for _ in range(before):
        rng.numpy.integers(0, 7)  # 32-bit draws leave half a word in the generator's buffer
        _ = rng.torch
    assert draws(rng.seek(*other)) == draws(Rng(*other))


def test_it_is_numpys_philox_at_that_key_and_counter():
    reference = np.random.Generator(np.random.Philox(key=[7, 11], counter=[0, 2, 1, 5]))
    rng = Rng(seed=7, epoch=5, sample=11, view=1, position=2)
    assert rng.numpy.random(5).tolist() == reference.random(5).tolist()


def test_what_is_drawn_once_for_a_view_has_the_batch_in_place_of_the_sample():
    reference = np.random.Generator(np.random.Philox(key=np.array([7, 2**63 + 9], np.uint64), counter=[0, 2, 1, 5]))
    expected = reference.random(5).tolist()
    rng = Rng(seed=7, epoch=5, sample=11, view=1, position=2, batch=9)
    assert rng.of_view().numpy.random(5).tolist() == expected
    assert rng.numpy.random(5).tolist() == Rng(7, 5, 11, 1, 2).numpy.random(5).tolist()  # its own draws do not notice
    assert rng.seek(7, 5, 12, 1, 2, 9).of_view().numpy.random(5).tolist() == expected
    assert rng.seek(7, 5, 12, 1, 2, 8).of_view().numpy.random(5).tolist() != expected


def test_asking_again_for_what_is_drawn_once_goes_on_and_another_step_starts_anew():
    rng = Rng(1, 2, 3, 4)
    once = rng.of_view()
    first = once.numpy.random()
    assert rng.of_view() is once
    assert once.of_view() is once
    assert rng.of_view().numpy.random() != first
    assert rng.at(0).of_view().numpy.random() == first
    assert rng.at(1).of_view().numpy.random() != first


def test_python_draws_are_uniform():
    rng = Rng(3)
    values = np.array([rng.python.random() for _ in range(20_000)])
    assert 0 <= values.min() < values.max() < 1
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # the 99.9 % point of χ² with 19 degrees of freedom


@pytest.mark.parametrize("bits", [1, 7, 32, 53, 64, 65, 128, 1000])
def test_getrandbits_fills_all_bits_and_no_more(bits):
    rng = Rng(1)
    seen = 0
    for _ in range(200):
        value = rng.python.getrandbits(bits)
        assert 0 <= value < 2**bits
        seen |= value
    assert seen == 2**bits - 1


def test_global_generators_are_left_alone():
    random.seed(1)
    np.random.seed(1)
    state = random.getstate()
    draws(Rng(5))
    assert random.getstate() == state
    assert np.random.random() == np.random.RandomState(1).random_sample()


def test_an_augmentation_cannot_reseed_it():
    with pytest.raises(TypeError, match="must not reseed"):
        Rng(1).python.seed(2)
