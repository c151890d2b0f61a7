"""Tokens that the encoder does not see."""

from __future__ import annotations

import torch

import coview
from coview_text.augment.token_cutoff import TokenCutoff


def batch(lengths, width=30):
    mask = torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in zip(mask, lengths, strict=True):
        row[:length] = 1
    return {"input_ids": torch.arange(mask.numel()).view_as(mask), "attention_mask": mask}


def rng(rows, views=1, seed=0, epoch=0):
    return coview.BatchRng(seed, epoch, torch.arange(100, 100 + rows // views), range(views), 0)


def test_exactly_the_share_of_the_inner_tokens_is_hidden():
    lengths = [1, 2, 3, 12, 22, 30]
    given = batch(lengths)
    out = TokenCutoff(share=0.5)(given, rng(6))
    assert torch.equal(out["input_ids"], given["input_ids"])
    for length, before, after in zip(lengths, given["attention_mask"], out["attention_mask"], strict=True):
        assert after.sum() == length - max(0, length - 2) // 2
        assert after[0] == after[length - 1] == 1
        assert (after <= before).all()
    assert given["attention_mask"].sum() == sum(lengths), "the batch given stays"


def test_views_differ_and_padding_does_not_matter_for_how_many():
    out = TokenCutoff(share=0.3)(batch([20] * 8), rng(8, views=2))["attention_mask"]
    assert not torch.equal(out[:4], out[4:])
    assert (TokenCutoff(share=0.3)(batch([20] * 8, 90), rng(8))["attention_mask"].sum(1) == out.sum(1)).all()


def test_every_inner_token_is_hidden_alike():
    out = TokenCutoff(share=0.25)(batch([22] * 4000, 22), rng(4000))["attention_mask"]
    hidden = 4000 - out.sum(0)
    assert hidden[0] == hidden[-1] == 0
    assert ((hidden[1:-1] > 880) & (hidden[1:-1] < 1120)).all()


def test_a_row_depends_on_its_key_alone():
    given, cutoff = batch([20] * 6, 20), TokenCutoff(share=0.5)
    out = cutoff(given, rng(6))["attention_mask"]
    assert torch.equal(cutoff(given, rng(6))["attention_mask"], out)
    assert not torch.equal(cutoff(given, rng(6, epoch=1))["attention_mask"], out)
    part = coview.BatchRng(0, 0, torch.tensor([103, 101]), [0], 0)
    assert torch.equal(cutoff(batch([20] * 2, 20), part)["attention_mask"], out[[3, 1]])
