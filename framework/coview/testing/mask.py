"""What every mask promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout
from coview.errors import CoviewError
from coview.model.masking import check_hidden
from coview.testing.conformance import Check, Problems, UnderTest, run_checks
from coview.testing.global_generators import outcomes_by_global_seed

_ROWS = 24
_IDS = torch.arange(_ROWS) * 5 + 3
_POSITION = 7


@dataclass(frozen=True)
class MaskUnderTest(UnderTest):
    """A mask, by what builds it.

    Attributes:
        factory, parameters: What builds it.
        fewest: Tokens that a row has to have for some to be hidden and some to be left.
    """

    fewest: int = 2

    def made(self, layout: TokenLayout, rng: BatchRng | None = None) -> Hidden:
        """What a fresh instance makes."""
        made: Hidden = self.fresh()(layout, _rng() if rng is None else rng)
        return made

    def hidden(self, layout: TokenLayout, rng: BatchRng | None = None) -> Tensor:
        """What the core makes of that: what may not be hidden is not."""
        return self.made(layout, rng).hidden_NT & layout.maskable_NT

    def layouts(self, more: int = 0) -> Iterator[tuple[str, TokenLayout]]:
        """Tokens as they may lie, with so much more padding. Where the mask refuses a row or a grid that has plenty of
        them, it is not for such, and the short ones are left out with it."""
        for plenty, short in ((_row, _short_row), (_grid, _small_grid)):
            try:
                self.made(plenty.layout(0))
            except CoviewError:
                continue
            for lies in (plenty, short):
                yield lies.name, lies.layout(more)


def returns_hidden(tested: MaskUnderTest) -> Problems:
    """A :class:`coview.Hidden` of the layout's shape, for tokens in a row or in a grid, or both."""
    names = []
    for name, layout in itertools.chain(tested.layouts(), tested.layouts(more=5)):
        names.append(name)
        try:
            made = tested.made(layout)
            check_hidden("it", layout, made)
        except CoviewError as error:
            yield f"{name}: {error.message.removeprefix('the mask it ')}"
            return
        if made.wanted_NBT is not None and bool((made.wanted_NBT & ~made.hidden_NT[:, None]).any()):
            yield f"{name}: wanted_NBT has tokens that are not hidden: the encoder would see what it has to predict"
    if not names:
        yield "it refuses tokens that lie in a row, and those that lie in a grid"


def hides_some_and_leaves_some(tested: MaskUnderTest) -> Problems:
    """Of each row: without a hidden token there is nothing to predict, and without a seen one nothing to go by."""
    for name, layout in tested.layouts():
        hidden_N, tokens_N = tested.hidden(layout).sum(1), layout.maskable_NT.sum(1)
        for what, wrong_N in (("nothing", hidden_N == 0), ("all", hidden_N == tokens_N)):
            wrong_N = wrong_N & (tokens_N >= tested.fewest)
            if bool(wrong_N.any()):
                yield f"{name}: it hides {what} of a row of {int(tokens_N[wrong_N][0])} tokens"


def a_row_is_a_function_of_its_sample(tested: MaskUnderTest) -> Problems:
    """Of (seed, epoch, sample, view): the same whatever rows are beside it, in which order, and when asked again."""
    order = torch.arange(_ROWS).flip(0)
    for name, layout in tested.layouts():
        whole = tested.hidden(layout)
        mask = tested.fresh()
        asked = [mask(layout, rng).hidden_NT & layout.maskable_NT for rng in (_rng(), _rng(epoch=1), _rng())]
        if not torch.equal(whole, asked[0]) or not torch.equal(whole, asked[2]):
            yield f"{name}: the same rows have other tokens hidden when it is asked again"
            continue
        for what, rows in (("in another order", order), ("without the rows beside it", order[3:8])):
            few = layout.map_tensors(itemgetter(rows))
            if not torch.equal(whole[rows], tested.hidden(few, _rng(ids_N=_IDS[rows]))):
                yield (
                    f"{name}: a row has other tokens hidden {what}: draw from the generator that it is given, as many "
                    "numbers for each row, and let no row depend on another"
                )
                break


def padding_changes_nothing(tested: MaskUnderTest) -> Problems:
    """A row has the same tokens hidden in a batch with longer ones."""
    longer = dict(tested.layouts(more=5))
    for name, layout in tested.layouts():
        short, long = (_in_shape(tested.hidden(of), of) for of in (layout, longer[name]))
        if not torch.equal(short, long[..., : short.shape[-1]]):
            yield (
                f"{name}: with five tokens more of padding other tokens are hidden: draw what is drawn for each token "
                "last, and of a grid column by column"
            )


