"""NT-Xent, the loss of SimCLR: find a sample's other views among all views of all samples.

Each view of each sample is an anchor. Its candidates are every view of every sample but itself, so that other
samples' views of the anchor's *own* number are negatives too; that sets it apart from ``info_nce``, whose
negatives all lie across views. With two views (Chen et al. 2020, arXiv:2002.05709, equation 1):

    loss(i, j) = -log  exp(s_ij / T) / sum over k != i of exp(s_ik / T),      s the cosine similarity

With more views an anchor has V - 1 positives. Its loss is the mean over them of the same expression, whose
denominator holds every other row, positives included: equation 2 of SupCon (arXiv:2004.11362) with the sample
as the class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, no_autocast, unit_rows
from coview_losses.pairs import are_the_same_rows, ids_of_no_sample
from coview_losses.tiled_log_sum_exp import is_bounded, log_sum_exp_between, log_sum_exp_within

SMALLEST_IN_TILES = 128 * 128
"""Logits. Below that the plain form is the faster one."""


def nt_xent(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float,
    *,
    anchors: slice = slice(None),
    queue_QD: Tensor | None = None,
    queue_ids_Q: Tensor | None = None,
) -> Tensor:
    """The mean loss of the anchors' rows.  V view · A anchor · G teacher view · N sample · D width · Q queue.

    Anchors are the student's, candidates (K of them) the teacher's; without a teacher that is the same
    tensor. Of its own sample an anchor never meets the view of its own number: without a teacher that is
    itself, with one the same input over again. Samples of equal id are neither positives nor negatives of
    each other. Where no negative is left, the loss is finite: 0 for two views, and at least log(V - 1) for V.

    Args:
        student_VND: The anchors, in any floating-point type.
        teacher_GND: The candidates; at least two views, so that each anchor has a positive.
        ids_N: Sample ids.
        temperature: T, above 0.
        anchors: Which of the N samples to average over; candidates are always all N.
        queue_QD: Further negatives.
        queue_ids_Q: Their sample ids: a queue longer than the data set reaches back to the anchors' own samples.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    if teacher_GND.shape[0] < 2:
        raise ValueError(f"nt_xent needs at least 2 teacher views, got shape {tuple(teacher_GND.shape)}")
    V, N, D = student_VND.shape
    if queue_QD is None:
        queue_QD = teacher_GND.new_empty(0, D)
    if queue_ids_Q is None:
        queue_ids_Q = ids_of_no_sample(queue_QD)
    logits = V * len(range(N)[anchors]) * (len(teacher_GND) * N + len(queue_QD))
    form = in_one if student_VND.is_meta or logits < SMALLEST_IN_TILES else in_tiles
    with no_autocast(student_VND.device):
        return form(student_VND, teacher_GND, ids_N, temperature, anchors, queue_QD, queue_ids_Q)


def in_one(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float,
    anchors: slice,
    queue_QD: Tensor,
    queue_ids_Q: Tensor,
) -> Tensor:
    """The loss by the matrix of all logits, which is twice differentiable, and faster for a few rows."""
    V, N, _ = student_VND.shape
    G = teacher_GND.shape[0]
    device = student_VND.device
    sample_N = torch.arange(N, device=device)
    sample_A = sample_N[anchors]
    same_view_VG = _same_view(V, G, device)
    own_AN = sample_A[:, None] == sample_N
    twin_AN = (ids_N[anchors][:, None] == ids_N) & ~own_AN
    excluded_VAGN = twin_AN[None, :, None, :] | (own_AN[None, :, None, :] & same_view_VG[:, None, :, None])
    in_queue_AQ = ids_N[anchors][:, None] == queue_ids_Q
    excluded_VAK = torch.cat([excluded_VAGN.flatten(2), in_queue_AQ.expand(V, -1, -1)], dim=-1)
    anchors_VAD = unit_rows(student_VND[:, anchors]) / temperature
    candidates_KD = torch.cat([unit_rows(teacher_GND).flatten(0, 1), unit_rows(queue_QD)])
    logits_VAK = (anchors_VAD @ candidates_KD.T).masked_fill(excluded_VAK, -torch.inf)
    log_share_VAGN = logits_VAK.log_softmax(-1)[..., : G * N].unflatten(-1, (G, N))
    own_AVG = log_share_VAGN[:, torch.arange(len(sample_A), device=device), :, sample_A]
    mean_AV = own_AVG.masked_fill(same_view_VG, 0).sum(-1) / (~same_view_VG).sum(-1)
    loss: Tensor = -mean_AV.mean()
    return loss


def in_tiles(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float,
    anchors: slice,
    queue_QD: Tensor,
    queue_ids_Q: Tensor,
) -> Tensor:
    """The loss by tiles of that matrix, in memory that grows with its sides."""
    V, N, _ = student_VND.shape
    G = len(teacher_GND)
    without_teacher = are_the_same_rows(student_VND, teacher_GND)
    root = temperature**0.5  # on both sides, so that without a teacher they stay the same rows
    student_VND = unit_rows(student_VND) / root
    teacher_GND = student_VND if without_teacher else unit_rows(teacher_GND) / root
    anchors_VAD, ids_A = student_VND[:, anchors], ids_N[anchors]
    is_symmetric = without_teacher and len(ids_A) == N and len(queue_QD) == 0
    if is_symmetric and is_bounded(1 / temperature, V * N, student_VND.dtype):
        negatives_VA = log_sum_exp_within(student_VND.flatten(0, 1), ids_N.repeat(V)).view(V, N)
    else:
        candidates_KD = torch.cat([teacher_GND.flatten(0, 1), unit_rows(queue_QD) / root])
        ids_K = torch.cat([ids_N.repeat(G), queue_ids_Q])
        of_rows = log_sum_exp_between(anchors_VAD.flatten(0, 1), candidates_KD, ids_A.repeat(V), ids_K)
        negatives_VA = of_rows.view(V, -1)
    same_view_VG = _same_view(V, G, student_VND.device)
    own_AVG = anchors_VAD.transpose(0, 1) @ teacher_GND[:, anchors].permute(1, 2, 0)
    positives_AV = own_AVG.masked_fill(same_view_VG, -torch.inf).logsumexp(-1)
    mean_AV = own_AVG.masked_fill(same_view_VG, 0).sum(-1) / (~same_view_VG).sum(-1)
    loss: Tensor = (torch.logaddexp(negatives_VA.T, positives_AV) - mean_AV).mean()
    return loss


def _same_view(views: int, others: int, device: torch.device) -> Tensor:
    return torch.arange(views, device=device)[:, None] == torch.arange(others, device=device)


class NTXent(nn.Module):
    """Cross-entropy of a sample's other views among all views of all samples in the batch.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10, in practice 0.05 to 1. The
            lower, the more the most similar negatives count. SimCLR's is 0.1 for ImageNet and 0.5 for
            CIFAR-10.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2)

    def __init__(self, *, temperature: Temperature = 0.5) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return nt_xent(
            views.student,
            views.teacher,
            views.ids,
            self.temperature,
            anchors=views.anchors,
            queue_QD=views.queue,
            queue_ids_Q=views.queue_ids,
        )
