"""Whether a model is only looked at."""

import torch

import coview


def test_it_is_said_within_the_device_alone():
    assert not coview.on_meta_device()
    with torch.device("meta"):
        assert coview.on_meta_device()
        with torch.device("cpu"):
            assert not coview.on_meta_device()
    assert not coview.on_meta_device()
