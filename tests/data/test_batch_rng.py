"""Draws for a batch: Philox by its published vectors, each row a function of its own key, the distributions claimed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import coview
from coview.data import batch_rng
from coview.data.batch_rng import BatchRng
from coview.data.draws_ahead import BatchKey, DrawsAhead, DrawsOfBatch
from coview.data.philox import philox


def key_of(epoch, ids, number=0):
    return BatchKey(7, epoch, torch.tensor([number]), ids)


def words(text):
    return [torch.tensor([int(word, 16)]) for word in text.split()]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # Random123's kat_vectors, philox4x32 of 10 rounds
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_numbers(counter, key, expected):
    found = philox(tuple(words(counter)), tuple(words(key)))
    assert found.tolist() == [[int(word) for word in words(expected)]]


def by_python(counter, key):
    """Philox4x32-10 in Python's integers."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        x, y = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (y >> 32) ^ b ^ k, y & 0xFFFFFFFF, (x >> 32) ^ d ^ m, x & 0xFFFFFFFF
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return a, b, c, d


def test_a_row_is_computed_by_the_formula():
    sample, seed, epoch, view, position = 2**62 + 12345, 7, 3, 1, 4
    found = BatchRng(seed, epoch, torch.tensor([9, sample]), (0, view), position).uniform(6)
    bits = np.random.Philox(
        key=np.array([seed, 2**64 - 2], np.uint64), counter=np.array([0, position, view, epoch], np.uint64)
    )
    key = int(bits.random_raw())
    blocks = [by_python((block, 0, sample % 2**32, sample >> 32), (key % 2**32, key >> 32)) for block in (0, 1)]
    expected = [(word >> 8) / 2**24 for block in blocks for word in block][:6]
    assert found[3].tolist() == expected  # the second sample of the second view


def test_rows_depend_neither_on_each_other_nor_on_their_order():
    ids = torch.arange(100, 120)
    whole = BatchRng(1, 2, ids, (0, 1, 2), 3)
    a, b = whole.uniform(5).view(3, 20, 5), whole.normal(3).view(3, 20, 3)
    order = torch.randperm(20)[:7]
    part = BatchRng(1, 2, ids[order], (2, 0), 3)
    assert part.uniform(5).view(2, 7, 5).equal(a[[2, 0]][:, order])
    assert part.normal(3).view(2, 7, 3).equal(b[[2, 0]][:, order])
    assert part.ids.tolist() == ids[order].tolist() * 2
    assert part.views.tolist() == [2] * 7 + [0] * 7


def test_each_part_of_the_key_matters():
    def draw(seed=1, epoch=1, sample=1, view=1, position=1):
        return float(BatchRng(seed, epoch, torch.tensor([sample]), (view,), position).uniform())

    draws = [
        draw(**{part: value}) for part in ("seed", "epoch", "sample", "view", "position") for value in range(2, 22)
    ]
    draws += [draw(sample=1 + 2**40), draw(seed=2**62), draw()]
    assert len(set(draws)) == len(draws)


def test_a_second_call_draws_other_numbers_and_the_same_calls_the_same():
    rng, again = (BatchRng(0, 0, torch.arange(50), (0,), 0) for _ in range(2))
    first, second = rng.uniform(3), rng.uniform(3)
    assert not set(first.flatten().tolist()) & set(second.flatten().tolist())
    assert again.uniform(3).equal(first)
    assert again.uniform(3).equal(second)


def test_the_distributions():
    rng = BatchRng(0, 0, torch.arange(20_000), (0,), 0)
    uniform, normal, chance = rng.uniform(3, -1.0, 3.0), rng.normal(3), rng.chance(0.3)
    for column in range(3):
        assert stats.kstest(uniform[:, column].numpy(), stats.uniform(-1, 4).cdf).pvalue > 1e-3
        assert stats.kstest(normal[:, column].numpy(), "norm").pvalue > 1e-3
    for draws in (uniform, normal):
        correlation = np.corrcoef(draws.T.numpy()) - np.eye(3)
        assert np.abs(correlation).max() < 5 / np.sqrt(20_000)
    assert uniform.dtype == normal.dtype == torch.float32
    assert float(uniform.min()) >= -1
    assert float(uniform.max()) < 3
    assert torch.isfinite(normal).all()
    assert abs(float(chance.float().mean()) - 0.3) < 5 * np.sqrt(0.21 / 20_000)


