"""Whether a model is only looked at."""

import numpy as np
import pytest
import torch

import coview
from coview.model.meta_device import tried_out


def test_it_is_said_within_the_device_alone():
    assert not coview.on_meta_device()
    with torch.device("meta"):
        assert coview.on_meta_device()
        with torch.device("cpu"):
            assert not coview.on_meta_device()
    assert not coview.on_meta_device()


def _norm(device):
    with device:
        return torch.ones(3).norm().shape


def _some(device):
    with device:
        return len(torch.ones(3).nonzero())


def _brought(device):
    with device:
        return float((torch.ones(3) + torch.from_numpy(np.ones(3, np.float32))).sum())


def _read(device):
    with device:
        return [row for row in range(3) if torch.ones(3)[row] > 0]


def _indexed(device):
    with device:
        return np.arange(3)[torch.ones(3).long().numpy()].tolist()


def test_what_needs_no_numbers_is_tried_without_any():
    assert tried_out(_norm) == ((), "")


@pytest.mark.parametrize(("trial", "makes"), [(_some, 3), (_brought, 6.0), (_read, [0, 1, 2]), (_indexed, [1, 1, 1])])
def test_what_needs_numbers_is_tried_on_the_cpu_and_the_reason_is_one_line(trial, makes):
    made, why = tried_out(trial)
    assert made == makes
    assert "meta" in why.lower()
    assert "\n" not in why


@pytest.mark.parametrize(
    ("error", "devices"), [(RuntimeError("unsupported"), ["meta", "cpu"]), (coview.CoviewError("refused"), ["meta"])]
)
def test_what_fails_on_both_raises_and_what_coview_refuses_is_not_tried_again(error, devices):
    tried = []

    def trial(device):
        tried.append(device.type)
        raise error

    with pytest.raises(type(error), match=str(error)):
        tried_out(trial)
    assert tried == devices
