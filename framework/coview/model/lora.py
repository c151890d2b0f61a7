"""LoRA by peft: small matrices beside linear layers of an encoder, and encoders without them, which say the same."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from coview.errors import CoviewError, few
from coview.model.tower import Towers
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import LoraTable
from coview.recipe.key import dotted
from coview.recipe.recipe import Recipe

_BESIDE, _A, _B = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
"""In the names of what peft makes of a layer: of its own parameters, and of the two matrices."""


def add_lora(recipe: Recipe, student: Towers) -> None:
    """Gives the encoders of a recipe that ask for it LoRA's matrices; all else of these encoders is frozen.

    The second matrix starts at zero: an encoder makes what it made before.

    Raises:
        CoviewError: If peft is not there, or names match no layer.
    """
    for name, table in recipe.encoder.items():
        if (lora := table.settings.lora) is not None and name not in recipe.shared_encoders:
            at = "encoder", *recipe.below(name), "lora"
            encoder = student.encoder(name)
            layers = _matched(encoder, lora, dotted(at[:-1]), recipe.where(*at, "match"))
            torch.manual_seed(recipe.seed)  # whatever was drawn before: a tower that is loaded draws nothing
            peft = _peft(recipe.where(*at))
            config = peft.LoraConfig(
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules="|".join(map(re.escape, layers)),  # a text is a pattern of the whole name
            )
            peft.inject_adapter_in_model(config, encoder)


def without_lora(encoder: nn.Module) -> nn.Module:
    """An encoder with LoRA's matrices added to its weights: as libraries know it, and as it says itself where it has
    none; else a copy."""
    if not any(is_of_lora(name) for name, _ in encoder.named_parameters()):
        return encoder
    layer_of_lora = _peft("an encoder with LoRA").tuners.lora.LoraLayer
    merged = copy.deepcopy(encoder)
    for name, layer in list(merged.named_modules()):
        if isinstance(layer, layer_of_lora):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(merged.get_submodule(parent), own, layer.get_base_layer())
    return merged


def is_of_lora(name: str) -> bool:
    """Whether a parameter, by its name, is one of LoRA's matrices."""
    return name.endswith((_A, _B))


def weights_without_lora(tensors: Mapping[str, Tensor], lora: LoraTable | None) -> dict[str, Tensor]:
    """The ``state_dict`` of an encoder as it would be without the matrices, which are added to its weights.

    Args:
        tensors: Of an encoder that may have them.
        lora: The table that it was trained by; None where it had none.
    """
    if lora is None:
        return dict(tensors)
    merged = {name.replace(_BESIDE, "."): tensor for name, tensor in tensors.items() if ".lora_" not in name}
    for name, a_RI in tensors.items():
        if name.endswith(_A):
            layer = name.removesuffix(_A)
            weight_OI = merged[f"{layer}.weight"]
            change_OI = lora.alpha / lora.rank * (tensors[f"{layer}{_B}"].double() @ a_RI.double())
            merged[f"{layer}.weight"] = (weight_OI.double() + change_OI).to(weight_OI.dtype)
    return merged


def _matched(encoder: nn.Module, lora: LoraTable, called: str, where: str) -> list[str]:
    """The linear layers that are to have matrices, by their names in the encoder.

    Args:
        encoder: The encoder.
        lora: Which.
        called: What a recipe calls the encoder: ``encoder.text``.
        where: Of the names in the recipe.

    Raises:
        CoviewError: If one of the names matches none.
    """
    linear = {f"{called}.{name}": name for name, module in encoder.named_modules() if _is_trained_linear(module)}
    found: dict[str, None] = {}
    for glob in lora.globs:
        matched = [name for full, name in linear.items() if fnmatchcase(full, glob)]
        if not matched:
            what = "the encoder has no linear layer" if not linear else f'no linear layer is called "{glob}"'
            kinds = dict.fromkeys(f"*.{name.rpartition('.')[2]}" for name in linear)
            raise CoviewError(
                f"{where}: {what}{did_you_mean(glob, [*kinds, *linear])}",
                hint=f"they are {few(list(linear))}; by their last names {few(list(kinds))}" if linear else None,
            )
        found |= dict.fromkeys(matched)
    return list(found)


def _is_trained_linear(module: nn.Module) -> bool:
    """Whether it is a layer whose product is its own to compute, and that the encoder has not frozen itself.

    PyTorch's attention takes the weights of its last layer without calling it.
    """
    if isinstance(module, NonDynamicallyQuantizableLinear) or not isinstance(module, nn.Linear):
        return False
    return module.weight.requires_grad


def _peft(where: str) -> Any:
    try:
        import peft  # who has no such encoder need not have it
    except ImportError as error:
        raise CoviewError(f"{where}: needs peft, which is not installed", hint="pip install 'coview[lora]'") from error
    return peft
