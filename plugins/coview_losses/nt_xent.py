"""NT-Xent, the loss of SimCLR: find a sample's other views among all views of all samples.

Each view of each sample is an anchor. Its candidates are every view of every sample but itself, so that other
samples' views of the anchor's *own* number are negatives too; that sets it apart from ``info_nce``, whose
negatives all lie across views. With two views (Chen et al. 2020, arXiv:2002.05709):

    loss(i, j) = -log  exp(s_ij / T) / sum over k != i of exp(s_ik / T),      s the cosine similarity

With more views an anchor has V - 1 positives. Its loss is the mean over them of the same expression, whose
denominator holds every other row, positives included: SupCon's (arXiv:2004.11362) with the mean outside the logarithm
and the sample as the class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, in_full_precision, no_autocast, unit_rows
from coview_losses.kept import kept
from coview_losses.positives_and_negatives import ids_of_no_sample
from coview_losses.symmetric_nt_xent import is_bounded, symmetric_nt_xent
from coview_losses.tiled_log_sum_exp import tiled_log_sum_exp

SMALLEST_IN_TILES = {True: 2**16, False: 2**20}
"""Logits, by whether they are of all rows among themselves. Below that the matrix as a whole is faster."""

SMALLEST_IN_TILES_ON_A_GPU = 2**25
"""Either way: up to 5,792 rows it is the number of kernels that counts."""

SMALLEST_WITHOUT_MASKS_IN_TILES_ON_A_GPU = 2**27
"""Up to 11,585 rows: without masks a GPU reads and writes the matrix less often than in tiles, and keeps it three
times, as plain code does."""


def nt_xent(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float,
    *,
    anchors: slice = slice(None),
    queue_QD: Tensor | None = None,
    queue_ids_Q: Tensor | None = None,
    ids_differ: bool = False,
) -> Tensor:
    """The mean loss of the anchors' rows.  V view · A anchor · G teacher view · N sample · D width · Q queue.

    Anchors are the student's, candidates (K of them) the teacher's; without a teacher that is the same
    tensor. Of its own sample an anchor never meets the view of its own number: without a teacher that is
    itself, with one the same input over again. Samples of equal id are neither positives nor negatives of
    each other. Where no negative is left, the loss is finite: 0 for two views, and at least log(V - 1) for V.

    Args:
        student_VND: The anchors, in any floating-point type.
        teacher_GND: The candidates; at least two views, so that each anchor has a positive. The same tensor object as
            ``student_VND`` where there is no teacher, which half the work is enough for.
        ids_N: Sample ids.
        temperature: T, above 0.
        anchors: Which of the N samples to average over; candidates are always all N.
        queue_QD: Further negatives.
        queue_ids_Q: Their sample ids: a queue longer than the data set reaches back to the anchors' own samples.
        ids_differ: Whether no two samples are known to have one id. It changes the speed, and not the value.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    if teacher_GND.shape[0] < 2:
        raise ValueError(f"nt_xent needs at least 2 teacher views, got shape {tuple(teacher_GND.shape)}")
    V, N, D = student_VND.shape
    own_rows = len(range(N)[anchors])
    queue_rows = 0 if queue_QD is None else len(queue_QD)
    logits = V * own_rows * (len(teacher_GND) * N + queue_rows)
    among_themselves = own_rows == N and queue_rows == 0 and teacher_GND is student_VND
    without_masks = ids_differ and queue_rows == 0
    with no_autocast(student_VND.device):
        smallest = SMALLEST_WITHOUT_MASKS_IN_TILES_ON_A_GPU if without_masks else SMALLEST_IN_TILES_ON_A_GPU
        if student_VND.device.type == "cpu":
            smallest = SMALLEST_IN_TILES[among_themselves]
        at_once = student_VND.is_meta or logits < smallest
        if at_once and without_masks:
            return in_one_without_masks(student_VND, teacher_GND, temperature, anchors)
        if queue_QD is None:
            queue_QD = teacher_GND.new_empty(0, D)
        if queue_ids_Q is None:
            queue_ids_Q = ids_of_no_sample(queue_QD)
        if at_once:
            return in_one(student_VND, teacher_GND, ids_N, temperature, anchors, queue_QD, queue_ids_Q)
        on_host_N = None
        if without_masks:  # numbers in place of the ids, which are known without a look at the device
            ids_N, on_host_N = torch.arange(N, device=ids_N.device), torch.arange(N, device="cpu")
        if among_themselves and is_bounded(temperature, V * N, in_full_precision(student_VND).dtype):
            return symmetric_nt_xent(student_VND, ids_N, temperature, on_host_N)
        return in_bands(student_VND, teacher_GND, ids_N, temperature, anchors, queue_QD, queue_ids_Q, on_host_N)


def in_one_without_masks(student_VND: Tensor, teacher_GND: Tensor, temperature: float, anchors: slice) -> Tensor:
    """The loss of samples whose ids all differ, without a queue, in no more operations than the obvious form.

    All that is left out is an anchor with the view of its own number. That is a diagonal, and what is written there
    needs no place in the graph: its share of the softmax is 0, and so is its gradient.
    """
    V, N, D = student_VND.shape
    G, rows = len(teacher_GND), range(N)[anchors]
    candidates_KD = unit_rows(teacher_GND, temperature**-0.5).flatten(0, 1)
    if teacher_GND is not student_VND:
        anchors_RD = unit_rows(student_VND[:, anchors], temperature**-0.5).flatten(0, 1)
    else:
        anchors_RD = candidates_KD if len(rows) == N else candidates_KD.view(V, N, D)[:, anchors].flatten(0, 1)
    logits_RK = anchors_RD @ candidates_KD.T
    with torch.no_grad():
        own_VAGA = logits_RK.view(V, len(rows), G, N)[..., anchors]
        own_VAGA.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1).fill_(-torch.inf)
    log_share_RK = logits_RK.log_softmax(-1)
    if V <= 2 and G == 2 and len(rows):
        return nn.functional.nll_loss(log_share_RK, _only_positive(V, N, rows, logits_RK.device))
    place_P, weight_P = _positives(V, G, N, 0, rows, logits_RK.dtype, logits_RK.device)
    loss: Tensor = log_share_RK.flatten().index_select(0, place_P) @ weight_P
    return loss


