"""The kit finds what is wrong with an encoder, and says it. Each here is right but for one mistake."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import coview
from coview.testing import ENCODER_CHECKS, ConformanceError, check_encoder

VALUES = [torch.arange(float(length))[:, None].repeat(1, 3) / length for length in (5, 2, 7)]


class Sequences:
    """Sequences of vectors of three numbers, padded with zeros."""

    def collate(self, values):
        lengths = torch.tensor([len(value) for value in values])
        return {"x_NTD": nn.utils.rnn.pad_sequence(values, batch_first=True), "lengths_N": lengths}


class Right(nn.Module):
    """The mean over a layer's outputs."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Linear(3, width)

    def mask(self, batch):
        return torch.arange(batch["x_NTD"].shape[1], device=batch["x_NTD"].device) < batch["lengths_N"][:, None]

    def forward(self, batch):
        tokens = self.layer(batch["x_NTD"]).tanh()
        mask = self.mask(batch)
        pooled = (tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return coview.Encoding(pooled, tokens, mask)


class SeesPadding(Right):
    def mask(self, batch):
        return torch.ones_like(super().mask(batch))


class DropsOutAlways(Right):
    def forward(self, batch):
        encoding = super().forward(batch)
        return coview.Encoding(nn.functional.dropout(encoding.pooled_ND, 0.5))


class CountsCalls(Right):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, batch):
        self.calls += 1
        return super().forward(batch)


class UnusedHead(Right):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)


class WrongWidth(Right):
    def __init__(self) -> None:
        super().__init__()
        self.width = 5


class BareTensor(Right):
    def forward(self, batch):
        return super().forward(batch).pooled_ND


class HidesItsScale(Right):
    """What it fits to the data is not in its state."""

    scale = 1.0

    def fit(self, values):
        self.scale = 1 / max(len(value) for value in values)

    def forward(self, batch):
        return coview.Encoding(super().forward(batch).pooled_ND * self.scale)


class BuildsOnTheCPU(Right):
    def __init__(self) -> None:
        super().__init__()
        self.layer = self.layer.to_empty(device="cpu") if self.layer.weight.is_meta else self.layer


def test_what_is_right_passes():
    check_encoder(Right, Sequences(), VALUES, parameters={"width": 6})


@pytest.mark.parametrize(
    ("wrong", "check", "says"),
    [
        (SeesPadding, "padding_changes_nothing", "value 0 alone is encoded differently than among 3"),
        (DropsOutAlways, "is_still_in_evaluation_mode", "encoded differently twice"),
        (CountsCalls, "is_still_in_evaluation_mode", "changes its buffer calls"),
        (UnusedHead, "every_weight_learns", "no gradient reaches head.weight, head.bias"),
        (WrongWidth, "encodes_into_its_width", "pooled_ND is of shape (3, 4), and N and width are (3, 5)"),
        (BareTensor, "encodes_into_its_width", "it returns Tensor, not coview.Encoding"),
        (HidesItsScale, "comes_back_from_its_state", "encodes differently"),
    ],
)
def test_what_is_wrong_is_found_and_said(wrong, check, says):
    with pytest.raises(ConformanceError) as caught:
        check_encoder(wrong, Sequences(), VALUES, only=[check])
    assert says in str(caught.value)


def test_what_raises_says_in_which_check():
    with pytest.raises(RuntimeError) as caught:
        check_encoder(BuildsOnTheCPU, Sequences(), VALUES, only=["can_be_tried_out"])
    assert caught.value.__notes__ == ["in the check can_be_tried_out of BuildsOnTheCPU"]


def test_an_encoder_with_its_own_collation_is_called_with_it():
    class Own(Right):
        def collate(self, values):
            return {**Sequences().collate(values), "own": torch.ones(len(values), 1)}

        def forward(self, batch):
            assert "own" in batch
            return super().forward(batch)

    check_encoder(Own, Sequences(), VALUES)
    assert all(check.__doc__ for check in ENCODER_CHECKS.values())
