"""Groups of about one length: what transformers makes of the whole batch, from fewer tokens."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers
from torch.testing import assert_close

import coview
from coview_text.encoders.by_length import by_length
from coview_text.encoders.text_transformer import TextTransformer

WORDS = [
    "ships",
    "sail",
    "where",
    "the",
    "north",
    "wind",
    "blows",
    "over",
    "a",
    "harbour",
    "and",
    "bread",
    "with",
    "salt",
    "is",
    "sold",
    "at",
    "dawn",
]
TEXTS = [" ".join((WORDS * 2)[start : start + 1 + start % 13]) for start in range(17)] * 4 + [""]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    made = TextTransformer(vocabulary=300, width=16, layers=2, heads=2, max_length=40, dropout=0.0)
    made.fit(TEXTS)
    return made.double()


def test_each_text_gets_what_the_whole_batch_gives_and_fewer_tokens_are_computed(encoder):
    batch = encoder.collate(TEXTS)
    mask_NT = batch["attention_mask"]
    alone: transformers.BertModel = copy.deepcopy(encoder.model)
    tokens_NTD = alone(input_ids=batch["input_ids"], attention_mask=mask_NT).last_hidden_state
    pooled_ND = (tokens_NTD * mask_NT[..., None]).sum(1) / mask_NT.sum(1, keepdim=True)
    pooled_ND.square().sum().backward()

    computed = []
    hook = encoder.model.register_forward_hook(
        lambda *given: computed.append(given[-1].last_hidden_state[..., 0].numel())
    )
    encoding = encoder(batch)
    hook.remove()
    encoding.pooled_ND.square().sum().backward()

    assert_close(encoding.pooled_ND, pooled_ND, rtol=1e-12, atol=1e-12)
    assert_close(encoding.tokens_NTD[mask_NT.bool()], tokens_NTD[mask_NT.bool()], rtol=1e-12, atol=1e-12)
    for mine, other in zip(encoder.model.parameters(), alone.parameters(), strict=True):
        assert_close(mine.grad, other.grad, rtol=1e-10, atol=1e-10)
    real, padded = int(mask_NT.sum()), mask_NT.numel()
    assert len(computed) == 4  # 69 texts, of which each group has 16 at least
    assert real <= sum(computed) < real + (padded - real) / 3


def test_hidden_tokens_and_the_last_layers_are_those_of_the_whole_batch(encoder):
    batch = encoder.collate(TEXTS)
    layout = encoder.token_layout(batch)
    replaced_NT = layout.maskable_NT & (torch.rand(layout.maskable_NT.shape) < 0.4)
    vector_D = torch.randn(16, dtype=torch.float64)
    mask = coview.TokenMask(layout, replaced_NT, replaced_NT, replaced_NT[:, None], "replace")
    given = encoder.encode_tokens(batch, mask, mask_token_D=vector_D, layers=2)

    embedded_NTD = encoder.model.get_input_embeddings()(batch["input_ids"])
    embedded_NTD = torch.where(replaced_NT[..., None], vector_D, embedded_NTD)
    other = encoder.model(
        inputs_embeds=embedded_NTD, attention_mask=batch["attention_mask"], output_hidden_states=True
    ).hidden_states
    real_NT = batch["attention_mask"].bool()
    assert len(given.layers_LNTD) == 2
    for mine, theirs in zip(given.layers_LNTD, other[1:], strict=True):
        assert_close(mine[real_NT], theirs[real_NT], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lengths", [[5] * 40, [0] * 40, [3, 1], list(range(40))])
def test_rows_come_back_in_their_order(lengths):
    mask_NT = (torch.arange(max(1, *lengths)) < torch.tensor(lengths)[:, None]).long()
    value_NT = torch.arange(len(lengths))[:, None].expand_as(mask_NT) * mask_NT
    sums_ND, tokens_NTD = by_length(
        lambda part: [part["value"].sum(1, keepdim=True), part["value"][..., None]], {"value": value_NT}, mask_NT
    )
    assert sums_ND[:, 0].tolist() == [row * length for row, length in enumerate(lengths)]
    assert torch.equal(tokens_NTD[..., 0], value_NT)


@pytest.mark.gpu
def test_a_gpu_computes_the_batch_at_once(encoder):
    batch = {name: tensor.cuda() for name, tensor in encoder.collate(TEXTS).items()}
    runs = []
    by_length(lambda part: [runs.append(1), part["input_ids"]][1:], batch, batch["attention_mask"])
    assert len(runs) == 1