@kept
def _only_positive(V: int, N: int, rows: range, device: torch.device) -> Tensor:
    """``(V · A,)``: the column of the one positive of each anchor, where there are two teacher views."""
    sample_A = torch.arange(rows.start, rows.stop, rows.step)
    return torch.cat([sample_A + (1 - view) * N for view in range(V)]).to(device)


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
    V, N, D = student_VND.shape
    G, Q = len(teacher_GND), len(queue_QD)
    candidates_KD = unit_rows(teacher_GND).flatten(0, 1)
    rows = range(N)[anchors]
    if len(rows) == N and teacher_GND is student_VND:
        anchors_VAD = candidates_KD.view(V, N, D) / temperature
    else:
        anchors_VAD = unit_rows(student_VND[:, anchors], 1 / temperature)
    ids_K = ids_N.repeat(G)
    if Q:
        candidates_KD, ids_K = torch.cat([candidates_KD, unit_rows(queue_QD)]), torch.cat([ids_K, queue_ids_Q])
    place_P, weight_P = _positives(V, G, N, Q, rows, candidates_KD.dtype, candidates_KD.device)
    no_positive_VAK = _no_positive(V, G, N, Q, rows, candidates_KD.device)
    # of its own id an anchor meets its positives alone
    excluded_VAK = (ids_N[anchors][:, None] == ids_K) & no_positive_VAK
    log_share_VAK = (anchors_VAD @ candidates_KD.T).masked_fill(excluded_VAK, -torch.inf).log_softmax(-1)
    loss: Tensor = log_share_VAK.flatten().index_select(0, place_P) @ weight_P
    return loss


@kept
def _positives(
    V: int, G: int, N: int, Q: int, rows: range, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The places of a flattened ``(V, A, K)`` that hold a positive, and the weight of each in the loss."""
    differs_VG = torch.arange(V)[:, None] != torch.arange(G)
    view_P, anchor_P, other_P = differs_VG[:, None].expand(V, len(rows), G).nonzero().unbind(1)
    column_P = other_P * N + torch.arange(rows.start, rows.stop, rows.step)[anchor_P]
    place_P = (view_P * len(rows) + anchor_P) * (G * N + Q) + column_P
    weight_P = -1 / (differs_VG.sum(1)[view_P] * V * len(rows)).to(dtype)
    return place_P.to(device), weight_P.to(device)


@kept
def _no_positive(V: int, G: int, N: int, Q: int, rows: range, device: torch.device) -> Tensor:
    """Where ``(V, A, K)`` holds no positive."""
    place_P, _ = _positives(V, G, N, Q, rows, torch.float32, torch.device("cpu"))
    no_positive_VAK = torch.ones(V, len(rows), G * N + Q, dtype=torch.bool)
    no_positive_VAK.view(-1)[place_P] = False
    return no_positive_VAK.to(device)


def in_bands(
    student_VND: Tensor,
    teacher_GND: Tensor,
    ids_N: Tensor,
    temperature: float,
    anchors: slice,
    queue_QD: Tensor,
    queue_ids_Q: Tensor,
    on_host_N: Tensor | None = None,
) -> Tensor:
    """The loss by some rows of that matrix at a time, in memory that grows with its sides.

    ``on_host_N`` are the ids on the host, where they are known there and no queue has others.
    """
    V, G = len(student_VND), len(teacher_GND)
    anchors_VAD, teacher_GND = unit_rows(student_VND[:, anchors], 1 / temperature), unit_rows(teacher_GND)
    candidates_KD = torch.cat([teacher_GND.flatten(0, 1), unit_rows(queue_QD)])
    ids_AV, ids_K = ids_N[anchors].repeat(V), torch.cat([ids_N.repeat(G), queue_ids_Q])
    on_host = None if on_host_N is None else (on_host_N[anchors].repeat(V), on_host_N.repeat(G))
    negatives_VA = tiled_log_sum_exp(anchors_VAD.flatten(0, 1), candidates_KD, ids_AV, ids_K, on_host).view(V, -1)
    rows_of = teacher_GND[:, anchors].unbind()
    losses = []
    for view, anchors_AD in enumerate(anchors_VAD.unbind()):
        positives_PA = torch.stack([(anchors_AD * rows_of[other]).sum(-1) for other in range(G) if other != view])
        candidates_A = torch.logaddexp(negatives_VA[view], positives_PA.logsumexp(0))
        losses.append((candidates_A - positives_PA.mean(0)).mean())
    return torch.stack(losses).mean()


class NTXent(nn.Module):
    """Cross-entropy of a sample's other views among all views of all samples in the batch.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10, in practice 0.05 to 1. The
            lower, the more the most similar negatives count. SimCLR's is 0.1 for ImageNet and 0.5 for
            CIFAR-10.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = ("temperature",)

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
            ids_differ=views.ids_differ,
        )
