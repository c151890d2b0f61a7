"""What is to be predicted of hidden tokens, and by what: the mask, the decoder and the target of a recipe together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from coview.data.token_mask import TokenMask
from coview.errors import CoviewError
from coview.model.decoder import decode
from coview.model.encoder import Encoding
from coview.model.masked_encoder import TakesMask
from coview.model.target import Target, TargetInput
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Part(NamedTuple):
    """Some views of a batch that go through the encoder together.

    Attributes:
        batch: As the encoder gets it.
        mask: What is hidden; None where nothing is.
    """

    batch: Any
    mask: TokenMask | None


def targets_of_input(target: nn.Module, encoder: nn.Module, parts: Sequence[Part]) -> Tensor | None:
    """What is to be predicted, ``(K, …)``, of a target that sees the input; None for another, or without a mask."""
    if cast(Target, target).sees != "input":
        return None
    found = []
    for part in parts:
        if part.mask is not None:
            values_NTP = cast(TakesMask, encoder).token_values(part.batch)
            found.append(_wanted(target, part.mask, TargetInput(part.mask.layout.real_NT, values_NTP)))
    return torch.cat(found) if found else None


def targets_of_teacher(
    target: nn.Module, decoder: nn.Module | None, encodings: Sequence[Encoding], masks: Sequence[TokenMask | None]
) -> Tensor | None:
    """What is to be predicted, of a target that sees the teacher; None where nothing is masked.

    Args:
        target: The target.
        decoder: The teacher's.
        encodings: What it makes of whole views.
        masks: What is hidden of them from the student.
    """
    found = []
    for encoding, mask in zip(encodings, masks, strict=True):
        if mask is None:
            continue
        if cast(Target, target).sees == "teacher_decoder":
            assert decoder is not None, "a topology that is masked has a decoder"
            assert encoding.tokens_NTD is not None, "an encoder that takes a mask gives tokens"
            decoded_KP = decode(decoder, encoding.tokens_NTD, mask, seen_NT=mask.layout.real_NT)
            found.append(target(TargetInput(mask.layout.real_NT, decoded_KP=decoded_KP)))
        else:
            given = TargetInput(mask.layout.real_NT, layers_LNTD=encoding.layers_LNTD)
            found.append(_wanted(target, mask, given))
    return torch.cat(found) if found else None


def rows_of(masks: Sequence[TokenMask], first: int, samples: int, of: int) -> Tensor:
    """Which masked view each prediction is of, counted over the batch as :class:`HiddenTokens` does.

    Args:
        masks: Of some samples, in the order in which they are predicted: each of V views of these samples.
        first: The first of the samples.
        samples: How many they are.
        of: How many there are in the batch.
    """
    found, before = [], 0
    for mask in masks:
        row_K, _, _ = mask.places()
        found.append(before + row_K // samples * of + first + row_K % samples)
        before += len(mask.hidden_NT) // samples * of
    return torch.cat(found)


def _wanted(target: nn.Module, mask: TokenMask, given: TargetInput) -> Tensor:
    """Of what a target makes of all tokens those that are wanted."""
    made: Any = target(given)
    row_K, _, token_K = mask.places()
    return cast(Tensor, made[row_K, token_K])


def that_takes_mask(recipe: Recipe, encoder: nn.Module) -> TakesMask:
    """The encoder of a recipe with a mask.

    Raises:
        CoviewError: If it takes no mask.
    """
    if isinstance(encoder, TakesMask) and encoder.hides:
        return encoder
    (modality,) = recipe.modalities
    raise CoviewError(
        f'{recipe.where("mask")}: the encoder "{recipe.encoder[modality].use}" takes no mask: it has no tokens that '
        "could be hidden",
        hint="take a transformer: coview plugins list shows the encoders that there are",
    )


def build_target(recipe: Recipe, registry: Registry, encoder: TakesMask) -> nn.Module:
    """The target of a recipe with a mask.

    Raises:
        CoviewError: If the encoder's tokens are not what it is made of.
    """
    assert recipe.target is not None, "a recipe with a mask has a target"
    supplied = {"in_width": encoder.token_width, "values": encoder.value_width, "classes": encoder.classes}
    asks = registry.parameters("target", recipe.target.use).supplied
    torch.manual_seed(recipe.seed)
    try:
        target = registry.build(
            "target", recipe.target.use, supplied={k: supplied[k] for k in asks}, **recipe.target.parameters
        )
    except CoviewError as error:
        raise CoviewError(f"{recipe.where('target')}: {error.message}", hint=error.hint) from error
    return target if isinstance(target, nn.Module) else _AsModule(target)


class _AsModule(nn.Module):
    """A target without weights."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self.sees, self.layers, self.width, self.is_class = target.sees, target.layers, target.width, target.is_class

    def forward(self, given: TargetInput) -> Tensor:
        return self._target(given)


def build_decoder(recipe: Recipe, registry: Registry, encoder: TakesMask, width: int) -> nn.Module:
    """The decoder of a recipe with a mask, for predictions of a width; 0 where it says itself how wide they are.

    Raises:
        CoviewError: If it cannot be one of this encoder's tokens.
    """
    assert recipe.decoder is not None, "a recipe with a mask has a decoder"
    asks = registry.parameters("decoder", recipe.decoder.use).supplied
    if width == 0 and "width" in asks:
        width = encoder.token_width
    given = {"in_width": encoder.token_width, "width": width, "encoder": encoder}
    supplied = {name: given[name] for name in asks}
    try:
        built: nn.Module = registry.build("decoder", recipe.decoder.use, supplied=supplied, **recipe.decoder.parameters)
    except CoviewError as error:
        raise CoviewError(f"{recipe.where('decoder')}: {error.message}", hint=error.hint) from error
    return built
