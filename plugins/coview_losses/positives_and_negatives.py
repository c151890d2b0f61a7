"""Which rows are the positives and the negatives of which: said once, for all contrastive losses.

Of its own sample an anchor is drawn to the views of another number, and never meets the one of its own: without
a teacher that is itself, with one the same input over again. Its negatives are the rows of other ids. Samples of
equal id, in the batch or in the queue, are neither positives nor negatives of each other.

Two shapes of loss are built on that. ``Similarities`` puts an anchor before all views of all samples (NT-Xent's
way), ``cross_entropy_between_views`` and ``between_views`` one pair of views at a time (InfoNCE's).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.kept import kept


def has_other_id(ids_N: Tensor, anchors: slice, *, views: int, queue_ids_Q: Tensor | None = None) -> Tensor:
    """``(A, K)``: whether a candidate is of another id than the anchor.

    Args:
        ids_N: Sample ids.
        anchors: Which of the N samples are anchors.
        views: G; the candidates are G times the N samples, then the queue.
        queue_ids_Q: Sample ids of the queue's rows.
    """
    ids_K = ids_N.repeat(views) if queue_ids_Q is None else torch.cat([ids_N.repeat(views), queue_ids_Q])
    return ids_N[anchors][:, None] != ids_K


def queue_ids_of(queue_QD: Tensor | None, queue_ids_Q: Tensor | None) -> Tensor | None:
    """The ids of the queue's rows; if none are given, ids that no sample has."""
    if queue_QD is None or queue_ids_Q is not None:
        return queue_ids_Q
    return ids_of_no_sample(queue_QD)


def ids_of_no_sample(queue_QD: Tensor) -> Tensor:
    """An id for each of the queue's rows that no sample has."""
    return torch.full((len(queue_QD),), torch.iinfo(torch.int64).min, device=queue_QD.device)


def refuse_one_teacher_view(name: str, teacher_GND: Tensor) -> None:
    """Raises ValueError if there are fewer than two teacher views: view 0 would have no positive."""
    if teacher_GND.shape[0] < 2:
        raise ValueError(f"{name} needs at least 2 teacher views, got shape {tuple(teacher_GND.shape)}")


def view_pairs(views: int, others: int) -> list[tuple[int, int]]:
    """Every view with every other one that is not the same picture."""
    return [(view, other) for view in range(views) for other in range(others) if view != other]


def cross_entropy_of_pairs(target_GAK: Sequence[Tensor], log_p_VAK: Tensor) -> Tensor:
    """The mean cross-entropy of each view's distribution against each target that is not the same picture's.

    Args:
        target_GAK: Distributions, without gradient.
        log_p_VAK: Logarithms of distributions.
    """
    pairs = view_pairs(len(log_p_VAK), len(target_GAK))
    return -torch.stack([(target_GAK[g] * log_p_VAK[v]).sum(-1).mean() for v, g in pairs]).mean()


def unordered_view_pairs(views: coview.Views) -> list[tuple[int, int]]:
    """The same for a comparison that is symmetric: without a teacher each pair of global views is one, not two."""
    pairs = view_pairs(len(views.student), len(views.teacher))
    if views.has_teacher:
        return pairs
    return [(view, other) for view, other in pairs if view > other]


def log_sum_exp(x: Tensor, where: Tensor) -> Tensor:
    """``log sum exp`` over the last dimension, of the elements where it is so; -inf, without gradient, if none is."""
    any_at_all = where.any(-1)
    filled = x.masked_fill(~where, -torch.inf).masked_fill(~any_at_all[..., None], 0)
    return torch.where(any_at_all, filled.logsumexp(-1), -torch.inf)