def differs(tested: MaskUnderTest) -> Problems:
    """Between epochs, views, seeds and samples."""
    for name, layout in tested.layouts():
        one = tested.hidden(layout)
        others = {
            "epoch": _rng(epoch=1), "view": _rng(view=1), "seed": _rng(seed=1), "sample": _rng(ids_N=_IDS + 1)
        }  # fmt: skip
        for what, rng in others.items():
            if torch.equal(one, tested.hidden(layout, rng)):
                yield f"{name}: another {what} has the same tokens hidden"


def leaves_global_generators_alone(tested: MaskUnderTest) -> Problems:
    """It draws from the generator that it is given, and from no other."""
    for name, layout in tested.layouts():
        for problem in outcomes_by_global_seed(partial(tested.hidden, layout), "what it hides"):
            yield f"{name}: {problem}"


def _rng(seed: int = 0, epoch: int = 0, view: int = 0, ids_N: Tensor = _IDS) -> BatchRng:
    return BatchRng(seed, epoch, ids_N, (view,), _POSITION)


@dataclass(frozen=True)
class _Lies:
    """How tokens may lie.

    Attributes:
        name: In words.
        layout: Of ``_ROWS`` rows, with so many tokens of padding more.
    """

    name: str
    layout: Callable[[int], TokenLayout]


def _in_a_row(lengths_N: Tensor, more: int) -> TokenLayout:
    """So many tokens in words of one and of two, between two that cannot be hidden."""
    lengths_N = lengths_N + 2
    place_T = torch.arange(int(lengths_N.max()) + more)
    real_NT = place_T < lengths_N[:, None]
    maskable_NT = real_NT & (place_T > 0) & (place_T < lengths_N[:, None] - 1)
    words_NT = ((maskable_NT & (place_T % 3 != 0)).cumsum(1) - 1).clamp(min=0).masked_fill(~maskable_NT, -1)
    return TokenLayout(real_NT, maskable_NT, (len(place_T),), words_NT)


def _in_a_grid(height: int, columns_N: Tensor, more: int) -> TokenLayout:
    """Behind a class token some rows of so many columns."""
    place_W = torch.arange(int(columns_N.max()) + more)
    real_NT = (place_W < columns_N[:, None])[:, None].expand(-1, height, -1).flatten(1)
    before_N1 = real_NT.new_ones((_ROWS, 1))
    both = torch.cat([before_N1, real_NT], 1), torch.cat([~before_N1, real_NT], 1)
    return TokenLayout(*both, (height, len(place_W)))


_N = torch.arange(_ROWS)
_row = _Lies("tokens in a row", partial(_in_a_row, _N + 10))
_short_row = _Lies("two to five tokens in a row", partial(_in_a_row, _N % 4 + 2))
_grid = _Lies("a padded grid", partial(_in_a_grid, 6, _N % 6 + 4))
_small_grid = _Lies("a grid of two to six tokens", partial(_in_a_grid, 2, _N % 3 + 1))


def _in_shape(hidden_NT: Tensor, layout: TokenLayout) -> Tensor:
    return hidden_NT[:, layout.prefix :].reshape(-1, *layout.shape)


MASK_CHECKS: Mapping[str, Check[MaskUnderTest]] = {
    check.__name__: check
    for check in (
        returns_hidden,
        hides_some_and_leaves_some,
        a_row_is_a_function_of_its_sample,
        padding_changes_nothing,
        differs,
        leaves_global_generators_alone,
    )
}
"""By name, in the order in which they run."""

_AFTER = dict.fromkeys([*MASK_CHECKS][1:], ("returns_hidden",)) | dict.fromkeys(
    ("padding_changes_nothing", "differs"), ("returns_hidden", "a_row_is_a_function_of_its_sample")
)
"""What is not a mask cannot be compared, nor can what is another each time."""


def check_mask(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    fewest: int = 2,
    only: Collection[str] = tuple(MASK_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a mask promises, on tokens in a row and in a grid, as far as it takes them.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        parameters: What it is built with; the defaults otherwise.
        fewest: Tokens that a row has to have for the mask to hide some and to leave some, where it needs more than two:
            one that hides squares whole needs two of them.
        only: Names of the checks to run, of ``MASK_CHECKS``.
        except_for: Checks that this mask is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(MASK_CHECKS, MaskUnderTest(factory, parameters or {}, fewest), factory, only, except_for, after=_AFTER)
