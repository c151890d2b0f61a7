"""The base of encoders that are a part of a transformers model of several modalities, such as CLIP."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coview.model.layers import stacked_layers
from coview.model.transformer import logit_scale_of
from coview.plugins.hub import no_progress_bar

_OF_OWN = "projection."
"""How the names of the parameters of ``[projector] use = "own"`` begin."""


class TransformerPart(nn.Module):
    """The base of encoders that are a part of a transformers model of several modalities, such as CLIP.

    A subclass adds ``forward``, and ``save_preparation`` of :class:`coview.PartOfModel`. The base has the rest of this
    protocol, and all of :class:`coview.HasOwnProjection`, :class:`coview.HasOwnScale` and :class:`coview.HasLayers`.

    Args:
        whole: The model.
        part: The name of the part in the model.
        projection: The name of the part's projection in the model. The model may lack it.
        width: The width of the part's pooled output. Absent: the ``hidden_size`` of its configuration.

    Attributes:
        model: The part.

    Raises:
        ValueError: If the model has no such part, or no logit scale.
    """

    def __init__(self, whole: Any, part: str, projection: str, *, width: int | None = None) -> None:
        super().__init__()
        parts: dict[str, Any] = dict(whole.named_children())
        if part not in parts:
            raise ValueError(f"transformers' {type(whole).__name__} has no {part}")
        self.whole_config: Any = whole.config
        self.own_scale = logit_scale_of(whole)
        self.model = parts[part]
        self.width = width or int(self.model.config.hidden_size)
        self._part, self._projection = part, projection
        # in a list, so that torch does not count it as a part of the encoder: the projector trains its weights
        self._own = [parts.get(projection)]
        self.model.train()

    def own_projection(self) -> tuple[nn.Module, int]:
        """A copy of the model's projection. SigLIP has none, because its encoders end in the common space."""
        if self._own[0] is None:
            return nn.Identity(), self.width
        projection = copy.deepcopy(self._own[0])
        like = next(projection.parameters())
        return projection, int(projection(like.new_zeros(1, self.width)).shape[1])

    def weights_in_whole(self, projector: nn.Module, /) -> Mapping[str, Tensor]:
        """Returns the weights of the part and of its projection, by their names in the model.

        Raises:
            ValueError: If the projector is not the model's own.
        """
        found = {f"{self._part}.{name}": tensor for name, tensor in self.model.state_dict().items()}
        own = {} if self._own[0] is None else self._own[0].state_dict()
        given = {name.removeprefix(_OF_OWN): tensor for name, tensor in projector.state_dict().items()}
        if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in given.items()}:
            raise ValueError('its projector is not the model\'s own: take [projector] use = "own"')
        return found | {f"{self._projection}.{name}": tensor for name, tensor in given.items()}

    def save_alone(self, folder: Path, /) -> str:
        """Writes a transformers folder with this part only, and returns the lines that load it as ``model``."""
        with no_progress_bar():
            self.model.save_pretrained(folder)
        kind = type(self.model)
        return (
            f"from {kind.__module__} import {kind.__name__}\n"
            f"model = {kind.__name__}.from_pretrained({str(folder)!r}).eval()"
        )

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return stacked_layers(self)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Moves the projection to another device or dtype together with the encoder."""
        own: Any = self._own[0]
        if own is not None:
            own._apply(fn)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


def whole_model(config: Any, weights: Mapping[str, Tensor], scale: float, bias: float) -> Any:
    """Puts a model of several modalities together, in evaluation mode.

    Args:
        config: The model's configuration.
        weights: The weights of all parts and projections, by their names in the model.
        scale: What the model multiplies cosines by.
        bias: What the model then adds, if it adds something.

    Raises:
        ValueError: If the model lacks one of these parameters, or has others.
    """
    from transformers import AutoModel  # only plugins with such encoders require it

    model: Any = AutoModel.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.eval()
    found = model.load_state_dict(dict(weights), strict=False)
    parameters = dict(model.named_parameters())
    lacking = [name for name in found.missing_keys if name in parameters and not name.startswith("logit_")]
    if differ := [*lacking, *found.unexpected_keys]:
        raise ValueError(f"transformers' {type(model).__name__} has other parameters: {', '.join(differ[:3])}")
    with torch.no_grad():
        for name, parameter in model.named_parameters(recurse=False):
            if name.startswith("logit_scale"):
                parameter.fill_(torch.tensor(scale).log())
            elif name.startswith("logit_bias"):
                parameter.fill_(bias)
    return model
