"""Decoders see what was seen, and nothing of what they are to predict."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import coview
from coview.builtin.decoders import MLP, Linear, Transformer
from coview.data.token_mask import TokenLayout, TokenMask
from coview.model.decoder import DecoderInput, decode
from coview.model.positions import sine_positions

N, T, D = 4, 7, 6


def given(seen=None, wanted=None, prefix=1):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(N, T, D, generator=generator, dtype=torch.float64)
    hidden = torch.rand(N, T, generator=generator) < 0.5
    hidden[:, :prefix] = False
    seen = ~hidden if seen is None else seen
    return DecoderInput(tokens, seen, hidden if wanted is None else wanted, (T - prefix,))


@pytest.mark.parametrize("decoder", [Linear, MLP])
def test_a_map_of_tokens_is_of_those_that_are_wanted_in_their_order(decoder):
    torch.manual_seed(0)
    built = decoder(D, 3).double()
    seen = given()
    layers = built.linear if decoder is Linear else built.layers
    expected = [layers(seen.tokens_MTD[n, t]) for n in range(N) for t in range(T) if seen.wanted_MT[n, t]]
    torch.testing.assert_close(built(seen), torch.stack(expected))


def test_a_transformer_is_what_its_layers_make_of_each_row_alone():
    torch.manual_seed(0)
    built = Transformer(D, 3, layers=2, hidden=8, heads=2).double()
    seen = given()
    expected = []
    for n in range(N):
        x = built.embed(seen.tokens_MTD[n])
        x[seen.wanted_MT[n]] = built.wanted_token
        x = x + torch.cat([torch.zeros(1, 8), sine_positions((T - 1,), 8)]).double()
        for layer in built.layers:
            x = layer(x[None])[0]
        expected.append(built.out(built.norm(x[seen.wanted_MT[n]])))
    torch.testing.assert_close(built(seen), torch.cat(expected))


def test_what_is_neither_seen_nor_wanted_changes_nothing():
    torch.manual_seed(0)
    built = Transformer(D, 3, layers=2, hidden=8, heads=2).double()
    seen = given()
    neither = seen.seen_MT & (torch.arange(T) == 3)
    less = DecoderInput(seen.tokens_MTD, seen.seen_MT & ~neither, seen.wanted_MT, seen.shape)
    other = seen.tokens_MTD.clone()
    other[neither] = 1e3
    again = DecoderInput(other, less.seen_MT, less.wanted_MT, seen.shape)
    torch.testing.assert_close(built(less), built(again))
    assert not torch.allclose(built(less), built(seen))


def test_no_value_at_a_hidden_place_reaches_a_prediction():
    torch.manual_seed(0)
    built = Transformer(D, 3, layers=2, hidden=8, heads=2).double()
    seen = given()
    other = torch.where(seen.wanted_MT[..., None], 77.0, seen.tokens_MTD)
    torch.testing.assert_close(built(seen), built(DecoderInput(other, seen.seen_MT, seen.wanted_MT, seen.shape)))


def test_groups_are_predicted_each_by_itself():
    torch.manual_seed(0)
    built = Transformer(D, 3, layers=2, hidden=8, heads=2).double()
    seen = given()
    halves = torch.stack([seen.wanted_MT & (torch.arange(T) < 4), seen.wanted_MT & (torch.arange(T) >= 4)], 1)
    real = torch.ones(N, T, dtype=torch.bool)
    layout = TokenLayout(real, real, (T - 1,))
    mask = TokenMask(layout, ~seen.seen_MT, ~seen.seen_MT, halves, "drop")
    made = decode(built, coview.Encoding(seen.tokens_MTD[:, 0], seen.tokens_MTD), mask)
    rows, groups, _ = mask.places
    for group in range(2):
        alone = built(DecoderInput(seen.tokens_MTD, seen.seen_MT, halves[:, group], seen.shape))
        torch.testing.assert_close(made[groups == group], alone)
    assert len(made) == len(rows)


def test_a_decoder_that_makes_something_else_is_named():
    class Wrong(nn.Module):
        def forward(self, seen):
            return seen.tokens_MTD

    real = torch.ones(N, T, dtype=torch.bool)
    mask = TokenMask(TokenLayout(real, real, (T,)), real, real, real[:, None], "drop")
    with pytest.raises(
        Exception, match=r"the decoder Wrong has to make a row for each of 28 tokens, and makes \(4, 7, 6\)"
    ):
        decode(Wrong(), coview.Encoding(torch.zeros(N, D), torch.zeros(N, T, D)), mask)
