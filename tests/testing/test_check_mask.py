"""The kit finds what is wrong with a mask. Each here is right but for one mistake."""

import pytest
import torch
from failing import failures

import coview
from coview.testing import ConformanceError, check_mask

MASKS = {component.name: component for component in coview.load_plugins().of_kind("mask")}
PARAMETERS = {"random": {"ratio": 0.5}, "span": {"ratio": 0.4, "length": 3}, "block": {"ratio": 0.5}}

EXCEPTIONS = {
    "deletion": {
        "returns_hidden": "its decoder sees the one vector of the row, and wants the row back",
        "hides_some_and_leaves_some": "each word by itself: of a short row it may be none",
    }
}


@pytest.mark.parametrize("name", MASKS)
def test_those_that_come_with_coview_keep_their_promises(name):
    check_mask(MASKS[name].load(), parameters=PARAMETERS.get(name), except_for=EXCEPTIONS.get(name))


def test_squares_of_tokens_keep_them_too():
    check_mask(MASKS["random"].load(), parameters={"ratio": (0.3, 0.7), "side": 2}, fewest=6)


def numbers(layout, rng):
    """One for each token, of a grid column by column."""
    drawn = rng.uniform(torch.Size(layout.shape).numel())
    if len(layout.shape) == 2:
        drawn = drawn.unflatten(1, layout.shape[::-1]).transpose(1, 2).flatten(1)
    return torch.cat([drawn.new_zeros((len(drawn), layout.prefix)), drawn], 1)


def half(numbers, layout):
    """The lower half of each row's."""
    ordered = numbers.masked_fill(~layout.maskable_NT, torch.inf).sort(1).values
    middle = ordered.gather(1, layout.maskable_NT.sum(1, keepdim=True) // 2)
    return (numbers < middle) & layout.maskable_NT


class Half:
    def __call__(self, layout, rng):
        return coview.Hidden(half(numbers(layout, rng), layout))


class Tensors(Half):
    def __call__(self, layout, rng):
        return super().__call__(layout, rng).hidden_NT


class Numbers(Half):
    def __call__(self, layout, rng):
        return coview.Hidden(super().__call__(layout, rng).hidden_NT.float())


class Seen(Half):
    def __call__(self, layout, rng):
        hidden = super().__call__(layout, rng).hidden_NT
        return coview.Hidden(hidden, (hidden | layout.real_NT)[:, None])


class Refuses:
    def __call__(self, layout, rng):
        raise coview.CoviewError("no")


class NotTheFirst(Half):
    def __call__(self, layout, rng):
        hidden = super().__call__(layout, rng).hidden_NT
        return coview.Hidden(hidden & (rng.ids != 3)[:, None])


class All(Half):
    def __call__(self, layout, rng):
        hidden = super().__call__(layout, rng).hidden_NT
        return coview.Hidden(hidden | (rng.ids == 8)[:, None])


class Neighbours(Half):
    def __call__(self, layout, rng):
        drawn = numbers(layout, rng)
        return coview.Hidden(half(drawn + drawn.roll(1, 0), layout))


class Remembers(Half):
    def __init__(self):
        self.asked = 0

    def __call__(self, layout, rng):
        self.asked += 1
        drawn = numbers(layout, rng)
        return coview.Hidden(half(drawn if self.asked == 1 else 1 - drawn, layout))


class RowByRow:
    def __call__(self, layout, rng):
        drawn = rng.uniform(layout.real_NT.shape[1] + 3)[:, 3:]
        return coview.Hidden(half(drawn.flip(1), layout))


class TheSame(Half):
    def __call__(self, layout, rng):
        place = torch.arange(layout.real_NT.shape[1]) if len(layout.shape) == 1 else None
        if place is None:
            raise coview.CoviewError("tokens in a row only")
        return coview.Hidden(half((place * 7 % 5 + place / 1000).expand_as(layout.real_NT), layout))


class Global(Half):
    def __call__(self, layout, rng):
        torch.rand(1)
        return super().__call__(layout, rng)


class GlobalInAGrid(Half):
    def __call__(self, layout, rng):
        if len(layout.shape) == 2:
            torch.rand(1)
        return super().__call__(layout, rng)


class NoPadding(Half):
    def __call__(self, layout, rng):
        if not bool(layout.real_NT.any(0).all()):
            raise coview.CoviewError("a column is of padding alone")
        return super().__call__(layout, rng)


class AllOfTheShort(Half):
    def __call__(self, layout, rng):
        is_short_N1 = layout.maskable_NT.sum(1, keepdim=True) < 4
        return coview.Hidden(super().__call__(layout, rng).hidden_NT | (is_short_N1 & layout.maskable_NT))


class NotTheShort(Half):
    def __call__(self, layout, rng):
        if int(layout.maskable_NT.sum(1).min()) < 4:
            raise coview.CoviewError("too few")
        return super().__call__(layout, rng)


def test_what_they_vary_is_right():
    check_mask(Half)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (Tensors, "returns_hidden"),
        (Numbers, "returns_hidden"),
        (Seen, "returns_hidden"),
        (Refuses, "returns_hidden"),
        (NotTheFirst, "hides_some_and_leaves_some"),
        (All, "hides_some_and_leaves_some"),
        (Neighbours, "a_row_is_a_function_of_its_sample"),
        (Remembers, "a_row_is_a_function_of_its_sample"),
        (RowByRow, "padding_changes_nothing"),
        (TheSame, "differs"),
        (Global, "leaves_global_generators_alone"),
        (GlobalInAGrid, "leaves_global_generators_alone"),
        (NoPadding, "returns_hidden"),
        (NotTheShort, "returns_hidden"),
        (AllOfTheShort, "hides_some_and_leaves_some"),
    ],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_mask, mutant)[0] == {check}


def test_what_is_wrong_is_said():
    with pytest.raises(
        ConformanceError,
        match=r"Tensors does not keep .*\n  returns_hidden: tokens in a row: has to return a coview.Hidden",
    ):
        check_mask(Tensors)
