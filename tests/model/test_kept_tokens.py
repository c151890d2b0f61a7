import pytest
import torch

from coview.model.kept_tokens import KeptTokens

X = torch.arange(3 * 4 * 2, dtype=torch.float64).reshape(3, 4, 2) + 1


@pytest.mark.parametrize(
    "keep",
    [
        [[1, 1, 1, 1]] * 3,
        [[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]],
        [[0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]],
    ],
)
def test_what_is_kept_comes_back_to_its_place_and_the_rest_is_zero(keep):
    keep = torch.tensor(keep, dtype=torch.bool)
    kept = KeptTokens.of(keep)
    taken = kept.take(X)
    assert taken.shape[1] == int(keep.sum(1).max())
    for row, line in enumerate(keep):
        assert torch.equal(taken[row, : int(line.sum())], X[row, line])
    assert torch.equal(kept.put_back(taken), X * keep[..., None])
    assert kept.are_all == bool(keep.all())


def test_attention_gives_nothing_to_what_is_none():
    kept = KeptTokens.of(torch.tensor([[True, True, False], [False, True, False]]))
    assert kept.bias(torch.float32).tolist() == [[[[0.0, 0.0]]], [[[0.0, -torch.inf]]]]
    assert KeptTokens.of(torch.ones(2, 3, dtype=torch.bool)).bias(torch.float32) is None


def test_on_the_meta_device_all_are_kept():
    kept = KeptTokens.of(torch.ones(2, 3, dtype=torch.bool, device="meta"))
    assert kept.are_all
    assert kept.put_back(kept.take(torch.ones(2, 3, 4, device="meta"))).shape == (2, 3, 4)
