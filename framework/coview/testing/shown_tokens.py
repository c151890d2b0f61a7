"""What an encoder promises that shows its tokens to a person."""

from __future__ import annotations

import numpy as np
import torch

from coview.data.token_mask import TokenMask
from coview.errors import few
from coview.model.masked_calls import token_layout, token_values
from coview.model.masked_encoder import TakesMask
from coview.model.shows_tokens import DrawsTokens, NamesTokens
from coview.testing.conformance import Problems
from coview.testing.encoder_under_test import EncoderUnderTest


def shows_each_token_where_it_is(tested: EncoderUnderTest) -> Problems:
    """Where it draws tokens: each at pixels of its own, alike for equal values. Where it names them: each has a name,
    and those that are not swapped stay as they are."""
    encoder = tested.fresh().eval()
    if not (isinstance(encoder, TakesMask) and encoder.hides):
        return
    takes: TakesMask = encoder
    if isinstance(encoder, DrawsTokens) and takes.value_width:
        for value in tested.values:
            if problem := _drawn_wrongly(tested, encoder, value):
                yield problem
                return
    if isinstance(encoder, NamesTokens) and takes.classes:
        yield from _named_wrongly(tested, encoder)


def _drawn_wrongly(tested: EncoderUnderTest, encoder: DrawsTokens, value: object) -> str:
    assert isinstance(encoder, TakesMask), "it has been asked"
    with torch.no_grad():
        batch = tested.given(encoder, [value])
        layout, values_1TP = token_layout(encoder, batch), token_values(encoder, batch).float()
        maskable = layout.maskable_NT[0].nonzero()[:, 0].tolist()
        if not maskable:
            return ""
        other_1TP = values_1TP.clone()
        other_1TP[:, maskable[-1]] -= 1 + values_1TP.abs().max()
        drawn = encoder.draw_tokens(torch.cat([values_1TP, values_1TP, other_1TP]), layout, tested.modality)
    pixels, token_HW = drawn.pixels_SHW3, drawn.token_HW
    if len(pixels) != 3:
        return f"of 3 versions draw_tokens makes {len(pixels)} pictures"
    if missing := sorted({*maskable} - {*token_HW.ravel().tolist()}):
        return f"draw_tokens has no pixel of tokens that may be hidden: {few([str(token) for token in missing])}"
    if token_HW.min() < -1 or token_HW.max() >= layout.real_NT.shape[1]:
        return "token_HW of draw_tokens has numbers of no token"
    if not np.array_equal(pixels[0], pixels[1]):
        return "draw_tokens draws equal values differently"
    changed_HW = (pixels[0] != pixels[2]).any(-1)
    if (token_HW[changed_HW] != maskable[-1]).any():
        return "in draw_tokens the values of one token change the pixels of another: is the scale that of the first?"
    return ""


def _named_wrongly(tested: EncoderUnderTest, encoder: NamesTokens) -> Problems:
    assert isinstance(encoder, TakesMask), "it has been asked"
    batch = tested.given(encoder, tested.values)
    layout, tokens_NT = token_layout(encoder, batch), token_values(encoder, batch)
    names = list(encoder.token_names(tokens_NT[0]))
    if len(names) != tokens_NT.shape[1] or not all(isinstance(name, str) for name in names):
        yield f"token_names has to give a str for each of {tokens_NT.shape[1]} tokens, and gives {len(names)}"
    if "swap" not in encoder.hides:
        return
    hidden_NT = layout.maskable_NT
    swap_NT = torch.where(hidden_NT & (torch.arange(hidden_NT.shape[1]) % 2 == 0), 0.7, -1.0)
    mask = TokenMask(layout, hidden_NT, hidden_NT & (swap_NT < 0), hidden_NT[:, None], "replace", swap_NT)
    swapped_NT = encoder.swapped_tokens(tokens_NT, mask)
    if swapped_NT.shape != tokens_NT.shape or not torch.equal(swapped_NT[swap_NT < 0], tokens_NT[swap_NT < 0]):
        yield "swapped_tokens changes tokens that are not swapped"
    elif torch.equal(swapped_NT, tokens_NT):
        yield "swapped_tokens swaps nothing"
