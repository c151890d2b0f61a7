"""What every encoder promises, one check each. A check yields what is wrong, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.batch import map_tensors
from coview.data.modality import Modality
from coview.data.same import same
from coview.errors import few
from coview.model.encoder import Encoding, FitsToData
from coview.model.encoder_hooks import collator
from coview.testing.conformance import Problems

TOLERANCE = 1e-4
"""Relative to the largest number of an encoding: other batch sizes take other kernels, in fp32."""


@dataclass(frozen=True)
class EncoderUnderTest:
    """An encoder, by what builds it, and values to try it on.

    Attributes:
        factory, parameters: A fresh instance is ``factory(**parameters)``.
        modality: What makes batches for it, unless it does so itself.
        values: Values of its modality, of different lengths where the modality has lengths.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    modality: Modality
    values: Sequence[Any]

    def fresh(self) -> Any:
        """A new instance with the same weights each time, fitted to the values where it fits itself."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoder = self.factory(**copy.deepcopy(dict(self.parameters)))
        if isinstance(encoder, FitsToData):
            encoder.fit(iter(self.values))
        return encoder

    def encode(self, encoder: Any, values: Sequence[Any]) -> Encoding:
        """The encoding of some values, in whichever mode the encoder is."""
        encoding: Encoding = encoder(collator(self.modality, encoder).collate(values))
        return encoding


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


def every_weight_learns(tested: EncoderUnderTest) -> Problems:
    """Each parameter that wants a gradient gets one from ``pooled_ND``."""
    encoder = tested.fresh().train()
    pooled = tested.encode(encoder, tested.values).pooled_ND
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(0))
    (pooled * weights).sum().backward()
    without = [name for name, weight in encoder.named_parameters() if weight.requires_grad and weight.grad is None]
    if without:
        yield f"no gradient reaches {few(without)}: freeze or leave out what is not used"


def comes_back_from_its_state(tested: EncoderUnderTest) -> Problems:
    """A fresh one that loads the ``state_dict`` encodes the same, what it fitted to the data included."""
    encoder = tested.fresh()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.mul_(1.01)
    other = tested.factory(**copy.deepcopy(dict(tested.parameters)))
    other.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        expected, found = (tested.encode(each.eval(), tested.values).pooled_ND for each in (encoder, other))
    if not torch.equal(expected, found):
        yield "one that has loaded another's state_dict encodes differently"


def can_be_tried_out(tested: EncoderUnderTest) -> Problems:
    """It is built and called on the meta device: ``coview recipe check --build`` does so."""
    with torch.device("meta"):
        encoder = tested.factory(**copy.deepcopy(dict(tested.parameters)))
        if isinstance(encoder, FitsToData):
            encoder.fit(iter(tested.values))
    batch = collator(tested.modality, encoder).collate(tested.values)

    def on_meta(tensor: Tensor) -> Tensor:
        return tensor.to("meta")

    with torch.device("meta"):
        pooled = encoder(map_tensors(on_meta, batch)).pooled_ND
    if tuple(pooled.shape) != (len(tested.values), encoder.width):
        yield f"on the meta device pooled_ND is of shape {tuple(pooled.shape)}"


def is_a_module_with_a_width(tested: EncoderUnderTest) -> Problems:
    """An ``nn.Module`` whose ``width`` is a positive integer."""
    encoder = tested.fresh()
    if not isinstance(encoder, nn.Module):
        yield f"it is a {type(encoder).__name__}, not an nn.Module"
    width = _width(encoder)
    if not isinstance(width, int) or width < 1:
        yield f"its width has to be a positive integer, and is {width!r}"


ENCODER_CHECKS: Mapping[str, Callable[[EncoderUnderTest], Problems]] = {
    check.__name__: check
    for check in (
        is_a_module_with_a_width,
        encodes_into_its_width,
        padding_changes_nothing,
        is_still_in_evaluation_mode,
        every_weight_learns,
        comes_back_from_its_state,
        can_be_tried_out,
    )
}
"""Name to check."""


def _width(encoder: Any) -> Any:
    """What it says its width is; None where it does not say."""
    return encoder.width if isinstance(encoder, _HasWidth) else None


@runtime_checkable
class _HasWidth(Protocol):
    width: Any
