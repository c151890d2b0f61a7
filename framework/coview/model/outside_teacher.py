"""The target branch that is another encoder: trained already, frozen, and perhaps of another width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from coview.data.batch import Batch
from coview.data.modality import Collates
from coview.errors import CoviewError
from coview.model.context import takes_context
from coview.model.encoder import FitsToData
from coview.model.encoder_hooks import collator
from coview.model.loss_terms import LossTerms
from coview.model.tower import Towers
from coview.model.widths import encode, width_of
from coview.plugins.registry import Registry
from coview.recipe.needs import needs_of
from coview.recipe.recipe import Recipe


class OutsideTeacher(nn.Module):
    """An encoder whose representations of the global views are the target branch; it stays in evaluation mode.

    Args:
        encoder: With a ``width``.
        modality: Of the views.
        views: How many views are global.
        width: Of its representations.
    """

    def __init__(self, encoder: nn.Module, modality: str, views: int, width: int) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.modality, self.views, self.width = modality, views, width

    @property
    def collators(self) -> Mapping[str, Collates]:
        """What makes batches of the views for it alone; nothing where it takes those that the student has."""
        encoder = self.encoder
        return {self.modality: collator(encoder, encoder)} if isinstance(encoder, Collates) else {}

    @torch.no_grad()
    def forward(self, batch: Batch) -> Tensor:
        """``z_GND`` of this rank's samples.  G global view · N sample · D width."""
        inputs = batch.taught_inputs or batch.inputs
        rows_MD = encode(self.encoder, inputs[self.modality]).pooled_ND
        return rows_MD.reshape(self.views, -1, self.width)

    def train(self, mode: bool = True) -> Self:
        """Evaluation mode, whatever the mode of the rest: it says the same of a sample each time."""
        return super().train(False)


def build_outside_teacher(
    recipe: Recipe, registry: Registry, student: Towers, loss: LossTerms
) -> OutsideTeacher | None:
    """The teacher of a recipe that has an encoder of its own; None where there is none.

    Raises:
        CoviewError: If it cannot be one, does not see what the student sees, or is not as wide as a loss needs it.
    """
    table = recipe.teacher_encoder
    if table is None:
        return None
    (modality,) = recipe.modalities
    torch.manual_seed(recipe.seed)
    where = recipe.where("teacher", "encoder", "use")
    encoder = registry.build("encoder", table.use, modality=modality, **table.parameters)
    width = width_of(encoder, f"{where}: the encoder")
    if isinstance(encoder, FitsToData):
        raise CoviewError(
            f'{where}: "{table.use}" starts untrained, and a teacher is not trained',
            hint="train it in a run of its own, and name the folder that coview export has written of it",
        )
    if takes_context(encoder):
        raise CoviewError(f'{where}: "{table.use}" takes the context of its data, and a teacher gets none')
    if isinstance(encoder, Collates) != isinstance(student.encoder(modality), Collates):
        raise CoviewError(f'{where}: "{table.use}" takes other batches than the student: one of them makes its own')
    if isinstance(encoder, Collates):
        for number, step in enumerate(recipe.augment[modality]):
            if step.on_device:
                at = recipe.where("augment", *recipe.below(modality), number, "use")
                raise CoviewError(
                    f"{at}: {step.use} changes the student's batches on the device, and the teacher makes its own",
                    hint="take a step that works in a worker",
                )
    _check_width(loss, width, student.width, where)
    return OutsideTeacher(encoder, modality, recipe.global_views, width)


def _check_width(loss: LossTerms, width: int, of_student: int, where: str) -> None:
    for term in loss.terms:
        needs = needs_of(term.loss)
        if width != of_student and (needs is None or needs.teacher_width == "same"):
            raise CoviewError(
                f"{where}: the teacher's rows have {width:,} numbers and the student's {of_student:,}, and {term.name} "
                "compares them with each other",
                hint=f"give the student a [projector] with width = {width}",
            )
