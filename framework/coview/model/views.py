"""What a loss sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from coview.errors import CoviewError
from coview.model.collectives import largest_over_ranks, several_ranks, sum_over_ranks
from coview.model.hidden_tokens import HiddenTokens


@dataclass(frozen=True)
class Views:
    """V views of the same N samples in D dimensions.  V view · G teacher view · N sample · D width · Q queue.

    Attributes:
        student: ``z_VND``, with gradient; after the predictor where there is one.
        teacher: ``z_GND``, the target branch (EMA, stop-gradient, or another encoder, whose width may be its own);
            where there is none, the student's own, with gradient. Teacher view g is of the same input as student
            view g; with multi-crop the teacher has not seen the local views G to V - 1.
        modalities: The modality of each of the V views.
        ids: ``(N,)`` int64 sample ids: equal ids in a batch are not negatives of each other.
        anchors: The rows of N that this process owns; all of them on one device.
        has_teacher: Whether the target branch is another than the student's own views: a moving average, or the
            student's without gradient.
        queue: ``z_QD``, earlier teacher projections, where there is a queue; none at the first step (Q = 0). Behind
            them, with gradient, the hard negatives of the batch's samples, where a view is made of them.
        queue_ids: ``(Q,)``, the sample ids of the queue's rows. A hard negative has the id of the sample that it is a
            value of, or none that a sample has.
        queue_labels: ``(Q,)`` int64, the labels of the queue's rows, where a loss names labels and takes a queue.
        labels: ``(N,)`` int64, where the data has them.
        representations: ``(V, N, D)``, with gradient: what the student's encoder makes, before the projector, where a
            loss needs them.
        tokens: Hidden tokens and what they have to be, of this process, where there is a mask.
        extras: ``(N, …)`` by name: what the samples say of themselves in :attr:`coview.Sample.extras`, where a loss
            names it.
        progress: Share of the training that is done, in optimiser steps: from 0 to below 1.
        roles: The name of each of the V views, empty for one that has none; nothing where none has one.
        present_VN: ``(V, N)`` bool, whether the sample has the view's modality; None where each has all. A term of the
            loss sees the samples that have all of its modalities, on all processes, and None.
        queue_views: ``(Q,)`` int64, the number of the teacher's view that each of the queue's rows is of; None where
            that is not known. A hard negative is of the first view of its modality.
        negative_ids: ``(N,)`` int64 where the view called "negative" is one of these views: the id of the sample that
            each hard negative is a value of, and -1 where a sample has none.
        samples_of_all: How many samples all processes have together, where these views are of this process's alone, as
            a loss with ``Needs(rows="own")`` sees them; None where they are of all samples. :attr:`count` says it in
            both cases.
        ids_differ: Whether it is known, without a look at the device, that no two of the ids are equal. Where it is not
            known, this is False. It says nothing of the queue's ids, which may be those of samples of the batch. A loss
            comes to the same by either, and may leave out its masks where it is so.
        own: The same of this process's samples alone, from which each term of the loss takes what it sees; None where
            there is one process, and where these views are of them already.

    A loss that declares its ``needs`` sees labels, a queue, representations, tokens and extras only if it names
    them.
    """

    student: Tensor
    teacher: Tensor
    modalities: tuple[str, ...]
    ids: Tensor
    anchors: slice
    has_teacher: bool = field(kw_only=True)
    queue: Tensor | None = None
    queue_ids: Tensor | None = None
    labels: Tensor | None = None
    representations: Tensor | None = None
    tokens: HiddenTokens | None = None
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    progress: float = 0.0
    queue_labels: Tensor | None = None
    roles: tuple[str, ...] = ()
    queue_views: Tensor | None = None
    present_VN: Tensor | None = None
    negative_ids: Tensor | None = None
    samples_of_all: int | None = None
    own: Views | None = None
    ids_differ: bool = False

    @property
    def count(self) -> int:
        """How many samples there are over all processes."""
        return len(self.ids) if self.samples_of_all is None else self.samples_of_all

    def sum(self, x_N: Tensor) -> Tensor:
        """The sum over the first dimension, and over all processes; so is the gradient.

        Every process has to call it, also one that has no samples.

        Args:
            x_N: Of this process's samples where the views are of these alone, else of all samples.
        """
        total = x_N.sum(0)
        return total if self.samples_of_all is None else self._sum_over_processes(total)

    def log_sum_exp(self, x_N: Tensor) -> Tensor:
        """The logarithm of the sum of exponentials over the first dimension, and over all processes; as :meth:`sum`.

        Args:
            x_N: Finite numbers of this process's samples where the views are of these alone, else of all samples.
        """
        if self.samples_of_all is None:
            return x_N.logsumexp(0)
        lowest = x_N.new_full((1, *x_N.shape[1:]), torch.finfo(x_N.dtype).min)  # of a process that has no samples
        largest = self._largest_over_processes(torch.cat([x_N.detach(), lowest]).amax(0))
        return self.sum((x_N - largest).exp()).log() + largest

    def _sum_over_processes(self, total: Tensor) -> Tensor:
        return sum_over_ranks(total) if several_ranks() else total

    def _largest_over_processes(self, largest: Tensor) -> Tensor:
        return largest_over_ranks(largest) if several_ranks() else largest

    def role(self, name: str) -> int:
        """The number of the view that a recipe calls so, from 0 to V - 1.

        Raises:
            CoviewError: If it calls none so; a loss that says so in its ``needs`` is refused before that.
        """
        if not name or name not in self.roles:
            called = f"they are called {' and '.join(filter(None, self.roles))}" if self.roles else "none has a name"
            raise CoviewError(f'no view is called "{name}": {called}', hint='data.views = ["…", "…"] names them')
        return self.roles.index(name)

    @classmethod
    def of(
        cls,
        z_VND: Tensor,
        *,
        teacher: Tensor | None = None,
        global_views: int | None = None,
        modalities: tuple[str, ...] | None = None,
        ids: Tensor | None = None,
        labels: Tensor | None = None,
        queue: Tensor | None = None,
        queue_ids: Tensor | None = None,
        queue_labels: Tensor | None = None,
        queue_views: Tensor | None = None,
        representations: Tensor | None = None,
        tokens: HiddenTokens | None = None,
        extras: Mapping[str, Tensor] | None = None,
        progress: float = 0.0,
        roles: tuple[str, ...] = (),
        negative_ids: Tensor | None = None,
    ) -> Views:
        """Views as one device sees them, for trying a loss by hand.

        Args:
            z_VND: Projections, of shape (views, samples, width).
            teacher: Of shape (teacher views, samples, its width); by default there is none, and the student's own views
                stand in for it.
            global_views: How many views the target branch has where there is no teacher; all of them by default.
            modalities: Of each view; one unnamed modality by default.
            ids: Of each sample; all different by default. Those that are on a CPU are looked at, for ``ids_differ``.
            labels: Of each sample.
            queue: Of shape (queue, width).
            queue_ids: Of each row of the queue; by default, none of them is a sample of the batch.
            queue_labels: Of each row of the queue.
            queue_views: Of each row of the queue, the number of the teacher's view.
            representations: Of shape (views, samples, width of the encoder).
            tokens: Hidden tokens.
            extras: Of each sample, by name.
            progress: Share of the training that is done.
            roles: The name of each view, where they have some.
            negative_ids: Of each sample, where one of the views is of hard negatives.

        Raises:
            ValueError: If a shape does not fit.
        """
        if z_VND.ndim != 3:
            raise ValueError(f"z_VND has to be (views, samples, width), got shape {tuple(z_VND.shape)}")
        views, samples, width = z_VND.shape
        if teacher is not None and (teacher.ndim != 3 or teacher.shape[1] != samples):
            raise ValueError(f"teacher has to be (G, {samples}, width), got shape {tuple(teacher.shape)}")
        if global_views is not None and not 1 <= global_views <= views:
            raise ValueError(f"global_views has to be from 1 to {views}, got {global_views}")
        if global_views is not None and teacher is not None and global_views != len(teacher):
            raise ValueError(f"global_views has to be {len(teacher)}, as the teacher has it, got {global_views}")
        if modalities is not None and len(modalities) != views:
            raise ValueError(f"modalities has to name {views} views, got {len(modalities)}")
        if roles and len(roles) != views:
            raise ValueError(f"roles has to name {views} views, got {len(roles)}")
        for name, tensor in (("ids", ids), ("labels", labels), ("negative_ids", negative_ids)):
            if tensor is not None and tensor.shape != (samples,):
                raise ValueError(f"{name} has to be ({samples},), got shape {tuple(tensor.shape)}")
        for name, tensor in (extras or {}).items():
            if tensor.ndim == 0 or len(tensor) != samples:
                raise ValueError(f"extras: {name} has to be ({samples}, …), got shape {tuple(tensor.shape)}")
        if queue is not None and (queue.ndim != 2 or queue.shape[1] != width):
            raise ValueError(f"queue has to be (Q, {width}), got shape {tuple(queue.shape)}")
        if queue is not None and queue_ids is None:
            queue_ids = torch.full((len(queue),), -1, dtype=torch.int64, device=z_VND.device)
        differ = ids is None or (ids.device.type == "cpu" and len(set(ids.tolist())) == samples)
        return cls(
            student=z_VND,
            teacher=teacher
            if teacher is not None
            else z_VND
            if global_views in (None, views)
            else z_VND[:global_views],
            has_teacher=teacher is not None,
            modalities=modalities or ("",) * views,
            ids=torch.arange(samples, device=z_VND.device) if ids is None else ids,
            anchors=slice(0, samples),
            queue=queue,
            queue_ids=queue_ids,
            queue_labels=queue_labels,
            queue_views=queue_views,
            labels=labels,
            representations=representations,
            tokens=tokens,
            extras=extras or {},
            progress=progress,
            roles=roles,
            negative_ids=negative_ids,
            ids_differ=differ,
        )