@dataclass(frozen=True)
class Similarities:
    """Anchors before all candidates.  V view · A anchor · G teacher view · N sample · K = G·N + Q candidate.

    Attributes:
        own_VAG: The anchors with the teacher views of their own sample.
        is_positive_VG: Which of those are positives.
        candidates_VAK: The anchors with all rows: those of the teacher, view by view, then the queue.
        is_negative_AK: Which of those are negatives.
        anchor_A: Which sample an anchor is.
    """

    own_VAG: Tensor
    is_positive_VG: Tensor
    candidates_VAK: Tensor
    is_negative_AK: Tensor
    anchor_A: Tensor

    @classmethod
    def of(cls, views: coview.Views, temperature: float = 1.0, *, loss: str = "this loss") -> Similarities:
        """Cosines, divided by a temperature, in fp32 or fp64 whatever the autocast.

        Args:
            views: What the loss sees. Anchors are the student's, candidates the teacher's.
            temperature: Divides the cosines.
            loss: The loss's name, for the message.

        Raises:
            ValueError: If there are fewer than two teacher views.
        """
        refuse_one_teacher_view(loss, views.teacher)
        V, N, _ = views.student.shape
        G = views.teacher.shape[0]
        device = views.student.device
        queue_ids_Q = queue_ids_of(views.queue, views.queue_ids)
        anchor_A = torch.arange(N, device=device)[views.anchors]
        with no_autocast(device):
            anchors_VAD = unit_rows(views.student[:, views.anchors]) / temperature
            candidates_KD = unit_rows(views.teacher).flatten(0, 1)
            if views.queue is not None:
                candidates_KD = torch.cat([candidates_KD, unit_rows(views.queue)])
            candidates_VAK = anchors_VAD @ candidates_KD.T
        columns_AG = anchor_A[:, None] + N * torch.arange(G, device=device)
        return cls(
            own_VAG=candidates_VAK.gather(-1, columns_AG.expand(V, -1, -1)),
            is_positive_VG=torch.arange(V, device=device)[:, None] != torch.arange(G, device=device),
            candidates_VAK=candidates_VAK,
            is_negative_AK=has_other_id(views.ids, views.anchors, views=G, queue_ids_Q=queue_ids_Q),
            anchor_A=anchor_A,
        )

    def mean_over_positives(self, x_VAG: Tensor) -> Tensor:
        """``(V, A)``: the mean of what an anchor has for each of its positives."""
        is_positive_V1G = self.is_positive_VG[:, None]
        return x_VAG.masked_fill(~is_positive_V1G, 0).sum(-1) / is_positive_V1G.sum(-1)

    def log_sum_exp_over_negatives(self, x_VAK: Tensor) -> Tensor:
        """``(V, A)``: -inf, without gradient, for an anchor that has no negatives."""
        return log_sum_exp(x_VAK, self.is_negative_AK)


def queue_beside(views: coview.Views) -> Tensor | None:
    """``(G, Q)``: which of the queue's rows are of the modality of each of the teacher's views, and so are candidates
    beside its rows; None where all are of one modality, or it is not known of which view they are.
    """
    if views.queue is None or views.queue_views is None or len(set(views.modalities)) < 2:
        return None
    place = {name: at for at, name in enumerate(dict.fromkeys(views.modalities))}
    of_view_G = torch.tensor(
        [place[name] for name in views.modalities[: len(views.teacher)]], device=views.queue.device
    )
    return of_view_G[:, None] == of_view_G[views.queue_views]


def between_views(
    anchors_VAD: Tensor,
    candidates_GND: Tensor,
    queue_QD: Tensor | None = None,
    *,
    beside_GQ: Tensor | None = None,
    symmetric: bool = True,
) -> Iterator[Tensor]:
    """For each pair of views of different numbers, ``(A, K)`` inner products of the one's anchors and the other's rows.

    Args:
        anchors_VAD: The anchors.
        candidates_GND: The candidates.
        queue_QD: Further candidates.
        beside_GQ: Beside the rows of which views each of them is a candidate; elsewhere its product is -inf. Absent:
            beside all.
        symmetric: Every view against every other; if not, view 0 against each other one.
    """
    for view, other in view_pairs(len(anchors_VAD) if symmetric else 1, len(candidates_GND)):
        product_AK = anchors_VAD[view] @ candidates_GND[other].T
        if queue_QD is not None:
            product_AQ = anchors_VAD[view] @ queue_QD.T
            if beside_GQ is not None:
                product_AQ = product_AQ.masked_fill(~beside_GQ[other], -torch.inf)
            product_AK = torch.cat([product_AK, product_AQ], dim=1)
        yield product_AK


