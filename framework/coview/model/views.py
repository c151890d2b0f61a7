"""What a loss sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Views:
    """V views of the same N samples in D dimensions.  V view · G teacher view · N sample · D width · Q queue.

    Attributes:
        student: ``z_VND``, with gradient; after the predictor where there is one.
        teacher: ``z_GND``, the target branch (EMA or stop-gradient); the student's own where there is none.
        modalities: The modality of each of the V views.
        ids: ``(N,)`` int64 sample ids: equal ids in a batch are not negatives of each other.
        anchors: The rows of N that this process owns; all of them on one device.
        queue: ``z_QD``, earlier teacher projections, where there is a queue.
        labels: ``(N,)`` int64, where the data has them.
    """

    student: Tensor
    teacher: Tensor
    modalities: tuple[str, ...]
    ids: Tensor
    anchors: slice
    queue: Tensor | None = None
    labels: Tensor | None = None

    @classmethod
    def of(
        cls,
        z_VND: Tensor,
        *,
        teacher: Tensor | None = None,
        modalities: tuple[str, ...] | None = None,
        ids: Tensor | None = None,
        labels: Tensor | None = None,
        queue: Tensor | None = None,
    ) -> Views:
        """Views as one device without a teacher sees them, for trying a loss by hand.

        Args:
            z_VND: Projections, of shape (views, samples, width).
            teacher: Of shape (teacher views, samples, width); ``z_VND`` itself by default.
            modalities: Of each view; one unnamed modality by default.
            ids: Of each sample; all different by default.
            labels: Of each sample.
            queue: Of shape (queue, width).

        Raises:
            ValueError: If a shape does not fit.
        """
        if z_VND.ndim != 3:
            raise ValueError(f"z_VND has to be (views, samples, width), got shape {tuple(z_VND.shape)}")
        views, samples, width = z_VND.shape
        if teacher is not None and (teacher.ndim != 3 or teacher.shape[1:] != z_VND.shape[1:]):
            raise ValueError(f"teacher has to be (G, {samples}, {width}), got shape {tuple(teacher.shape)}")
        if modalities is not None and len(modalities) != views:
            raise ValueError(f"modalities has to name {views} views, got {len(modalities)}")
        for name, tensor in (("ids", ids), ("labels", labels)):
            if tensor is not None and tensor.shape != (samples,):
                raise ValueError(f"{name} has to be ({samples},), got shape {tuple(tensor.shape)}")
        return cls(
            student=z_VND,
            teacher=z_VND if teacher is None else teacher,
            modalities=modalities or ("",) * views,
            ids=torch.arange(samples, device=z_VND.device) if ids is None else ids,
            anchors=slice(0, samples),
            queue=queue,
            labels=labels,
        )
