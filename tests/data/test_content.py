"""Equal values have one hash, others another."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coview.data.content import content_hash
from coview.data.same import same
from coview.testing.other_interpreter import call_elsewhere

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | arrays.arrays(np.uint8, arrays.array_shapes(max_dims=2, max_side=2), elements=st.integers(0, 1))
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner))


@dataclass(frozen=True)
class Sound:
    wave: np.ndarray
    rate: int


@given(values, values)
def test_hashes_are_equal_where_values_are(one, other):
    alike = content_hash(one) == content_hash(other)
    assert alike == same(one, other)
    assert 0 <= content_hash(one) < 2**63


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ab", b"ab"),
        (["ab", "c"], ["a", "bc"]),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2, np.float32), np.zeros(1, np.float64)),
        (Sound(np.zeros(3), 8000), Sound(np.zeros(3), 16000)),
        ({"a": 1}, {"b": 1}),
        ("é", "e\u0301"),
    ],
)
def test_what_differs_is_told_apart(one, other):
    assert content_hash(one) != content_hash(other)


def test_what_is_alike_is_alike():
    assert content_hash(torch.arange(3)) == content_hash(np.arange(3))
    assert content_hash(np.asfortranarray(np.eye(3))) == content_hash(np.eye(3))
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    assert content_hash(Sound(np.ones(3), 8000)) == content_hash(Sound(np.ones(3), 8000))


def test_other_processes_find_the_same():
    """Processes in which Python hashes texts otherwise."""
    value = {"text": "ab", "n": 1.5}
    assert set(call_elsewhere(content_hash, value)) == {content_hash(value)}


def test_an_unknown_kind_has_none():
    assert content_hash(object()) is None
    assert content_hash([1, object()]) is None