def cross_entropy_between_views(
    anchors_VAD: Tensor,
    candidates_GND: Tensor,
    ids_N: Tensor,
    *,
    anchors: slice = slice(None),
    symmetric: bool = True,
    queue_QD: Tensor | None = None,
    queue_ids_Q: Tensor | None = None,
    beside_GQ: Tensor | None = None,
    of_batch: bool = True,
    ids_differ: bool = False,
    among_themselves: bool = False,
) -> Tensor:
    """The mean cross-entropy of an anchor's own sample among all samples' rows in another view.

    The inner products are the logits as they are. Where no negative is left, the cross-entropy is 0. Where all rows are
    candidates, there are no masks: then it takes as many operations as the obvious form.

    Args:
        anchors_VAD: The anchors' rows only, divided by the temperature.
        candidates_GND: The candidates.
        ids_N: Sample ids.
        anchors: Which of the N samples the anchors are.
        symmetric: Every view against every other; if not, view 0 against each other one.
        queue_QD: Further negatives.
        queue_ids_Q: Their sample ids.
        beside_GQ: Beside the rows of which views each of them is a negative; absent: beside all.
        of_batch: Whether the other samples' rows are negatives.
        ids_differ: Whether no two samples are known to have one id.
        among_themselves: Whether the anchors' products with a view are those of the view's anchors with theirs: without
            a teacher those of cosines are, where all samples are anchors.
    """
    positive_A = own_samples(range(len(ids_N))[anchors], anchors_VAD.device)
    if ids_differ and of_batch and (queue_QD is None or len(queue_QD) == 0):
        with no_autocast(anchors_VAD.device):
            return _cross_entropy_of_all(
                anchors_VAD, candidates_GND, positive_A, symmetric=symmetric, once=among_themselves and symmetric
            )
    is_candidate_AK = has_other_id(ids_N, anchors, views=1, queue_ids_Q=queue_ids_of(queue_QD, queue_ids_Q))
    if not of_batch:
        is_candidate_AK[:, : len(ids_N)] = False
    is_candidate_AK.scatter_(1, positive_A[:, None], True)
    with no_autocast(anchors_VAD.device):
        losses = [
            nn.functional.cross_entropy(product_AK.masked_fill(~is_candidate_AK, -torch.inf), positive_A)
            for product_AK in between_views(
                anchors_VAD, candidates_GND, queue_QD, beside_GQ=beside_GQ, symmetric=symmetric
            )
        ]
    return mean_of(losses)


def _cross_entropy_of_all(
    anchors_VAD: Tensor, candidates_GND: Tensor, positive_A: Tensor, *, symmetric: bool, once: bool
) -> Tensor:
    """The same where every row of the other view is a candidate; ``once``: a product serves two views."""
    anchors, candidates = anchors_VAD.unbind(), candidates_GND.unbind()
    losses = []
    for view, other in view_pairs(len(anchors) if symmetric else 1, len(candidates)):
        if once and view > other:
            continue
        product_AN = anchors[view] @ candidates[other].T
        losses.append(nn.functional.cross_entropy(product_AN, positive_A))
        if once:
            losses.append(nn.functional.cross_entropy(product_AN.T, positive_A))
    return mean_of(losses)


def mean_of(losses: Sequence[Tensor]) -> Tensor:
    """The mean of scalars, of which there may be one."""
    return losses[0] if len(losses) == 1 else torch.stack(list(losses)).mean()


@kept
def own_samples(rows: range, device: torch.device) -> Tensor:
    """The numbers of some samples."""
    return torch.arange(rows.start, rows.stop, rows.step).to(device)
