"""What every mask does, and what each does besides."""

from __future__ import annotations

import pytest
import torch

import coview
from coview.builtin.masks.block import Block
from coview.builtin.masks.deletion import Deletion
from coview.builtin.masks.multi_block import MultiBlock
from coview.builtin.masks.random import Random
from coview.builtin.masks.span import Span
from coview.builtin.masks.time_frequency import TimeFrequency
from coview.builtin.masks.whole_word import WholeWord
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout

N = 40
IDS = torch.arange(N) * 7 + 1


def rng(ids=IDS, *, seed=0, epoch=0, views=(0,), number=None):
    return BatchRng(seed, epoch, ids, views, 2**32, number=number)


def grid(height=6, width=8, prefix=1, rows=N, real_columns=None):
    real = torch.ones(rows, height, width, dtype=torch.bool)
    if real_columns is not None:
        real = real & (torch.arange(width) < real_columns[:, None])[:, None]
    real = real.flatten(1)
    before = torch.ones(rows, prefix, dtype=torch.bool)
    return TokenLayout(torch.cat([before, real], 1), torch.cat([~before, real], 1), (height, width))


def row(tokens=24, rows=N, lengths=None):
    """Tokens in a row between two that cannot be hidden, words of one to three tokens."""
    lengths = torch.full((rows,), tokens) if lengths is None else lengths
    place = torch.arange(int(lengths.max()) if tokens is None else tokens)
    real = place < lengths[:, None]
    maskable = real & (place > 0) & (place < lengths[:, None] - 1)
    begins = maskable & ((place % 3 != 2) | (place == 1))
    words = (begins.cumsum(1) - 1).masked_fill(~maskable, -1)
    return TokenLayout(real, maskable, (len(place),), words)


