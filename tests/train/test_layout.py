"""Which models are trained channels-last, and that those which are survive it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coview.train.device import trains_channels_last
from forked import Forked

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("convolution", "expected"),
    [
        (nn.Conv2d(4, 8, 1, stride=2), False),
        (nn.Conv2d(8, 16, 1, stride=2), True),
        (nn.Conv2d(16, 16, 1, stride=2, groups=4), False),
        (nn.Conv2d(4, 8, 1), True),
        (nn.Conv2d(4, 8, 3, stride=2, padding=1), True),
    ],
)
def test_narrow_strided_ones_are_kept_from_it_on_the_cpu(convolution, expected):
    model = nn.Sequential(nn.ReLU(), convolution)
    assert trains_channels_last(model, CPU, asked=True) is expected
    assert trains_channels_last(model, torch.device("cuda"), asked=True)
    assert not trains_channels_last(model, CPU, asked=False)


SURVIVES = """
import torch
channels, kernel, stride = {case}
layer = torch.nn.Conv2d(channels, 2 * channels, kernel, stride, padding=kernel // 2).to(memory_format=torch.channels_last)
for _ in range(20):
    x = torch.randn(64, channels, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    layer(x).square().sum().backward()
    rest = [torch.randn(7 * size + 1) for size in range(20)]
"""


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("case", [(8, 1, 2), (4, 1, 1), (4, 3, 2), (3, 3, 1)])
def test_the_others_leave_memory_whole(case, tmp_path):
    """In a process of its own: what it guards against is an abort."""
    status, _, err = Forked(["python", "-c", SURVIVES.format(case=case)], tmp_path).finish()
    assert status == 0, err
