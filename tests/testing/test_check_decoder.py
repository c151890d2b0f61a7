"""The kit finds what is wrong with a decoder. Each here is right but for one mistake."""

import pytest
import torch
from failing import failures
from torch import nn

import coview
from coview.builtin.decoders import MLP, Linear, Own, Transformer
from coview.testing import check_decoder
from coview_losses.ibot_head import IBOTHead

SMALL = {"layers": 1, "hidden": 8, "heads": 2}
REPLACED = {"does_not_see_what_was_hidden": "it maps what stands at the place, which is replaced"}
NARROW = {"prototypes": 6, "hidden": 8, "bottleneck": 4}


@pytest.mark.parametrize(
    ("factory", "parameters", "excepted"),
    [
        (Linear, {}, REPLACED),
        (MLP, {}, REPLACED),
        (Transformer, SMALL, None),
        (IBOTHead, NARROW, REPLACED),
        (Own, {}, REPLACED),
    ],
)
def test_those_that_come_with_coview_keep_their_promises(factory, parameters, excepted):
    check_decoder(factory, parameters=parameters, except_for=excepted)


class Small(Transformer):
    def __init__(self, in_width: int, width: int):
        super().__init__(in_width, width, **SMALL)


class AllTokens(Small):
    def forward(self, seen):
        everywhere = torch.ones_like(seen.wanted_MT)
        return super().forward(coview.DecoderInput(seen.tokens_MTD, seen.seen_MT, everywhere, seen.shape))


class Peeks(Small):
    def forward(self, seen):
        return super().forward(seen) + seen.tokens_MTD[seen.wanted_MT][:, :1]


class AttendsToPadding(Small):
    def forward(self, seen):
        made = super().forward(seen)
        unseen = ~(seen.seen_MT | seen.wanted_MT)
        padding = (seen.tokens_MTD * unseen[..., None]).sum((1, 2))
        return made + padding[seen.wanted_MT.nonzero()[:, 0], None]


class Mixes(Small):
    def forward(self, seen):
        made = super().forward(seen)
        return made + seen.tokens_MTD[seen.seen_MT].mean()


class Nowhere(nn.Module):
    def __init__(self, in_width: int, width: int):
        super().__init__()
        self.linear = nn.Linear(in_width, width)

    def forward(self, seen):
        weight = seen.seen_MT[..., None].to(seen.tokens_MTD.dtype)
        mean = (seen.tokens_MTD * weight).sum(1) / weight.sum(1)
        return self.linear(mean)[seen.wanted_MT.nonzero()[:, 0]]


class Unused(Small):
    def __init__(self, in_width: int, width: int):
        super().__init__(in_width, width)
        self.spare = nn.Linear(2, 2)


class Forgets(Small):
    def __init__(self, in_width: int, width: int):
        super().__init__(in_width, width)
        self.register_buffer("shift", torch.rand(width), persistent=False)

    def forward(self, seen):
        return super().forward(seen) + self.shift


class OnePrecision(Small):
    def forward(self, seen):
        made = super().forward(seen)
        out = torch.empty_like(made, dtype=self.norm.weight.dtype)
        out[torch.arange(len(made))] = made
        return out


class Overflows(Small):
    def forward(self, seen):
        made = super().forward(seen)
        return (made * 1e6) / 1e6


class Writes(Small):
    def forward(self, seen):
        made = super().forward(seen)
        if not torch.is_grad_enabled():
            seen.tokens_MTD[0, 0] = 0
        return made


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (AllTokens, "makes_a_row_for_each_token"),
        (Peeks, "does_not_see_what_was_hidden"),
        (AttendsToPadding, "does_not_see_what_was_hidden"),
        (Mixes, "rows_are_apart"),
        (Nowhere, "tells_places_apart"),
        (Unused, "its_parameters_learn"),
        (Writes, "leaves_its_input_alone"),
        (Forgets, "comes_back_from_its_state"),
        (OnePrecision, "runs_in_mixed_precision"),
        (Overflows, "runs_in_mixed_precision"),
    ],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_decoder, mutant)[0] == {check}