@settings(max_examples=40)
@given(
    batches=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.lists(
                st.tuples(
                    st.sampled_from([(0,), (0, 1), (2,)]),
                    st.integers(0, 2),
                    st.sampled_from([None, 0, 2]),
                    st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=3),
                ),
                unique_by=lambda step: step[:2],
                max_size=5,
            ),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_drawing_ahead_changes_no_number(batches):
    """Whatever the batch before has drawn: by other steps, for other views, more or fewer numbers."""
    ids = torch.arange(4) * 2**35
    draws = DrawsAhead()
    for number, (epoch, steps) in enumerate(batches):
        of_batch = draws.of_batch(key_of(epoch, ids, number))
        for views, position, drawn_as, counts in steps:
            together = of_batch.rng(views, position, drawn_as)
            own = views if drawn_as is None else (drawn_as,) * len(views)
            alone = BatchRng(7, epoch, ids, own, position, number=torch.tensor([number]))
            for k, once in counts:
                one, other = (together.of_view(), alone.of_view()) if once else (together, alone)
                assert one.uniform(k, -1.0, 2.0).equal(other.uniform(k, -1.0, 2.0))
        draws.note(of_batch)


def test_steps_that_draw_as_before_draw_together(monkeypatch):
    calls = []
    monkeypatch.setattr(batch_rng, "philox", lambda *words: calls.append(None) or philox(*words))
    draws = DrawsAhead()
    for _ in range(2):
        calls.clear()
        of_batch = draws.of_batch(key_of(0, torch.arange(5)))
        for position in range(4):
            rng = of_batch.rng((0, 1), position)
            rng.uniform(3)
            rng.normal(2)
        draws.note(of_batch)
    assert len(calls) == 1


def test_one_that_may_draw_no_more_says_so():
    draws = DrawsAhead()
    first = draws.of_batch(key_of(0, torch.arange(5)))
    first.rng((0,), 1).uniform(3)
    draws.note(first)
    ahead = draws.of_batch(key_of(0, torch.arange(5))).ahead
    rng = DrawsOfBatch(key_of(0, torch.arange(5)), ahead, no_more=True).rng((0,), 1)
    assert rng.uniform(3).equal(BatchRng(7, 0, torch.arange(5), (0,), 1).uniform(3))
    with pytest.raises(RuntimeError, match="replayable draws as much"):
        rng.uniform(1)


def test_what_is_drawn_once_for_a_view_is_computed_by_the_formula():
    number, seed, epoch, views, position = 2**33 + 5, 7, 3, (0, 2), 4
    rng = BatchRng(seed, epoch, torch.arange(9), views, position, number=torch.tensor([number]))
    found = rng.of_view().uniform(6)
    assert found.shape == (2, 6)
    for row, view in enumerate(views):
        bits = np.random.Philox(
            key=np.array([seed, 2**64 - 3], np.uint64), counter=np.array([0, position, view, epoch], np.uint64)
        )
        key = int(bits.random_raw())
        blocks = [by_python((block, 0, number % 2**32, number >> 32), (key % 2**32, key >> 32)) for block in (0, 1)]
        assert found[row].tolist() == [(word >> 8) / 2**24 for block in blocks for word in block][:6]
    assert rng.blocks == 0  # the rows' own draws do not notice


def test_what_is_drawn_once_for_a_view_depends_on_no_sample():
    def draw(ids, number=0, **of):
        given = {"seed": 1, "epoch": 2, "views": (0, 1), "position": 3, **of}
        return BatchRng(ids_N=torch.tensor(ids), number=torch.tensor([number]), **given).of_view().uniform(2)

    expected = draw([5, 6, 7])
    assert draw([9]).equal(expected)
    assert draw([9], views=(1, 0)).equal(expected.flip(0))
    others = [draw([5], number=1), draw([5], seed=2), draw([5], epoch=1), draw([5], position=2), expected]
    values = torch.cat(others).flatten().tolist()
    assert len(set(values)) == len(values)


def test_asking_again_for_what_is_drawn_once_goes_on():
    rng = BatchRng(0, 0, torch.arange(5), (0,), 0)
    once = rng.of_view()
    assert rng.of_view() is once
    assert once.of_view() is once
    assert not once.uniform(3).equal(rng.of_view().uniform(3))


def test_it_is_public():
    assert coview.BatchRng is BatchRng


@pytest.mark.gpu
def test_a_gpu_draws_the_same():
    ids = torch.arange(1000) * 2**40
    here, there = BatchRng(5, 6, ids, (0, 1), 2), BatchRng(5, 6, ids.cuda(), (0, 1), 2)
    assert here.uniform(9).equal(there.uniform(9).cpu())
    assert torch.allclose(here.normal(9), there.normal(9).cpu(), rtol=1e-4, atol=1e-5)
