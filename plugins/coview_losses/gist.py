"""GIST: a guide, which is the target branch, says which other samples are too like a sample to be its negatives.

Solatorio 2024 (arXiv:2402.16829), as sentence-transformers has it. With s the student's cosines, g the guide's, q a
sample's view 0, p its view 1, and the candidates q', p' of other samples,

    loss(q) = -log  exp(s(q, p) / T) / sum of exp(s(c) / T) over the pairs c of  (q, p), (q, p'), (q, q'), (p, p'),
              of those of other samples only the ones with  g(c) <= g(q, p) - margin

Only the guide's cosines among its own rows count: it may be of any width. Which model it is says ``[teacher]``: with
``[teacher.encoder]`` a trained one that stays as it is, and with ``momentum`` the average of the student. The mean is
over view 0. Samples of equal id, and a row with itself, are never negatives; in sentence-transformers a row with itself
is one where the guide finds both views equal. ``sentence-transformers`` takes a third text, a hard negative; there is
none here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, no_autocast, unit_rows
from coview_losses.positives_and_negatives import has_other_id, refuse_one_teacher_view


class GIST(nn.Module):
    """Cross-entropy of view 0's own view 1 among the samples that a guide finds less alike.

    Args:
        temperature: T, which divides the student's cosines, 0.01 to 10; 0.01 in the paper.
        margin: How much less alike than its own view 1 the guide has to find a negative, 0 to 2.
        margin_strategy: "absolute": less by the margin; "relative": by this share of the cosine of the own pair.
        contrast_anchors: Whether view 0 of other samples is a negative too.
        contrast_positives: Whether view 1 of other samples is pushed from the own view 1 too.
    """

    needs = coview.Needs(views=2, most_views=2, teacher=True, teacher_width="any", smallest_batch=2)
    read_each_step = ("temperature", "margin")

    def __init__(
        self,
        *,
        temperature: Temperature = 0.01,
        margin: Annotated[float, Ge(0), Le(2)] = 0.0,
        margin_strategy: Literal["absolute", "relative"] = "absolute",
        contrast_anchors: bool = True,
        contrast_positives: bool = True,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.margin = margin
        self.margin_strategy = margin_strategy
        self.contrast_anchors = contrast_anchors
        self.contrast_positives = contrast_positives

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the rows that this process owns, and which share of the negatives it leaves out.

        A anchor · N sample · K candidate: N for each kind of pair.
        """
        refuse_one_teacher_view("gist", views.teacher)
        own_A = torch.arange(len(views.ids), device=views.ids.device)[views.anchors]
        with no_autocast(views.student.device):
            student_AK = self._cosines(unit_rows(views.student), views.anchors) / self.temperature
            guide_AK = self._cosines(unit_rows(views.teacher.detach()), views.anchors)
            alike_A1 = guide_AK.gather(1, own_A[:, None])
            spared = self.margin if self.margin_strategy == "absolute" else self.margin * alike_A1.abs()
            kinds = student_AK.shape[1] // len(views.ids)
            is_other_AK = has_other_id(views.ids, views.anchors, views=kinds)
            is_negative_AK = is_other_AK & (guide_AK <= alike_A1 - spared)
            is_candidate_AK = is_negative_AK.scatter(1, own_A[:, None], True)
            loss = nn.functional.cross_entropy(student_AK.masked_fill(~is_candidate_AK, -torch.inf), own_A)
        left_out = 1 - is_negative_AK.sum() / is_other_AK.sum().clamp(min=1)
        return {"loss": loss, "left_out": left_out}

    def _cosines(self, rows_VND: Tensor, anchors: slice) -> Tensor:
        """``(A, K)``: view 0 with view 1, and after it the other kinds of pairs."""
        first_AD, second_AD = rows_VND[0, anchors], rows_VND[1, anchors]
        products = [first_AD @ rows_VND[1].T]
        if self.contrast_anchors:
            products.append(first_AD @ rows_VND[0].T)
        if self.contrast_positives:
            products.append(second_AD @ rows_VND[1].T)
        return torch.cat(products, dim=1)
