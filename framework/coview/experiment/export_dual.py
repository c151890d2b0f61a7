"""Two towers of a run as transformers' ``VisionTextDualEncoderModel``: pictures and texts in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from coview.data.building import build_modalities
from coview.errors import CoviewError
from coview.evaluate.full_precision import full_precision
from coview.experiment.example_values import example_values, show_example
from coview.experiment.run import Run
from coview.model.encoder import ExportsPooled, ExportsToHub, PooledTransformer
from coview.model.encoder_hooks import collator
from coview.model.lora import without_lora
from coview.model.widths import encode, project, width_of
from coview.plugins.hub import no_progress_bar

_EXAMPLES = 4
_ALIKE = 1e-4
"""How far the folder's projections may be from the run's, of vectors of unit length."""

_PICTURES, _TEXTS = "pixel_values", "input_ids"
"""What the model of a half takes, by transformers' names."""


@runtime_checkable
class ScalesCosines(Protocol):
    """A loss that multiplies cosines by exp(log_scale), which it learns."""

    log_scale: Tensor


def write_dual_encoder(run: Run, folder: Path) -> str:
    """Writes the folder, and returns the lines that load it.

    Args:
        run: Whose towers, of two modalities.
        folder: An empty one.

    Raises:
        CoviewError: If a tower cannot be one of its halves; with which, why, and what could be done.
    """
    from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel  # of those who have such encoders

    names = run.recipe.modalities
    if len(names) != 2:
        raise _refused(run, f"that has two towers, and the run has {len(names)}")
    halves, projections, lines = {}, {}, []
    modalities = build_modalities(run.recipe, run.registry)
    for name in names:
        tower = run.topology.evaluated_tower(name)
        encoder = without_lora(tower.encoder)
        show_example(run, name, encoder)
        pooled = _pooled(run, name, encoder, folder)
        kind = pooled.model.main_input_name
        if kind in halves:
            raise _refused(run, f"that has one tower for pictures and one for texts, and both of the run's take {kind}")
        halves[kind] = pooled.model
        projections[kind] = _matrix(run, name, tower.projector) * pooled.scale
        modality = modalities[name]
        lines += [modality.export_hf(folder)] if isinstance(modality, ExportsToHub) else []
    losses: list[Any] = [term.loss for term in run.topology.loss.terms]
    scales = [float(loss.log_scale.detach()) for loss in losses if isinstance(loss, ScalesCosines)]
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        halves[_PICTURES].config,
        halves[_TEXTS].config,
        projection_dim=len(projections[_TEXTS]),
        **({"logit_scale_init_value": scales[0]} if scales else {}),
    )
    model: Any = VisionTextDualEncoderModel(config, vision_model=halves[_PICTURES], text_model=halves[_TEXTS])
    model.eval()
    with torch.no_grad():
        model.visual_projection.weight.copy_(projections[_PICTURES])
        model.text_projection.weight.copy_(projections[_TEXTS])
    _check_alike(run, model)
    with no_progress_bar():
        model.save_pretrained(folder)
    return "\n".join(
        [
            *lines,
            "from transformers import AutoTokenizer, VisionTextDualEncoderModel",
            f"tokenizer = AutoTokenizer.from_pretrained({str(folder)!r})",
            "batch = tokenizer(texts, padding=True, truncation=True, return_tensors='pt')",
            f"model = VisionTextDualEncoderModel.from_pretrained({str(folder)!r}).eval()",
            "image_projections = model.get_image_features(pixel_values=pixel_values).pooler_output",
            "text_projections = model.get_text_features(batch['input_ids'], batch['attention_mask']).pooler_output",
        ]
    )


def _pooled(run: Run, name: str, encoder: nn.Module, folder: Path) -> PooledTransformer:
    """A tower's encoder as one of the halves."""
    use = run.recipe.encoder[run.recipe.owner_of_encoder(name)].use
    reason = f'transformers has no class for the encoder "{use}"'
    if isinstance(encoder, ExportsPooled):
        try:
            pooled = encoder.export_pooled(folder)
        except ValueError as error:
            raise _refused(run, f"{name}: {error}") from error
        if pooled.model.main_input_name in (_PICTURES, _TEXTS):
            return pooled
        reason = f'the encoder "{use}" is for neither pictures nor texts'
    raise _refused(run, f"{name}: {reason}")


def _matrix(run: Run, name: str, projector: nn.Module) -> Tensor:
    """The weights (P, D) of a projector that is a linear map without a bias, whatever it is made of."""
    where = run.recipe.where("projector", *run.recipe.below(name))
    width, in_width = width_of(projector, "projector"), width_of(run.topology.evaluated_tower(name).encoder, "encoder")
    probe_ND = torch.randn(8, in_width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        at_zero_1P, columns_DP, found_NP = (
            project(projector.eval(), rows, width, "projector")
            for rows in (torch.zeros(1, in_width), torch.eye(in_width), probe_ND)
        )
    matrix_PD = (columns_DP - at_zero_1P).T.contiguous()
    if not torch.allclose(probe_ND @ matrix_PD.T + at_zero_1P, found_NP, atol=1e-4, rtol=1e-4):
        raise _refused(run, f"{name}: its projections are linear, and {where} is not", "layers = 1 makes it so")
    if at_zero_1P.abs().max() > 0:
        raise _refused(run, f"{name}: its projections have no bias, and {where} has one", "last_bias = false has none")
    return matrix_PD


def _check_alike(run: Run, model: Any) -> None:
    """Compares what the folder's model makes of a few samples with what the run makes of them.

    Raises:
        CoviewError: If it is not the same.
    """
    for name in run.recipe.modalities:
        values = example_values(run, name, _EXAMPLES)
        if not values:
            continue
        tower = run.tower(name, projector=True).eval()
        batch = collator(build_modalities(run.recipe, run.registry)[name], tower).collate(values)
        with torch.no_grad(), full_precision():
            own_NP = normalize(encode(tower, batch).pooled_ND)
            found = (
                model.get_image_features(batch)
                if isinstance(batch, Tensor)
                else model.get_text_features(batch["input_ids"], batch["attention_mask"])
            )
        if not torch.allclose(normalize(found.pooler_output), own_NP, atol=_ALIKE):
            raise _refused(run, f"{name}: transformers' model makes other vectors than the run")


def _refused(run: Run, reason: str, *todo: str) -> CoviewError:
    alone = " or ".join(f"--modality {name}" for name in run.recipe.modalities)
    return CoviewError(
        f"{run.path} cannot be exported as transformers' VisionTextDualEncoder: {reason}",
        hint="; ".join([*todo, f"each tower is exported by itself with {alone}"]),
    )
