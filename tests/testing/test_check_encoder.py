"""The kit finds what is wrong with an encoder, and says it. Each here is right but for one mistake."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from failing import failures
from torch import nn

import coview
from coview.testing import ENCODER_CHECKS, check_encoder
from coview.testing.encoder_masks import MASKED_ENCODER_CHECKS

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


class Ragged:
    """The sequences below each other, as a structured batch."""

    def __init__(self, x_KD, lengths_N):
        self.x_KD, self.lengths_N = x_KD, lengths_N

    def __len__(self):
        return len(self.lengths_N)

    def select(self, rows):
        parts = self.x_KD.split(self.lengths_N.tolist())
        return Ragged(torch.cat([parts[row] for row in rows]), self.lengths_N[rows])

    def to(self, device):
        return Ragged(self.x_KD.to(device), self.lengths_N.to(device))

    def pin_memory(self):
        return Ragged(self.x_KD.pin_memory(), self.lengths_N.pin_memory())


class RightOfRagged(nn.Module):
    """The same of structured batches."""

    kind = Ragged

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Linear(3, width)

    def collate(self, values):
        return self.kind(torch.cat(values), torch.tensor([len(value) for value in values]))

    def forward(self, batch):
        rows = self.layer(batch.x_KD).tanh()
        if rows.is_meta:
            return coview.Encoding(rows.new_zeros(len(batch), self.width))
        row = torch.repeat_interleave(batch.lengths_N)
        summed = rows.new_zeros(len(batch), self.width).index_add(0, row, rows)
        return coview.Encoding(summed / batch.lengths_N[:, None])


class WritesIntoRagged(RightOfRagged):
    def forward(self, batch):
        if not batch.x_KD.is_meta:
            batch.x_KD.clamp_(max=0.5)
        return super().forward(batch)


class SelectsLengthsOnly(Ragged):
    def select(self, rows):
        lengths = self.lengths_N[rows]
        return SelectsLengthsOnly(self.x_KD[: int(lengths.sum())], lengths)


class OfWrongRows(RightOfRagged):
    kind = SelectsLengthsOnly


class InContext(Right):
    """What it makes is moved by what all samples share."""

    takes_context = True

    def forward(self, batch, context):
        made = super().forward(batch)
        return coview.Encoding(made.pooled_ND + context["shift"])


class WritesIntoContext(InContext):
    def forward(self, batch, context):
        made = super().forward(batch, context)
        context["seen"].add_(1)
        return made


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


class NoWidth(Right):
    def __init__(self) -> None:
        super().__init__()
        del self.width


class WritesIntoTheBatch(Right):
    def forward(self, batch):
        batch["x_NTD"].clamp_(max=0.5)
        return super().forward(batch)


class DeadWeight(Right):
    """It gets a gradient, and that is zero always."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, batch):
        encoding = super().forward(batch)
        return coview.Encoding(encoding.pooled_ND + 0 * self.scale)


class GatedAtZero(Right):
    """What is behind a gate that begins at zero, as in residual blocks, is no dead weight."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.behind = nn.Parameter(torch.zeros(())), nn.Linear(4, 4)

    def forward(self, batch):
        pooled = super().forward(batch).pooled_ND
        return coview.Encoding(pooled + self.gate * self.behind(pooled))


class Fits(Right):
    """Scales by the longest of the values."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))

    def found(self, values):
        return torch.tensor(1 / max(len(value) for value in values))

    def fit(self, values):
        self.scale.copy_(self.found(values))

    def forward(self, batch):
        return coview.Encoding(super().forward(batch).pooled_ND * self.scale)


class DrawsInFit(Fits):
    def found(self, values):
        return torch.rand(())


class AddsUpInFit(Fits):
    def found(self, values):
        return self.scale + super().found(values)


class OrderOfASetInFit(Fits):
    """The same in this process always, and something else in another one."""

    def found(self, values):
        return torch.tensor(1.0 + hash(f"length {max(len(value) for value in values)}") % 100_003)


class StateOfAnyShape(Fits):
    """Its state has another shape than that of an instance that is not fitted."""

    def fit(self, values):
        self.scale = self.found(values).expand(1, 4)


class OtherOnMeta(Right):
    """Looked at, it has other layers than in a run."""

    def __init__(self) -> None:
        super().__init__()
        if coview.on_meta_device():
            self.layer = nn.Linear(3, self.width + 1)


class LooksForTokens(Right):
    """The number of the places that it looks for depends on the batch, as in PyTorch Geometric's GCNConv."""

    def forward(self, batch):
        places_K = batch["lengths_N"].nonzero()[:, 0]
        return coview.Encoding(super().forward(batch).pooled_ND[places_K])