MASKS = {
    "random": (Random(0.6), grid()),
    "random in a row": (Random(0.15), row()),
    "random between bounds": (Random((0.1, 0.7)), grid()),
    "random squares": (Random(0.5, side=2), grid()),
    "span": (Span(0.5, 4), row()),
    "whole_word": (WholeWord(0.3), row()),
    "deletion": (Deletion(), row()),
    "block": (Block(0.4), grid()),
    "multi_block": (MultiBlock(), grid()),
    "time_frequency": (TimeFrequency(), grid()),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_row_is_a_function_of_seed_epoch_sample_and_view(name):
    mask, layout = MASKS[name]
    hidden = mask(layout, rng()).hidden_NT
    assert hidden.shape == layout.real_NT.shape
    assert hidden.dtype == torch.bool
    assert torch.equal(hidden, mask(layout, rng()).hidden_NT)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    assert torch.equal(hidden[order], mask(layout, rng(IDS[order])).hidden_NT)
    few = layout.map_tensors(lambda tensor: tensor[3:9])
    assert torch.equal(hidden[3:9], mask(few, rng(IDS[3:9])).hidden_NT)
    for other in (rng(seed=1), rng(epoch=1), rng(views=(1,)), rng(IDS + 1)):
        assert not torch.equal(hidden, mask(layout, other).hidden_NT)


@pytest.mark.parametrize("name", MASKS)
def test_something_is_hidden_and_something_is_left_of_each_row(name):
    mask, layout = MASKS[name]
    hidden = mask(layout, rng()).hidden_NT & layout.maskable_NT
    assert (hidden.sum(1) > 0).all()
    assert (hidden.sum(1) < layout.maskable_NT.sum(1)).all()


@pytest.mark.parametrize("name", ["random in a row", "span", "whole_word", "deletion"])
def test_more_padding_changes_nothing(name):
    mask, _ = MASKS[name]
    lengths = torch.arange(N) % 15 + 6
    short, long = row(20, lengths=lengths), row(37, lengths=lengths)
    assert torch.equal(mask(short, rng()).hidden_NT, mask(long, rng()).hidden_NT[:, :20])


@pytest.mark.parametrize("mask", [Random(0.6), Random(0.5, side=2), Block(0.4), MultiBlock(), TimeFrequency()])
def test_more_padding_of_a_spectrogram_changes_nothing(mask):
    columns = torch.arange(N) % 5 + 3
    short, long = grid(6, 8, real_columns=columns), grid(6, 12, real_columns=columns)
    shorter = mask(short, rng()).hidden_NT & short.maskable_NT
    longer = mask(long, rng()).hidden_NT & long.maskable_NT
    assert shorter.any(1).all()
    assert torch.equal(shorter[:, 1:].unflatten(1, (6, 8)), longer[:, 1:].unflatten(1, (6, 12))[:, :, :8])


@pytest.mark.parametrize(
    ("mask", "layout"),
    [(Random(0.6), grid()), (Block(0.4), grid()), (Span(0.5, 4), row()), (Random(0.15), row())],
)
def test_a_share_is_exact(mask, layout):
    hidden = mask(layout, rng()).hidden_NT
    tokens = layout.maskable_NT.sum(1)
    assert torch.equal(hidden.sum(1), (mask.ratio * tokens.double() + 0.5).floor().long())


def test_bounds_of_a_share_are_drawn_between_evenly():
    hidden = Random((0.1, 0.7))(grid(20, 20, rows=400), rng(torch.arange(400))).hidden_NT
    share = hidden.sum(1) / 400
    assert 0.1 <= share.min() < 0.12
    assert 0.68 < share.max() <= 0.7
    assert float(share.mean()) == pytest.approx(0.4, abs=0.02)


def test_each_token_is_hidden_as_often():
    rows = 4000
    hidden = Random(0.25)(grid(3, 4, rows=rows), rng(torch.arange(rows))).hidden_NT
    assert not hidden[:, 0].any()
    often = hidden[:, 1:].float().mean(0)
    assert torch.allclose(often, torch.tensor(0.25), atol=4 * (0.25 * 0.75 / rows) ** 0.5)


def test_squares_are_hidden_whole():
    hidden = Random(0.5, side=2)(grid(5, 8), rng()).hidden_NT[:, 1:].unflatten(1, (5, 8))
    for top in range(0, 5, 2):
        for left in range(0, 8, 2):
            square = hidden[:, top : top + 2, left : left + 2].flatten(1)
            assert torch.equal(square.any(1), square.all(1))


def test_spans_are_runs_of_their_length_but_for_the_last_and_those_that_meet():
    hidden = Span(0.2, 5)(row(52), rng()).hidden_NT
    for line in hidden.int().tolist():
        runs = [len(run) for run in "".join(map(str, line)).split("0") if run]
        assert sum(runs) == 10
        assert max(runs) >= 5 or runs.count(5) + 1 >= len(runs)


def test_words_are_hidden_whole():
    layout = row()
    hidden = WholeWord(0.3)(layout, rng()).hidden_NT
    for line, words in zip(hidden.tolist(), layout.words_NT.tolist(), strict=True):
        of_word = {word: {is_hidden for is_hidden, w in zip(line, words, strict=True) if w == word} for word in words}
        assert all(len(found) == 1 for found in of_word.values())
    assert (hidden.sum(1) >= 7).all()  # 0.3 of 22 tokens
    assert (hidden.sum(1) <= 7 + 2).all()  # and no more than the rest of a word


def test_words_are_deleted_each_by_itself_and_one_always_stays():
    layout = row(16, rows=600)
    made = Deletion(0.6)(layout, rng(torch.arange(600)))
    counts = []
    for words, hidden in zip(layout.words_NT.tolist(), made.hidden_NT.tolist(), strict=True):
        of_word = {
            word: {gone for other, gone in zip(words, hidden, strict=True) if other == word} for word in set(words)
        }
        assert of_word.pop(-1) == {False}
        assert all(len(gone) == 1 for gone in of_word.values()), "with all their tokens"
        counts.append(sum(gone == {True} for gone in of_word.values()))
        of_all = len(of_word)
    assert max(counts) < of_all
    assert sum(counts) / (600 * of_all) == pytest.approx(0.6, abs=0.02)
    spread = sum((count - sum(counts) / 600) ** 2 for count in counts) / 600
    assert spread == pytest.approx(of_all * 0.6 * 0.4, rel=0.2), "binomial: a share is not exact"
    one = TokenLayout(layout.real_NT, layout.maskable_NT & (layout.words_NT == 0), layout.shape, layout.words_NT)
    assert not Deletion(0.9)(one, rng(torch.arange(600))).hidden_NT.any()


def test_all_but_the_first_is_wanted_back_of_what_is_deleted():
    layout = row(None, lengths=torch.tensor([5, 9, 2]), rows=3)
    wanted = Deletion()(layout, rng(torch.arange(3))).wanted_NBT
    assert wanted.shape == (3, 1, 9)
    assert wanted[:, 0].tolist() == [[0 < place < length for place in range(9)] for length in (5, 9, 2)]


def test_words_that_nobody_knows_are_refused():
    with pytest.raises(coview.CoviewError, match="which token belongs to which word"):
        WholeWord()(grid(), rng())


def test_blocks_are_rectangles_for_the_most_part():
    hidden = Block(0.4, smallest=4)(grid(14, 14), rng()).hidden_NT[:, 1:].unflatten(1, (14, 14))
    neighbours = (hidden[:, 1:] == hidden[:, :-1]).float().mean() + (
        hidden[:, :, 1:] == hidden[:, :, :-1]
    ).float().mean()
    single = Random(0.4)(grid(14, 14), rng()).hidden_NT[:, 1:].unflatten(1, (14, 14))
    alone = (single[:, 1:] == single[:, :-1]).float().mean() + (single[:, :, 1:] == single[:, :, :-1]).float().mean()
    assert neighbours > 1.5
    assert alone < 1.1


def test_i_jepas_targets_are_rectangles_outside_of_what_is_seen():
    layout = grid(14, 14, prefix=0)
    number = torch.tensor([3])
    made = MultiBlock()(layout, rng(number=number))
    assert isinstance(made, Hidden)
    wanted = made.wanted_NBT.unflatten(2, (14, 14))
    assert wanted.shape == (N, 4, 14, 14)
    assert not (wanted.flatten(2) & ~made.hidden_NT[:, None]).any()
    heights, widths = set(), set()
    for block in wanted.flatten(0, 1):
        rows, columns = block.any(1).nonzero(), block.any(0).nonzero()
        height, width = int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)
        assert block.sum() == height * width
        heights.add(height)
        widths.add(width)
    # of one size in a batch, of 0.15 to 0.2 of 196 tokens, 0.75 to 1.5 times as high as wide
    assert len(heights) == len(widths) == 1
    (height,), (width,) = heights, widths
    assert 0.15 * 196 - 8 <= height * width <= 0.2 * 196 + 8
    assert 0.6 <= height / width <= 1.8
    other = MultiBlock()(layout, rng(number=torch.tensor([4])))
    assert not torch.equal(other.wanted_NBT.sum((1, 2)), made.wanted_NBT.sum((1, 2)))


