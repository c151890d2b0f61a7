"""Writes the towers of a run as one transformers model, such as CLIP, if all of them are parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from coview.data.building import build_modalities
from coview.experiment.export_dual import ScalesCosines, write_dual_encoder
from coview.experiment.run import Run
from coview.model.encoder import ExportsToHub, HasOwnScale, PartOfModel
from coview.model.lora import without_lora
from coview.model.transformer_part import whole_model
from coview.plugins.hub import no_progress_bar
from coview.recipe.logit_scale import LogitScale


@runtime_checkable
class AddsBias(Protocol):
    """A loss that learns a number which it adds to scaled cosines."""

    bias: Tensor


def write_towers(run: Run, folder: Path) -> str:
    """Writes the towers of a run as one model, and returns the lines that load it.

    If all towers are parts of one model, it writes this model, and else a ``VisionTextDualEncoderModel``.

    Args:
        run: A run of several modalities.
        folder: An empty folder.

    Raises:
        CoviewError: If the towers can be neither of the two.
    """
    parts = _parts(run)
    if parts is None:
        return write_dual_encoder(run, folder)
    weights: dict[str, Tensor] = {}
    try:
        for name, part in parts.items():
            weights |= part.weights_in_whole(run.topology.evaluated_tower(name).projector)
        scale = _scale(run)
        model = whole_model(next(iter(parts.values())).whole_config, weights, scale.scale, scale.bias)
    except ValueError:  # a projector is not the model's own, or a part of the model is no tower of the run
        return write_dual_encoder(run, folder)
    modalities = build_modalities(run.recipe, run.registry)
    prepared = [modality.export_hf(folder) for modality in modalities.values() if isinstance(modality, ExportsToHub)]
    with no_progress_bar():
        model.save_pretrained(folder)
    loaded = f"from transformers import AutoModel\nmodel = AutoModel.from_pretrained({str(folder)!r}).eval()"
    return "\n".join([*prepared, loaded, *(part.save_preparation(folder) for part in parts.values())])


def _parts(run: Run) -> Mapping[str, PartOfModel] | None:
    """The encoders of all modalities, if they are parts of one model."""
    found: dict[str, PartOfModel] = {}
    for name in run.recipe.modalities:
        encoder: nn.Module = without_lora(run.topology.evaluated_tower(name).encoder)
        if not isinstance(encoder, PartOfModel):
            return None
        found[name] = encoder
    configs = [_told_apart(part.whole_config) for part in found.values()]
    return found if all(config == configs[0] for config in configs) else None


def _told_apart(config: Any) -> dict[str, Any]:
    """A configuration without the place that it was loaded from."""
    return {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}


def _scale(run: Run) -> LogitScale:
    """What the run's loss has learnt; if it learns no scale, what the weights came with."""
    for term in run.topology.loss.terms:
        loss: Any = term.loss
        if isinstance(loss, ScalesCosines):
            bias = float(loss.bias.detach()) if isinstance(loss, AddsBias) else 0.0
            return LogitScale(float(loss.log_scale.detach().exp()), bias)
    encoders = (run.topology.evaluated_tower(name).encoder for name in run.recipe.modalities)
    return next((encoder.own_scale for encoder in encoders if isinstance(encoder, HasOwnScale)), LogitScale(1.0))