class BringsNumbers(Right):
    """``torch.from_numpy`` makes a tensor on the CPU, on whatever device the others are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift_D", torch.from_numpy(np.ones(self.width, np.float32)))

    def forward(self, batch):
        return coview.Encoding(super().forward(batch).pooled_ND + self.shift_D)


def test_what_is_right_passes():
    check_encoder(Right, Sequences(), VALUES, parameters={"width": 6})


@pytest.mark.parametrize("right", [GatedAtZero, Fits, RightOfRagged])
def test_what_is_right_in_another_way_passes_too(right):
    assert check_encoder(right, Sequences(), VALUES) == []


@pytest.mark.parametrize("asks", [LooksForTokens, BringsNumbers])
def test_one_that_asks_for_numbers_is_tried_on_the_cpu_and_that_is_said_in_a_line(asks):
    (note,) = check_encoder(asks, Sequences(), VALUES)
    assert note.startswith("it is tried out on the CPU, since it cannot run on the meta device: ")
    assert "\n" not in note


WRONG = [
    (SeesPadding, "padding_changes_nothing", "value 0 alone is encoded differently than among 3"),
    (DropsOutAlways, "is_still_in_evaluation_mode", "encoded differently twice"),
    (CountsCalls, "is_still_in_evaluation_mode", "changes its buffer calls"),
    (UnusedHead, "every_weight_learns", "no gradient reaches head.weight, head.bias"),
    (WrongWidth, "encodes_into_its_width", "pooled_ND is of shape (3, 4), and N and width are (3, 5)"),
    (BareTensor, "encodes_into_its_width", "it returns Tensor, not coview.Encoding"),
    (HidesItsScale, "comes_back_from_its_state", "encodes differently"),
    (StateOfAnyShape, "comes_back_from_its_state", "does not take the state_dict of one that is"),
    (NoWidth, "is_a_module_with_a_width", "its width has to be a positive integer, and is None"),
    (WritesIntoTheBatch, "leaves_its_batch_alone", "in training mode it writes into the batch"),
    (DeadWeight, "every_weight_learns", "no gradient reaches scale"),
    (DrawsInFit, "fits_the_same_twice", "at another seed of the global generator, fit finds something else"),
    (AddsUpInFit, "fits_the_same_twice", "when it is fitted again, fit finds something else"),
    (OrderOfASetInFit, "fits_the_same_twice", "in an interpreter of another PYTHONHASHSEED, fit finds something"),
    (WritesIntoRagged, "leaves_its_batch_alone", "in training mode it writes into the batch"),
    (OfWrongRows, "rows_can_be_selected", "the rows [2, 0] that select gives are encoded differently than among all 3"),
    (OtherOnMeta, "can_be_tried_out", "on the meta device pooled_ND is of shape (3, 5)"),
]


@pytest.mark.parametrize(("wrong", "check", "says"), WRONG)
def test_what_is_wrong_is_found_and_said_and_nothing_else(wrong, check, says):
    failed, message = failures(check_encoder, wrong, Sequences(), VALUES)
    assert failed == {check}
    assert says in message


def test_every_check_has_an_encoder_that_it_finds_out():
    assert {check for _, check, _ in WRONG} == set(ENCODER_CHECKS) - set(MASKED_ENCODER_CHECKS)


def test_an_encoder_is_tried_in_a_context():
    context = {"shift": torch.arange(4.0), "seen": torch.zeros(())}
    check_encoder(InContext, Sequences(), VALUES, context=context)
    failed, message = failures(check_encoder, WritesIntoContext, Sequences(), VALUES, context=context)
    assert failed == {"leaves_its_batch_alone"}
    assert "in training mode it writes into the context that all samples share" in message


def test_what_raises_says_in_which_check_and_what_was_found_before():
    class Raises(WritesIntoTheBatch):
        def state_dict(self):
            raise LookupError("boom")

    with pytest.raises(LookupError, match="boom") as caught:
        check_encoder(Raises, Sequences(), VALUES)
    assert caught.value.__notes__[0] == "in the check comes_back_from_its_state of Raises"
    assert "leaves_its_batch_alone: in training mode" in caught.value.__notes__[1]


def test_an_encoder_with_its_own_collation_is_called_with_it():
    class Own(Right):
        def collate(self, values):
            return {**Sequences().collate(values), "own": torch.ones(len(values), 1)}

        def forward(self, batch):
            assert "own" in batch
            return super().forward(batch)

    check_encoder(Own, Sequences(), VALUES)
    assert all(check.__doc__ for check in ENCODER_CHECKS.values())
