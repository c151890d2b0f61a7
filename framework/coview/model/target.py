"""The contract of targets, which plugins implement: what has to be predicted of a hidden token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor

Sees = Literal["input", "teacher", "teacher_decoder"]


@dataclass(frozen=True)
class TargetInput:
    """What a target is made of, for all tokens or for those that are wanted.

    N row · T token · K wanted token · D width · P numbers of a token's input.

    Attributes:
        values_NTP: What each token is made of, or ``(N, T)`` classes, where the target sees the input.
        layers_LNTD: What the teacher's last layers make of each token of the whole view, where it sees the teacher.
        decoded_KP: What the teacher's decoder makes of its tokens that are wanted, where it sees that.
        real_NT: True where a token is one, False where it is padding.
    """

    real_NT: Tensor
    values_NTP: Tensor | None = None
    layers_LNTD: tuple[Tensor, ...] = ()
    decoded_KP: Tensor | None = None


class Target(Protocol):
    """What has to be predicted: numbers, or a class, of each token.

    The registered target is called as ``target(**parameters)``, and with ``in_width`` (D of the encoder's tokens),
    ``values`` (numbers that a token's input has, 0 for none) and ``classes`` (how many different tokens there are, 0
    where they are none) as far as it takes them; it is cheap. One with weights is an ``nn.Module``.

    Attributes:
        sees: What it is made of.
        layers: How many of the teacher's layers it sees; 0 for none.
        width: Numbers that a prediction has: as many as the target, or one for each class; 0 where the recipe's decoder
            says how many, of a target that is itself decoded.
        is_class: Whether it is a class.
    """

    sees: ClassVar[Sees]
    layers: int
    width: int
    is_class: bool

    def __call__(self, given: TargetInput, /) -> Tensor:
        """``(N, T, width)`` numbers or ``(N, T)`` classes, without gradient; ``(K, width)`` of what is decoded."""
        ...


@runtime_checkable
class RestoresInput(Protocol):
    """A target of which a prediction says what the hidden token's input was, so that it can be shown.

    Attributes:
        restored_with: What a prediction is put together with to show it, in words; empty where it says all itself.
    """

    restored_with: str

    def restored(self, predictions_KP: Tensor, inputs_KP: Tensor, /) -> Tensor:
        """The inputs that predictions stand for: ``(K, P)``, or ``(K, classes)`` logits.

        Args:
            predictions_KP: Of a decoder.
            inputs_KP: What the tokens were made of, or ``(K,)`` classes.
        """
        ...
