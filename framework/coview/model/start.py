"""Starting from weights that are there: what ``[start]`` puts into the student before it is trained."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.tower import Tower, Towers
from coview.model.weights_digest import weights_digest

MASK_TOKEN = "mask_token"
"""The part that is a single tensor: what stands for a hidden token."""

_SHOWN = 3
_EXTRA = "_extra_state"
"""The last name of what a module keeps besides parameters and buffers, such as a tokenizer: of any size."""


@dataclass(frozen=True)
class StartWeights:
    """Weights for the parts of one modality's tower.

    Attributes:
        where: Where the recipe names them: ``file:line: start.run``.
        of: What they are of, in words: "step 100 of runs/simclr/20261101-093000-0f2c9b".
        parts: By part ("encoder", "projector", "predictor", "decoder") the tensors by their names in its
            ``state_dict()``; of "mask_token", what stands for a hidden token, by that name.
    """

    where: str
    of: str
    parts: Mapping[str, Mapping[str, Tensor]]

    @property
    def version(self) -> str:
        """Twelve hex digits of their content: names, types, shapes and values."""
        return weights_digest(
            (f"{part} {name}", tensor)
            for part in sorted(self.parts)
            for name, tensor in sorted(self.parts[part].items())
        )


def start_from(towers: Towers, start: Mapping[str, StartWeights]) -> Collection[str]:
    """Puts weights into the towers of the modalities that there are some for.

    Returns:
        The modalities whose encoders have got theirs, with what such an encoder fits to data.

    Raises:
        CoviewError: If a part is not there, or is of another architecture.
    """
    for modality, weights in start.items():
        tower = cast(Tower, towers.towers[modality])
        parts = {
            "encoder": tower.encoder,
            "projector": tower.projector,
            "predictor": tower.predictor,
            "decoder": tower.decoder,
        }
        for part, tensors in weights.parts.items():
            if part == MASK_TOKEN:
                _load_mask_token(tower, tensors[MASK_TOKEN], weights)
                continue
            module = parts[part]
            if module is None:
                raise CoviewError(
                    f"{weights.where}: there is no {part} that could start from it: the recipe has no [{part}]"
                )
            _load(module, tensors, part, weights)
    return [modality for modality, weights in start.items() if "encoder" in weights.parts]


def _load_mask_token(tower: Tower, token_D: Tensor, weights: StartWeights) -> None:
    if tower.mask_token is None:
        raise CoviewError(
            f"{weights.where}: there is no mask_token that could start from it: the recipe has no [mask] with hide = "
            '"replace", or its encoder has a token of its own'
        )
    if tower.mask_token.shape != token_D.shape:
        raise CoviewError(
            f"{weights.where}: the mask_token is {_shape(tower.mask_token)} here, and {_shape(token_D)} in {weights.of}"
        )
    with torch.no_grad():
        tower.mask_token.copy_(token_D)


def _load(module: nn.Module, tensors: Mapping[str, Tensor], part: str, weights: StartWeights) -> None:
    own = module.state_dict()
    differ = [
        f"{name} is {_shape(tensor)} here, and {_shape(tensors[name])} there"
        for name, tensor in own.items()
        if name in tensors and tensors[name].shape != tensor.shape and not _is_extra(name)
    ]
    lacking = [f"{name}, which is {_shape(own[name])} here, is not there" for name in own if name not in tensors]
    further = [f"{name}, which is {_shape(tensors[name])} there, is not here" for name in tensors if name not in own]
    if problems := [*differ, *lacking, *further]:
        more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise CoviewError(
            f"{weights.where}: the {part} has a different architecture than that of {weights.of}: {len(problems)} of "
            f"{len({*own, *tensors})} parameters and buffers differ: {'; '.join(problems[:_SHOWN])}{more}",
            hint=f"give [{part}] the settings that the weights were made with",
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*meta parameter")  # a dry run compares shapes, and has no memory
        try:
            module.load_state_dict(dict(tensors))
        except (RuntimeError, ValueError) as error:
            first = str(error).strip().splitlines()[-1].strip()
            raise CoviewError(f"{weights.where}: the {part} does not take the weights: {first}") from error


def _is_extra(name: str) -> bool:
    return name.rpartition(".")[2] == _EXTRA


def _shape(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return "×".join(map(str, value.shape)) or "a number"
