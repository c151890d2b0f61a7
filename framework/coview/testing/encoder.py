"""What every encoder promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.batch import to_device
from coview.data.generators import seeded
from coview.data.modality import Modality
from coview.data.same import same
from coview.data.structured_batch import StructuredBatch
from coview.errors import few
from coview.model.encoder import Encoding, FitsToData
from coview.model.meta_device import tried_out
from coview.testing.conformance import Check, Problems, run_checks, tried_on_the_cpu
from coview.testing.encoder_masks import AFTER, MASKED_ENCODER_CHECKS
from coview.testing.encoder_under_test import TOLERANCE, EncoderUnderTest
from coview.testing.other_interpreter import Failed, call_elsewhere, is_pickled

TRIES = 3
"""How often weights are moved, among which one that is used gets a gradient that is not zero."""


def encodes_into_its_width(tested: EncoderUnderTest) -> Problems:
    """A finite ``pooled_ND`` of (N, width); tokens (N, T, D) and a mask (N, T) of booleans where there are any."""
    encoder = tested.fresh()
    encoding: Any = tested.encode(encoder.eval(), tested.values)
    if not isinstance(encoding, Encoding):
        yield f"it returns {type(encoding).__name__}, not coview.Encoding"
        return
    expected = (len(tested.values), _width(encoder))
    if tuple(encoding.pooled_ND.shape) != expected:
        yield f"pooled_ND is of shape {tuple(encoding.pooled_ND.shape)}, and N and width are {expected}"
    if not encoding.pooled_ND.isfinite().all():
        yield "pooled_ND is not finite"
    tokens, mask = encoding.tokens_NTD, encoding.mask_NT
    if tokens is not None and (tokens.ndim != 3 or len(tokens) != len(tested.values)):
        yield f"tokens_NTD is of shape {tuple(tokens.shape)}"
    if mask is not None and (mask.dtype != torch.bool or tokens is None or mask.shape != tokens.shape[:2]):
        yield f"mask_NT has to be of booleans, one for each token: it is {mask.dtype} of shape {tuple(mask.shape)}"


def leaves_its_batch_alone(tested: EncoderUnderTest) -> Problems:
    """It writes into nothing of the batch and its context: the teacher, and a second pass of the gradient cache, get
    them too."""
    for mode in (True, False):
        encoder = tested.fresh().train(mode)
        batch = tested.collated(encoder, tested.values)
        before, context = copy.deepcopy((batch, tested.context))
        with torch.no_grad():
            tested.called(encoder, batch)
        how = f"in {'training' if mode else 'evaluation'} mode it writes into the"
        if not same(batch, before):
            yield f"{how} batch that it is given"
        if not same(tested.context, context):
            yield f"{how} context that all samples share"


def padding_changes_nothing(tested: EncoderUnderTest) -> Problems:
    """Evaluated, each value is encoded alone as it is among others, longer or shorter."""
    encoder = tested.fresh().eval()
    with torch.no_grad():
        together = tested.encode(encoder, tested.values).pooled_ND
        for row, value in enumerate(tested.values):
            alone = tested.encode(encoder, [value]).pooled_ND[0]
            difference = float((alone - together[row]).abs().max() / together.abs().max().clamp(min=1e-12))
            if not difference <= TOLERANCE:
                yield f"value {row} alone is encoded differently than among {len(together)}, by {difference:.2g}"


def is_still_in_evaluation_mode(tested: EncoderUnderTest) -> Problems:
    """After ``eval()`` it draws nothing and changes none of its buffers: twice gives the same."""
    encoder = tested.fresh().eval()
    before = {name: tensor.clone() for name, tensor in encoder.named_buffers()}
    with torch.no_grad():
        first, second = (tested.encode(encoder, tested.values).pooled_ND for _ in range(2))
    if not torch.equal(first, second):
        yield "in evaluation mode the same values are encoded differently twice"
    for name, tensor in encoder.named_buffers():
        if not same(tensor, before[name]):
            yield f"in evaluation mode it changes its buffer {name}"


def rows_can_be_selected(tested: EncoderUnderTest) -> Problems:
    """Of a structured batch, some rows in another order are encoded as they are among all."""
    encoder = tested.fresh().eval()
    batch = tested.collated(encoder, tested.values)
    if isinstance(batch, Tensor) or not isinstance(batch, StructuredBatch):
        return
    if len(batch) != len(tested.values):
        yield f"of {len(tested.values)} values its batch has {len(batch)} rows"
        return
    with torch.no_grad():
        together = tested.called(encoder, batch).pooled_ND
        for rows in ([len(batch) - 1, 0], list(range(len(batch)))):
            part = batch.select(torch.tensor(rows))
            if len(part) != len(rows):
                yield f"select of the rows {rows} gives {len(part)} rows"
            elif not torch.allclose(
                tested.called(encoder, part).pooled_ND, together[rows], rtol=0, atol=_largest(together) * TOLERANCE
            ):
                yield f"the rows {rows} that select gives are encoded differently than among all {len(batch)}"


def _largest(pooled_ND: Tensor) -> float:
    return float(pooled_ND.abs().max())


def every_weight_learns(tested: EncoderUnderTest) -> Problems:
    """Each parameter that wants a gradient gets one from ``pooled_ND``, and not zero wherever the weights are."""
    encoder = tested.fresh().train()
    generator = torch.Generator().manual_seed(0)
    largest: dict[str, float] = {}
    for _ in range(TRIES):
        pooled = tested.encode(encoder, tested.values).pooled_ND
        (pooled * torch.randn(pooled.shape, generator=generator)).sum().backward()
        for name, weight in encoder.named_parameters():
            if weight.requires_grad:
                size = 0.0 if weight.grad is None else float(weight.grad.abs().max())
                largest[name] = max(largest.get(name, 0.0), size)
        encoder.zero_grad(set_to_none=True)
        with torch.no_grad():  # a gate that begins at zero hides what is behind it
            for weight in encoder.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=generator).to(weight.dtype))
    without = [name for name, size in largest.items() if size == 0]
    if without:
        yield f"no gradient reaches {few(without)}: freeze or leave out what is not used"


def fits_the_same_twice(tested: EncoderUnderTest) -> Problems:
    """``fit`` to the same values finds the same: again, by a new instance, and in another process."""
    first = tested.built()
    if not isinstance(first, FitsToData):
        return
    expected = _found(tested, tested.fitted(first))
    others = {"when it is fitted again": _found(tested, tested.fitted(first))}
    with seeded(1):
        others["by a new instance, at another seed of the global generator"] = _found(tested, tested.fresh())
    if tested.factory.__module__ != "__main__" and is_pickled([tested]):
        for found in call_elsewhere(_fitted_anew, tested):
            if isinstance(found, Failed):
                yield f"in another interpreter it fails ({found.reason}), as it would in one that goes on with a run"
                break
            if not same(expected, found):
                others["in an interpreter of another PYTHONHASHSEED"] = found
    for how, found in others.items():
        if not same(expected, found):
            yield f"{how}, fit finds something else in the same values: a run could not be repeated"


def _fitted_anew(tested: EncoderUnderTest) -> Any:
    return _found(tested, tested.fresh())


def _found(tested: EncoderUnderTest, encoder: Any) -> Any:
    """What a fitted encoder has become: its state, and what it makes of the values."""
    with torch.no_grad():
        pooled = tested.encode(encoder.eval(), tested.values).pooled_ND
    return {**encoder.state_dict(), "pooled_ND": pooled}


def comes_back_from_its_state(tested: EncoderUnderTest) -> Problems:
    """A fresh one that loads the ``state_dict`` encodes the same, what it fitted to the data included."""
    encoder = tested.fresh()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.mul_(1.01)
    other = tested.factory(**copy.deepcopy(dict(tested.parameters)))
    try:
        other.load_state_dict(encoder.state_dict())
    except RuntimeError as error:
        yield f"one that is not fitted does not take the state_dict of one that is: {error}"
        return
    with torch.no_grad():
        expected, found = (tested.encode(each.eval(), tested.values).pooled_ND for each in (encoder, other))
    if not torch.equal(expected, found):
        yield "one that has loaded another's state_dict encodes differently"


def can_be_tried_out(tested: EncoderUnderTest) -> Problems:
    """It is built and called on the meta device: ``coview recipe check --build`` does so, without memory for it.

    One that asks for the numbers of a tensor is tried on the CPU, and this is said.
    """

    def on(device: torch.device) -> tuple[Tensor, int]:
        with device:
            encoder = tested.fitted(tested.factory(**copy.deepcopy(dict(tested.parameters))))
        batch = tested.collated(encoder, tested.values)
        with device:
            there = replace(tested, context=to_device(tested.context, device))
            return there.called(encoder, to_device(batch, device)).pooled_ND, encoder.width

    (pooled, width), why = tried_out(on)
    if why:
        yield tried_on_the_cpu(why)
    if tuple(pooled.shape) != (len(tested.values), width):
        yield f"on the {pooled.device.type} device pooled_ND is of shape {tuple(pooled.shape)}"


def is_a_module_with_a_width(tested: EncoderUnderTest) -> Problems:
    """An ``nn.Module`` whose ``width`` is a positive integer."""
    encoder = tested.fresh()
    if not isinstance(encoder, nn.Module):
        yield f"it is a {type(encoder).__name__}, not an nn.Module"
    width = _width(encoder)
    if not isinstance(width, int) or width < 1:
        yield f"its width has to be a positive integer, and is {width!r}"


ENCODER_CHECKS: Mapping[str, Check[EncoderUnderTest]] = {
    check.__name__: check
    for check in (
        is_a_module_with_a_width,
        encodes_into_its_width,
        leaves_its_batch_alone,
        is_still_in_evaluation_mode,
        padding_changes_nothing,
        rows_can_be_selected,
        every_weight_learns,
        fits_the_same_twice,
        comes_back_from_its_state,
        can_be_tried_out,
        *MASKED_ENCODER_CHECKS.values(),
    )
}
"""Name to check. Those of masks find nothing wrong with an encoder that takes none."""

_ENCODES = ("is_a_module_with_a_width", "encodes_into_its_width")

_AFTER = {
    "encodes_into_its_width": ("is_a_module_with_a_width",),
    **dict.fromkeys([*ENCODER_CHECKS][2:], _ENCODES),
    **dict.fromkeys(
        ("padding_changes_nothing", "rows_can_be_selected", "fits_the_same_twice", "comes_back_from_its_state"),
        (*_ENCODES, "is_still_in_evaluation_mode"),
    ),
    **{
        check: (*_ENCODES, "is_still_in_evaluation_mode", "padding_changes_nothing", *AFTER.get(check, ()))
        for check in MASKED_ENCODER_CHECKS
    },
}
"""What each compares has to be there, and to be the same twice."""


def _width(encoder: Any) -> Any:
    """What it says its width is; None where it does not say."""
    return encoder.width if isinstance(encoder, _HasWidth) else None


@runtime_checkable
class _HasWidth(Protocol):
    width: Any


def check_encoder(
    factory: Callable[..., Any],
    modality: Modality,
    values: Sequence[Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    context: Any = None,
    only: Collection[str] = tuple(ENCODER_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> list[str]:
    """Checks that an encoder keeps the promises of the contract, on the CPU.

    Args:
        factory: The encoder's class, or what else a recipe would build it by.
        modality: Its modality, built.
        values: At least two values, of different lengths where the modality has lengths.
        parameters: What every instance is built with; the defaults otherwise.
        context: What the samples of its data share, for an encoder that takes it.
        only: Names of the checks to run, of ``ENCODER_CHECKS``.
        except_for: Checks that this encoder is meant to fail, each with the reason. One that it passes is an error.

    Returns:
        What is not wrong but worth knowing, such as that it is tried out on the CPU.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or there are too few values.
    """
    if len(values) < 2:
        raise ValueError(f"give at least two values to try it on, got {len(values)}")
    tested = EncoderUnderTest(factory, parameters or {}, modality, tuple(values), context)
    return run_checks(ENCODER_CHECKS, tested, factory, only, except_for, after=_AFTER)
