"""Whether the parts of a tower make what they say: else a loss, or a probe, would stumble over it, or take it."""

from __future__ import annotations

from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.context import InContext
from coview.model.encoder import Encoder, Encoding, Projector

_HINT = "tell the author of the plugin: coview.testing.check_encoder tries an encoder"


@runtime_checkable
class _HasWidth(Protocol):
    width: Any


def width_of(part: Any, what: str) -> int:
    """The width that a part says it has.

    Args:
        part: An encoder or a projector.
        what: What it is called in the message.

    Raises:
        CoviewError: If it is no ``nn.Module``, or has no width that is a positive whole number.
    """
    if not isinstance(part, nn.Module):
        raise CoviewError(f"{what} has to be a torch.nn.Module, and is a {type(part).__name__}", hint=_HINT)
    width: Any = part.width if isinstance(part, _HasWidth) else None
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise CoviewError(
            f"{what} {type(part).__name__}: its width has to be a whole number of at least 1, got {width!r}", hint=_HINT
        )
    return width


def encode(encoder: nn.Module, batch: Any) -> Encoding:
    """What an encoder makes of a batch.

    Raises:
        CoviewError: If it is no :class:`Encoding`, or its ``pooled_ND`` is not as wide as the encoder says.
    """
    made = batch.encoded(encoder) if isinstance(batch, InContext) else cast(Encoder, encoder)(batch)
    return checked_encoding(encoder, made)


def checked_encoding(encoder: nn.Module, encoding: Any) -> Encoding:
    """What an encoder has made, if it is what it has to be.

    Raises:
        CoviewError: As :func:`encode`.
    """
    what = f"the encoder {type(encoder).__name__}"
    if not isinstance(encoding, Encoding):
        raise CoviewError(f"{what} has to return a coview.Encoding, and returns a {type(encoding).__name__}", _HINT)
    shape, width = encoding.pooled_ND.shape, cast(Encoder, encoder).width
    if len(shape) != 2 or shape[1] != width:
        raise CoviewError(f"{what} says that its width is {width}, and its pooled_ND is {tuple(shape)}", _HINT)
    return encoding


def project(part: nn.Module, x_ND: Tensor, width: int, kind: str) -> Tensor:
    """What a projector or a predictor makes of representations.

    Args:
        part: The projector or predictor.
        x_ND: What it gets.
        width: What it has to end in.
        kind: Which of the two it is.

    Raises:
        CoviewError: If it is of another shape than ``(N, width)``.
    """
    z_ND: Any = cast(Projector, part)(x_ND)
    if not isinstance(z_ND, Tensor) or z_ND.shape != (len(x_ND), width):
        found = tuple(z_ND.shape) if isinstance(z_ND, Tensor) else f"a {type(z_ND).__name__}"
        raise CoviewError(
            f"the {kind} {type(part).__name__} has to make {(len(x_ND), width)} of {tuple(x_ND.shape)}, and makes "
            f"{found}",
            hint="tell the author of the plugin: it has to end in its width",
        )
    return z_ND
