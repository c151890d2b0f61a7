"""What an encoder of which tokens can be hidden promises besides, one check each."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from coview.data.batch import map_tensors
from coview.data.same import same
from coview.data.token_mask import Hide, TokenLayout, TokenMask
from coview.model.encoder import Encoding
from coview.model.masked_calls import encode_tokens, token_layout, token_values
from coview.model.masked_encoder import TakesMask
from coview.model.widths import encode
from coview.testing.conformance import Check, Note, Problems
from coview.testing.encoder_under_test import TOLERANCE, EncoderUnderTest
from coview.testing.shown_tokens import shows_each_token_where_it_is

_LAYERS = 1


def says_which_tokens_it_has(tested: EncoderUnderTest) -> Problems:
    """``token_layout`` is of the tokens that come out, and ``token_values`` of as many, of the kind that it says."""
    for encoder, batch in _masked(tested, of_one_token=True):
        encoding = encode(cast(nn.Module, encoder), batch)
        layout, values = token_layout(encoder, batch), token_values(encoder, batch)
        if encoding.tokens_NTD is None:
            yield "it takes a mask, and gives no tokens_NTD"
            return
        expected = (*layout.real_NT.shape, encoder.token_width)
        if tuple(encoding.tokens_NTD.shape) != expected:
            found = tuple(encoding.tokens_NTD.shape)
            yield f"tokens_NTD is of shape {found}; by token_layout and token_width {expected}"
            return
        if _are_of_one_token(layout):
            yield Note("no value has more than one token: what it promises of hidden tokens is not tried")
        elif int(layout.maskable_NT.sum(1).max()) < 2:
            yield "none of the values has two tokens that may be hidden: give it longer ones, or smaller tokens"
        if bool((layout.maskable_NT & ~layout.real_NT).any()):
            yield "token_layout says that padding may be hidden"
        if encoding.mask_NT is not None and not torch.equal(encoding.mask_NT, layout.real_NT):
            yield "mask_NT of its encoding says otherwise than token_layout which tokens are padding"
        yield from _wrong_values(encoder, layout, values)


def _wrong_values(encoder: TakesMask, layout: TokenLayout, values: Tensor) -> Problems:
    if bool(encoder.value_width) and bool(encoder.classes):
        yield f"its tokens are numbers (value_width = {encoder.value_width}) and classes (classes = {encoder.classes})"
    elif encoder.value_width and tuple(values.shape) != (*layout.real_NT.shape, encoder.value_width):
        yield f"token_values is of shape {tuple(values.shape)}, and value_width is {encoder.value_width}"
    elif encoder.classes:
        if values.dtype != torch.int64 or values.shape != layout.real_NT.shape:
            yield f"token_values has to be int64 of shape {tuple(layout.real_NT.shape)}: it is {values.dtype}"
        elif not bool(((values >= 0) & (values < encoder.classes))[layout.real_NT].all()):
            yield f"token_values has classes that are not below classes = {encoder.classes}"


def leaves_its_batch_and_mask_alone(tested: EncoderUnderTest) -> Problems:
    """It writes into neither: the target and the teacher get them too."""
    for encoder, batch in _masked(tested):
        before = copy.deepcopy(batch)
        layout = token_layout(encoder, batch)
        token_values(encoder, batch)
        for hide in _ways(encoder):
            mask = _mask(layout, _every_other(layout), hide)
            kept = mask.map_tensors(torch.clone)
            _encode(encoder, batch, mask)
            if not same(mask, kept):
                yield f'with hide = "{hide}" it writes into the mask that it is given'
        if not same(batch, before):
            yield "with a mask it writes into the batch that it is given"


def encodes_the_same_where_nothing_is_hidden(tested: EncoderUnderTest) -> Problems:
    """``encode_tokens`` without a mask, and with one that keeps every token, gives what the encoder gives."""
    for encoder, batch in _masked(tested):
        expected = encode(cast(nn.Module, encoder), batch)
        layout = token_layout(encoder, batch)
        none_NT = torch.zeros_like(layout.real_NT)
        found = {
            "without a mask": _encode(encoder, batch, None),
            "where its layers are asked for": _encode(encoder, batch, None, layers=_LAYERS),
        } | {
            f'with hide = "{hide}" and no hidden token': _encode(encoder, batch, _mask(layout, none_NT, hide))
            for hide in _ways(encoder)
        }
        if "replace" in encoder.hides:
            kept = TokenMask(layout, _every_other(layout), none_NT, none_NT[:, None], "replace")
            found["where hidden tokens are kept as they are"] = _encode(encoder, batch, kept)
        for how, encoding in found.items():
            if not _alike(encoding, expected, layout.real_NT):
                yield f"{how}, encode_tokens makes something else than the encoder itself"
        layers = found["where its layers are asked for"].layers_LNTD
        shapes = [tuple(layer.shape) for layer in layers]
        if shapes != [(*layout.real_NT.shape, encoder.token_width)] * _LAYERS:
            yield f"asked for {_LAYERS} of its layers, layers_LNTD is of shapes {shapes}"


def hides_in_every_way_it_says(tested: EncoderUnderTest) -> Problems:
    """Each of ``hides`` changes what comes out, and the learnt token that it is given gets a gradient."""
    for encoder, batch in _masked(tested):
        layout = token_layout(encoder, batch)
        hidden_NT = _every_other(layout)
        whole = _encode(encoder, batch, None)
        seen_NT = layout.real_NT & ~hidden_NT
        for hide in _ways(encoder):
            if _alike(_encode(encoder, batch, _mask(layout, hidden_NT, hide)), whole, seen_NT):
                yield f'with hide = "{hide}" it encodes as if nothing were hidden'
        if "replace" in encoder.hides and encoder.mask_width:
            token_D = _mask_token(encoder).requires_grad_()
            with torch.enable_grad():
                encoding = encode_tokens(encoder, batch, _mask(layout, hidden_NT, "replace"), mask_token_D=token_D)
                encoding.pooled_ND.square().sum().backward()
            if token_D.grad is None or not bool(token_D.grad.any()):
                yield "the learnt token that it is given, mask_token_D, gets no gradient"
        if "swap" in encoder.hides:
            none_NT = torch.zeros_like(hidden_NT)
            swaps = [torch.where(hidden_NT, number, -1.0) for number in (0.2, 0.7)]
            made = [
                _encode(encoder, batch, TokenMask(layout, hidden_NT, none_NT, none_NT[:, None], "replace", swap_NT))
                for swap_NT in swaps
            ]
            if _alike(made[0], whole, seen_NT) or _alike(made[0], made[1], seen_NT):
                yield "a token that is swapped for another changes nothing"


def does_not_see_what_is_hidden(tested: EncoderUnderTest) -> Problems:
    """Other numbers at the places of hidden tokens change nothing that comes out of the others, nor ``pooled_ND``.

    It is tried where ``token_values`` says what of the batch a token is made of.
    """
    for encoder, batch in _masked(tested):
        layout = token_layout(encoder, batch)
        hidden_NT = _second_half(layout)
        other = _changed(encoder, batch, hidden_NT, layout.real_NT & ~hidden_NT)
        for hide in _ways(encoder):
            mask = _mask(layout, hidden_NT, hide)
            one, changed = (_encode(encoder, given, mask) for given in (batch, other))
            if not _alike(one, changed, mask.seen_NT):
                yield f'with hide = "{hide}", what is hidden changes what it makes of the rest'


def padding_changes_nothing_beside_hidden_tokens(tested: EncoderUnderTest) -> Problems:
    """With a mask, too, a value is encoded alone as among others."""
    for encoder, batch in _masked(tested):
        for hide in _ways(encoder):
            layout = token_layout(encoder, batch)
            mask = _mask(layout, _every_other(layout), hide)
            together, seen_NT = _encode(encoder, batch, mask), mask.seen_NT
            for row, value in enumerate(tested.values):
                single = tested.given(encoder, [value])
                its = token_layout(encoder, single)
                of_one = _mask(its, _every_other(its), hide)
                alone = _encode(encoder, single, of_one)
                tokens = _tokens(together)[row][seen_NT[row]], _tokens(alone)[0][of_one.seen_NT[0]]
                if not (_near(*tokens) and _near(together.pooled_ND[row], alone.pooled_ND[0])):
                    yield (
                        f'with hide = "{hide}", value {row} alone is encoded differently than among '
                        f"{len(tested.values)}"
                    )


def _masked(tested: EncoderUnderTest, *, of_one_token: bool = False) -> Iterator[tuple[TakesMask, Any]]:
    """The encoder in evaluation mode and a batch of all values; nothing for one that takes no mask.

    Args:
        tested: The encoder.
        of_one_token: Whether also where no value has a second token, so that none can be hidden.
    """
    encoder = tested.fresh().eval()
    if isinstance(encoder, TakesMask) and encoder.hides:
        with torch.no_grad():
            batch = tested.given(encoder, tested.values)
            if of_one_token or not _are_of_one_token(token_layout(encoder, batch)):
                yield encoder, batch


def _are_of_one_token(layout: TokenLayout) -> bool:
    return int(layout.real_NT.sum(1).max()) < 2


def _ways(encoder: TakesMask) -> list[Hide]:
    ways: tuple[Hide, ...] = ("replace", "drop")
    return [hide for hide in ways if hide in encoder.hides]


def _mask(layout: TokenLayout, hidden_NT: Tensor, hide: Hide) -> TokenMask:
    return TokenMask(layout, hidden_NT, hidden_NT, hidden_NT[:, None], hide)


def _mask_token(encoder: TakesMask) -> Tensor:
    return torch.randn(encoder.mask_width, generator=torch.Generator().manual_seed(0))


def _encode(encoder: TakesMask, batch: Any, mask: TokenMask | None, layers: int = 0) -> Encoding:
    """What it makes, with the learnt token where it needs one."""
    needs_token = mask is not None and mask.hide == "replace" and encoder.mask_width
    token_D = _mask_token(encoder) if needs_token else None
    return encode_tokens(encoder, batch, mask, mask_token_D=token_D, layers=layers)


def _every_other(layout: TokenLayout) -> Tensor:
    """Every second token, of a grid like the squares of a chess board: the same however much padding there is."""
    places = torch.meshgrid(*(torch.arange(size) for size in layout.shape), indexing="ij")
    odd_NT = (sum(places) % 2 == 1).flatten().expand(len(layout.real_NT), -1)  # type: ignore[union-attr]
    return layout.whole(odd_NT) & layout.maskable_NT


def _second_half(layout: TokenLayout) -> Tensor:
    """What is on the right of a grid, or at the end of a row: much of a sound is of no other token then."""
    late = torch.arange(layout.shape[-1]) >= layout.shape[-1] // 2
    return layout.whole(late.expand(len(layout.real_NT), *layout.shape).flatten(1)) & layout.maskable_NT


def _changed(encoder: TakesMask, batch: Any, hidden_NT: Tensor, seen_NT: Tensor) -> Any:
    """The batch with other numbers where hidden tokens, and no others, are made of them."""
    if encoder.classes:
        ids_NT = token_values(encoder, batch)
        other_NT = torch.where(hidden_NT, (ids_NT + 1) % encoder.classes, ids_NT)
        return map_tensors(lambda tensor: other_NT if same(tensor, ids_NT) else tensor, batch)
    if not encoder.value_width:
        return batch
    with torch.enable_grad():
        given = map_tensors(lambda x: x.clone().requires_grad_() if x.is_floating_point() else x, batch)
        values_NTP = token_values(encoder, given)
        floats: list[Tensor] = []
        map_tensors(lambda x: floats.append(x) or x if x.requires_grad else x, given)  # type: ignore[func-returns-value]
        if not floats:  # tokens are made of what is in the context
            return batch
        of = [
            torch.autograd.grad(values_NTP[of_NT].square().sum(), floats, retain_graph=True, allow_unused=True)
            for of_NT in (hidden_NT, seen_NT)
        ]
    generator = torch.Generator().manual_seed(0)
    changed = iter(
        x.detach() if g is None else x.detach() + _only(g, s) * torch.randn(x.shape, generator=generator)
        for x, g, s in zip(floats, *of, strict=True)
    )
    return map_tensors(lambda x: next(changed) if x.requires_grad else x, given)


def _only(of_hidden: Tensor, of_seen: Tensor | None) -> Tensor:
    return of_hidden.ne(0) if of_seen is None else of_hidden.ne(0) & of_seen.eq(0)


def _tokens(encoding: Encoding) -> Tensor:
    assert encoding.tokens_NTD is not None, "it has been seen that it gives tokens"
    return encoding.tokens_NTD


def _alike(one: Encoding, other: Encoding, where_NT: Tensor) -> bool:
    pooled = _near(one.pooled_ND, other.pooled_ND)
    return pooled and _near(_tokens(one)[where_NT], _tokens(other)[where_NT])


def _near(one: Tensor, other: Tensor) -> bool:
    """As near as other kernels make it."""
    size = float(other.abs().max()) if other.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=TOLERANCE * max(size, 1e-12))


MASKED_ENCODER_CHECKS: Mapping[str, Check[EncoderUnderTest]] = {
    check.__name__: check
    for check in (
        says_which_tokens_it_has,
        leaves_its_batch_and_mask_alone,
        encodes_the_same_where_nothing_is_hidden,
        hides_in_every_way_it_says,
        does_not_see_what_is_hidden,
        padding_changes_nothing_beside_hidden_tokens,
        shows_each_token_where_it_is,
    )
}
"""By name, in the order in which they run."""

_FIRST = ("says_which_tokens_it_has", "leaves_its_batch_and_mask_alone")

AFTER: Mapping[str, tuple[str, ...]] = {
    "leaves_its_batch_and_mask_alone": _FIRST[:1],
    **dict.fromkeys([*MASKED_ENCODER_CHECKS][2:], _FIRST),
    "does_not_see_what_is_hidden": (*_FIRST, "hides_in_every_way_it_says"),
}
"""Which of these checks each means something after."""
