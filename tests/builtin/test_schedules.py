"""Each schedule gives the learning rates of a library's scheduler of the same name."""

import pytest
import torch
from torch import nn

import coview
from coview.builtin.schedules import Constant, Cosine, Linear, Step, WarmupStableDecay
from coview.train.length import Length
from coview.train.schedule import WarmedUp

TOTAL, WARMUP = 100, 10


def rates(schedule, warmup=WARMUP, total=TOTAL, per_epoch=1, start=0.0):
    warmed = WarmedUp(schedule, warmup, Length(total, per_epoch, per_epoch), start)
    return [warmed(step) for step in range(total)]


def peers(make, steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    peer = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        peer.step()
    return found


@pytest.mark.parametrize("schedule", [Cosine(), Linear(), Constant(), WarmupStableDecay()])
def test_warm_up_is_linear_and_its_first_step_learns(schedule):
    assert rates(schedule, warmup=4)[:4] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("start", [0.0, 0.2, 1.0])
def test_warm_up_from_a_share_of_the_peak_is_pytorchs(start):
    """From its second step on: PyTorch's first is at the start, ours has risen by one already."""
    peer = peers(lambda o: torch.optim.lr_scheduler.LinearLR(o, start or 1e-12, 1.0, total_iters=WARMUP), WARMUP + 1)
    assert rates(Constant(), start=start)[:WARMUP] == pytest.approx(peer[1:], abs=1e-9)


def test_warm_up_of_i_jepa():
    """Of 2e-4 to 1e-3 in 40 steps, then to 1e-6: what its scheduler gives of 300, counted from 1."""
    ours = [1e-3 * share for share in rates(Cosine(end=1e-3), warmup=40, total=300, start=0.2)]
    assert [ours[0], ours[19], ours[38], ours[39]] == pytest.approx([2.2e-4, 6e-4, 9.8e-4, 1e-3], rel=1e-12)
    assert ours[170] == pytest.approx((1e-3 + 1e-6) / 2, rel=1e-12)


@pytest.mark.parametrize("end", [0.0, 0.1])
def test_cosine_is_pytorchs_after_the_warm_up(end):
    peer = peers(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=90, eta_min=end), 90)
    assert rates(Cosine(end=end))[WARMUP:] == pytest.approx(peer, abs=1e-12)


@pytest.mark.parametrize("end", [0.0, 0.25])
def test_linear_is_pytorchs(end):
    peer = peers(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, end, total_iters=90), 90)
    assert rates(Linear(end=end))[WARMUP:] == pytest.approx(peer, abs=1e-12)


def test_step_is_pytorchs():
    peer = peers(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [30, 80], gamma=0.2), 100)
    assert rates(Step(at=("3 epochs", 80), factor=0.2), warmup=0, per_epoch=10) == pytest.approx(peer, abs=1e-12)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_wsd_is_that_of_transformers(shape):
    from transformers import get_wsd_schedule

    def make(optimizer):
        return get_wsd_schedule(
            optimizer,
            num_warmup_steps=0,
            num_decay_steps=20,
            num_training_steps=100,
            min_lr_ratio=0.1,
            decay_type=shape,
        )

    ours = rates(WarmupStableDecay(decay=0.2, shape=shape, end=0.1), warmup=0)
    assert ours == pytest.approx(peers(make, 100), abs=1e-12)


def test_wsd_by_square_root():
    ours = rates(WarmupStableDecay(decay=0.2, shape="sqrt"), warmup=0)
    assert ours[:81] == [1.0] * 81
    assert ours[85] == pytest.approx(1 - (5 / 20) ** 0.5)


def test_constant_stays_at_the_peak():
    assert set(rates(Constant())[WARMUP - 1 :]) == {1.0}


def test_a_moment_knows_what_is_behind():
    moment = coview.Moment(step=30, total_steps=100, steps_per_epoch=10, warmup=20)
    assert moment.done == 0.125
    assert moment.reached("3 epochs")
    assert not moment.reached(31)
