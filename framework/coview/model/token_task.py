"""What has to be predicted of hidden tokens, and by what: the mask, the decoder and the target of a recipe together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.token_mask import TokenMask
from coview.errors import CoviewError
from coview.model.decoder import decode, takes_values
from coview.model.encoder import Encoding
from coview.model.masked_calls import token_values
from coview.model.masked_encoder import TakesMask
from coview.model.target import RestoresInput, Target, TargetInput
from coview.plugins.registry import Registry
from coview.recipe.key import key_of_term
from coview.recipe.recipe import Recipe


class Part(NamedTuple):
    """Some views of a batch that go through the encoder together.

    Attributes:
        batch: As the encoder gets it.
        mask: What is hidden; None where nothing is.
    """

    batch: Any
    mask: TokenMask | None


def predicted(decoder: nn.Module, encoder: nn.Module, part: Part, encoding: Encoding) -> Tensor:
    """What the student's decoder predicts, ``(K, width)``, of a part that is masked."""
    assert part.mask is not None, "it is masked"
    values = token_values(cast(TakesMask, encoder), part.batch) if takes_values(decoder) else None
    return decode(decoder, encoding, part.mask, part.batch, values=values)


def targets_of_input(target: nn.Module, encoder: nn.Module, parts: Sequence[Part]) -> Tensor | None:
    """What has to be predicted, ``(K, …)``, of a target that sees the input; None where nothing is masked."""
    found = []
    for part in parts:
        if part.mask is not None:
            values_NTP = token_values(cast(TakesMask, encoder), part.batch)
            found.append(_wanted(target, part.mask, TargetInput(part.mask.layout.real_NT, values_NTP)))
    return torch.cat(found) if found else None


def targets_of_teacher(
    target: nn.Module, decoder: nn.Module | None, encoding: Encoding, mask: TokenMask, batch: Any
) -> Tensor:
    """What has to be predicted, of a target that sees the teacher.

    Args:
        target: The target.
        decoder: The teacher's.
        encoding: What it makes of whole views.
        mask: What is hidden of them from the student.
        batch: The views, as the encoder gets them.
    """
    if cast(Target, target).sees != "teacher_decoder":
        return _wanted(target, mask, TargetInput(mask.layout.real_NT, layers_LNTD=encoding.layers_LNTD))
    assert decoder is not None, "a topology that is masked has a decoder"
    decoded_KP = decode(decoder, encoding, mask, batch, seen_NT=mask.layout.real_NT)
    return cast(Tensor, target(TargetInput(mask.layout.real_NT, decoded_KP=decoded_KP)))


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
        row_K, _, _ = mask.places
        found.append(before + row_K // samples * of + first + row_K % samples)
        before += len(mask.hidden_NT) // samples * of
    return torch.cat(found)


def _wanted(target: nn.Module, mask: TokenMask, given: TargetInput) -> Tensor:
    """Of what a target makes of all tokens those that are wanted."""
    made: Any = target(given)
    row_K, _, token_K = mask.places
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
    offered = {"in_width": encoder.token_width, "values": encoder.value_width, "classes": encoder.classes}
    supplied = registry.parameters("target", recipe.target.use).taken(offered)
    torch.manual_seed(recipe.seed)
    try:
        target = registry.build("target", recipe.target.use, supplied=supplied, **recipe.target.parameters)
    except CoviewError as error:
        raise CoviewError(f"{recipe.where('target')}: {error.message}", hint=error.hint) from error
    _check_kind(recipe, target)
    return target if isinstance(target, nn.Module) else _AsModule(target)


def restores_input(target: nn.Module) -> RestoresInput | None:
    """The target of a topology as one whose predictions say what the input was; None where they do not."""
    built: Any = target.target if isinstance(target, _AsModule) else target
    return built if isinstance(built, RestoresInput) else None


def _check_kind(recipe: Recipe, target: Target) -> None:
    """Refuses a loss of classes for a target of numbers, and the other way round."""
    made = "classes" if target.is_class else "numbers"
    for index, term in enumerate(recipe.loss):
        if term.needs is not None and term.needs.tokens not in ("unused", "either", made):
            assert recipe.target is not None, "a recipe with a mask has a target"
            where = recipe.where(*key_of_term(index, len(recipe.loss)))
            raise CoviewError(
                f"{where}: {term.use} is a loss of hidden tokens that are {term.needs.tokens}, and the target "
                f'"{recipe.target.use}" of this encoder makes {made}',
                hint="take token_cross_entropy for classes, and token_mse or token_smooth_l1 for numbers",
            )


def width_of_predictions(recipe: Recipe, decoder: nn.Module, wanted: int) -> int:
    """How wide predictions are: as the target is, or as the decoder says where the target does not.

    Raises:
        CoviewError: If the decoder says another width than the target's, or none.
    """
    says: Any = decoder.width if isinstance(decoder, _SaysWidth) else None
    if wanted and says in (None, wanted):
        return wanted
    if isinstance(says, int) and not wanted:
        return says
    raise _misfit(recipe, says, wanted)


def _misfit(recipe: Recipe, says: Any, wanted: int) -> CoviewError:
    """A decoder whose predictions are not as wide as the target, or of no width at all."""
    assert recipe.decoder is not None, "a recipe with a mask has a decoder"
    assert recipe.target is not None, "a recipe with a mask has a target"
    use, target = recipe.decoder.use, recipe.target.use
    said = f'{use} takes its width from the target, and "{target}" has none'
    if wanted:
        said = f'{use} makes predictions of {says} numbers, and the target "{target}" has {wanted}'
    return CoviewError(
        f"{recipe.where('decoder', 'use')}: {said}",
        hint='take linear, mlp or transformer for a target of its own width, and ibot_head for "teacher_decoder"',
    )


@runtime_checkable
class _SaysWidth(Protocol):
    width: Any


class _AsModule(nn.Module):
    """A target without weights."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target
        self.sees, self.layers, self.width, self.is_class = target.sees, target.layers, target.width, target.is_class

    def forward(self, given: TargetInput) -> Tensor:
        return self.target(given)


def build_decoder(recipe: Recipe, registry: Registry, encoder: TakesMask, width: int) -> nn.Module:
    """The decoder of a recipe with a mask, for predictions of a width; 0 where it says itself how wide they are.

    Raises:
        CoviewError: If it cannot be one of this encoder's tokens.
    """
    assert recipe.decoder is not None, "a recipe with a mask has a decoder"
    offered = {"in_width": encoder.token_width, "width": width, "encoder": encoder}
    supplied = registry.parameters("decoder", recipe.decoder.use).taken(offered)
    if not width and "width" in supplied:
        raise _misfit(recipe, None, width)
    try:
        built: nn.Module = registry.build("decoder", recipe.decoder.use, supplied=supplied, **recipe.decoder.parameters)
    except CoviewError as error:
        raise CoviewError(f"{recipe.where('decoder')}: {error.message}", hint=error.hint) from error
    return built