def test_columns_and_rows_of_a_spectrogram_are_hidden_whole():
    hidden = TimeFrequency(time=0.25, frequency=0.5)(grid(6, 8), rng()).hidden_NT[:, 1:].unflatten(1, (6, 8))
    assert (hidden.all(2).sum(1) == 3).all()
    assert (hidden.all(1).sum(1) == 2).all()
    assert (hidden.flatten(1).sum(1) == 3 * 8 + 3 * 2).all()


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Random((0.7, 0.1)), "the lower bound comes first"),
        (lambda: TimeFrequency(0.0, 0.0), "nothing is hidden"),
        (lambda: MultiBlock(target_scale=(0.3, 0.2)), "target_scale: the lower bound"),
    ],
)
def test_wrong_parameters_are_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


@pytest.mark.parametrize(("mask", "layout"), [(Span(0.5), grid()), (Block(0.5), row()), (MultiBlock(), row())])
def test_a_mask_for_tokens_that_lie_otherwise_is_refused(mask, layout):
    with pytest.raises(coview.CoviewError, match=r"lie in a"):
        mask(layout, rng())


def test_a_sample_of_one_token_is_left_as_it_is():
    layout = row(3)
    for mask in (Random(0.9), Span(0.9), WholeWord(0.9)):
        assert not mask(layout, rng()).hidden_NT.any()
