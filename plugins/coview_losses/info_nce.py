"""InfoNCE between views: find a sample's other view among the other views of all samples.

The anchor is one view of a sample; the candidates are the other view of every sample. Views of the anchor's
own number are never candidates, so all negatives lie across views: N - 1 of them for two views, where
``nt_xent`` has 2N - 2. That is the form for views of different kinds (image and text, student and teacher),
whose similarities within a view and across views are not comparable. With f = exp(s / T) in van den Oord et
al. 2018 (arXiv:1807.03748):

    loss(i) = -log  exp(s_ii / T) / sum over j of exp(s_ij / T),    s_ij of i's view 0 and j's view 1

``symmetric = false`` with a teacher and a queue is MoCo's loss, with ``negatives = "queue"`` as its authors have it:
the batch's other keys are then no negatives, and the queue takes one row a sample, the key (``[queue]`` with
``views = [1]``). ``symmetric = true`` is CLIP's, and with a teacher MoCo v3's, whose code multiplies by 2 T and adds up
both directions: 4 T times this.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, no_autocast, unit_rows
from coview_losses.positives_and_negatives import cross_entropy_between_views, queue_beside, refuse_one_teacher_view


def info_nce(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float | Tensor,
    *,
    symmetric: bool = True,
    anchors: slice = slice(None),
    queue_QD: Tensor | None = None,
    queue_ids_Q: Tensor | None = None,
    beside_GQ: Tensor | None = None,
    of_batch: bool = True,
    ids_differ: bool = False,
) -> Tensor:
    """The mean loss of the anchors' rows.  V view · A anchor · G teacher view · N sample · D width · Q queue.

    Anchors are the student's, candidates (K of them) the teacher's; without a teacher that is the same
    tensor. Each pair of views is contrasted on its own, and the pairs are averaged. Samples of equal id are
    not negatives of each other; where no negative is left, the loss is 0.

    Args:
        student_VND: The anchors, in any floating-point type.
        teacher_GND: The candidates; at least two views.
        ids_N: Sample ids.
        temperature: T, above 0.
        symmetric: Every view against every other; if not, view 0 against each other one.
        anchors: Which of the N samples to average over; candidates are always all N.
        queue_QD: Further negatives.
        queue_ids_Q: Their sample ids: a queue longer than the data set reaches back to the anchors' own samples.
        beside_GQ: Beside the rows of which teacher views each of them is a negative: those of its own modality. Absent:
            beside all.
        of_batch: Whether the batch's other samples are negatives.
        ids_differ: Whether no two samples are known to have one id.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    refuse_one_teacher_view("info_nce", teacher_GND)
    has_teacher = teacher_GND is not student_VND
    with no_autocast(student_VND.device):
        candidates_GND = unit_rows(teacher_GND)
        anchors_VAD = unit_rows(student_VND[:, anchors]) if has_teacher else candidates_GND[:, anchors]
        return cross_entropy_between_views(
            anchors_VAD / temperature,
            candidates_GND,
            ids_N,
            anchors=anchors,
            symmetric=symmetric,
            queue_QD=None if queue_QD is None else unit_rows(queue_QD),
            queue_ids_Q=queue_ids_Q,
            beside_GQ=beside_GQ,
            of_batch=of_batch,
            ids_differ=ids_differ,
            among_themselves=not has_teacher and anchors_VAD.shape[1] == len(ids_N),
        )


class InfoNCE(nn.Module):
    """Cross-entropy of a sample's other view among the other views of all samples in the batch.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10, in practice 0.05 to 1. MoCo's,
            and CLIP's to begin with, is 0.07; MoCo v3's is 0.2 for ViTs and 1.0 for ResNets.
        symmetric: Whether every view is an anchor (CLIP, MoCo v3), or only view 0 (CPC, MoCo).
        negatives: "all": of the batch, and of a queue where there is one; "queue": of the queue alone (MoCo). At the
            first step that is empty, where the authors' has random rows: those of the batch stand in for it.
    """

    read_each_step = ("temperature",)

    def __init__(
        self,
        *,
        temperature: Temperature = 0.07,
        symmetric: bool = True,
        negatives: Literal["all", "queue"] = "all",
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.symmetric = symmetric
        self.negatives = negatives
        queue: Literal["optional", "required"] = "optional" if negatives == "all" else "required"
        self.needs = coview.Needs(views=2, queue=queue, local_views=True, smallest_batch=2, negatives="queue")

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        is_empty = views.queue is None or len(views.queue) == 0
        return info_nce(
            views.student,
            views.teacher,
            views.ids,
            self.temperature,
            symmetric=self.symmetric,
            anchors=views.anchors,
            queue_QD=views.queue,
            queue_ids_Q=views.queue_ids,
            beside_GQ=queue_beside(views),
            of_batch=self.negatives == "all" or is_empty,
            ids_differ=views.ids_differ,
        )
