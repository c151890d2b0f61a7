"""What the cards of a run tell each other in a step, in bytes that each of them sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from coview.model.encoder import Encoder
from coview.model.topology import Topology
from coview.recipe.recipe import Recipe

_FP32, _INT64 = 4, 8


@dataclass(frozen=True)
class BetweenCards:
    """Bytes that each card sends in an optimiser step.

    Attributes:
        gradients: Averaged over all cards.
        rows: Projections, and what else a loss sees, of all cards on each; none for a loss of a card's own rows.
        row_gradients: What is sent back for them.
    """

    gradients: float
    rows: float
    row_gradients: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.gradients + self.rows + self.row_gradients


def between_cards(recipe: Recipe, topology: Topology, gradients: int, count: int) -> BetweenCards:
    """What a ring of so many cards sends (Patarasuk and Yuan 2009, doi:10.1016/j.jpdc.2008.09.002).

    Of a sum over all cards each sends 2 (n - 1) / n of it, of a gather (n - 1) / n of what is then on each.

    Args:
        recipe: The recipe.
        topology: The model.
        gradients: Bytes of them.
        count: n.
    """
    if count == 1:
        return BetweenCards(0.0, 0.0, 0.0)
    of_a_sum, of_a_gather = 2 * (count - 1) / count, (count - 1) / count
    samples, V, G = recipe.train.batch_size, len(recipe.view_modalities), recipe.global_views
    width = topology.student.width
    gathered = topology.loss.gathered(queue=recipe.queue is not None)
    of_student = samples * V * width * _FP32 if gathered.student else 0
    if topology.student.gives_representations and gathered.representations:
        of_student += samples * V * width_of_encoder(topology) * _FP32
    teacher_width = width if topology.outside is None else topology.outside.width
    of_teacher = samples * G * teacher_width * _FP32 if recipe.teacher is not None and gathered.teacher else 0
    rows = of_a_gather * (of_student + of_teacher + samples * _INT64)
    accumulate = recipe.train.accumulate
    return BetweenCards(average_bytes(gradients, count), rows * accumulate, of_a_sum * of_student * accumulate)


def average_bytes(gradients: int, count: int) -> float:
    """What each of so many cards sends to average gradients."""
    return 2 * (count - 1) / count * gradients


def width_of_encoder(topology: Topology) -> int:
    """Of the representations of its first modality."""
    encoder = next(iter(topology.student.encoders.values()))
    return cast(Encoder, encoder).width
