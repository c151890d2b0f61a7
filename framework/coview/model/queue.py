"""The queue of earlier projections (MoCo, arXiv:1911.05722, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from coview.errors import CoviewError
from coview.model.views import Views
from coview.model.within_memory import free_memory, gigabytes
from coview.recipe.needs import NEGATIVE, Needs
from coview.recipe.recipe import Recipe


class Queue(nn.Module):
    """The last projections of the target branch, with the ids of their samples; the same on every rank.

    Args:
        size: Rows kept.
        width: D.
        labelled: Whether the labels of the samples are kept as well.
        views: The numbers of the teacher's views that are put in; absent: all.
    """

    rows_QD: Tensor
    ids_Q: Tensor
    views_Q: Tensor
    labels_Q: Tensor | None
    filled: Tensor
    next: Tensor

    def __init__(self, size: int, width: int, *, labelled: bool = False, views: Sequence[int] | None = None) -> None:
        super().__init__()
        self._put_in = None if views is None else tuple(views)
        self.register_buffer("rows_QD", torch.zeros(size, width))
        self.register_buffer("ids_Q", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("views_Q", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("labels_Q", torch.full((size,), -1) if labelled else None)
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))
        self._at: tuple[int, int] | None = (0, 0)

    def content(self) -> tuple[Tensor, Tensor]:
        """Copies of the rows that are filled, and of their ids: what is put in later does not change them."""
        filled, _ = self._filled_and_next()
        return self.rows_QD[:filled].clone(), self.ids_Q[:filled].clone()

    def labels(self) -> Tensor | None:
        """A copy of the labels of the rows that are filled, -1 of a row whose batch had none; None if none are kept."""
        filled, _ = self._filled_and_next()
        return None if self.labels_Q is None else self.labels_Q[:filled].clone()

    def views(self) -> Tensor:
        """A copy of the numbers of the teacher's views that the filled rows are of."""
        filled, _ = self._filled_and_next()
        return self.views_Q[:filled].clone()

    @torch.no_grad()
    def put(self, views: Views) -> None:
        """Puts in the teacher's projections of a batch, in place of the oldest."""
        size = len(self.ids_Q)
        # hard negatives are of no sample, and so useless later
        own = [view for view in range(len(views.teacher)) if views.roles[view : view + 1] != (NEGATIVE,)]
        taken = own if self._put_in is None else self._put_in
        # the rows of each view that are put in: those of samples that have its modality
        of_view = [slice(None) if views.present_VN is None else views.present_VN[view] for view in taken]
        rows = list(zip(taken, of_view, strict=True))
        rows_KD = torch.cat([views.teacher[view, of].detach() for view, of in rows])[-size:].to(self.rows_QD.dtype)
        ids_K = torch.cat([views.ids[of] for of in of_view])[-size:]
        filled, following = self._filled_and_next()
        places = (following + torch.arange(len(ids_K), device=ids_K.device)) % size
        self.rows_QD[places] = rows_KD
        self.ids_Q[places] = ids_K
        self.views_Q[places] = torch.cat([torch.full_like(views.ids[of], view) for view, of in rows])[-size:]
        if self.labels_Q is not None:
            labels_N = views.labels
            self.labels_Q[places] = -1 if labels_N is None else torch.cat([labels_N[of] for of in of_view])[-size:]
        self._at = min(size, filled + len(ids_K)), (following + len(ids_K)) % size
        self.filled.fill_(self._at[0])
        self.next.fill_(self._at[1])

    def _filled_and_next(self) -> tuple[int, int]:
        """Known here, since asking a GPU for them at every step would make it wait."""
        if self._at is None:
            self._at = int(self.filled), int(self.next)
        return self._at

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._at = None


def build_queue(recipe: Recipe, width: int) -> Queue | None:
    """The queue of a recipe; None where it has none.

    Raises:
        CoviewError: If there is no memory for so many rows.
    """
    if recipe.queue is None:
        return None
    size = recipe.queue.size
    needed = bytes_of_queue(size, width)
    try:
        if needed > free_memory():
            raise MemoryError
        labelled = any(sees_labels_of_queue(term.needs) for term in recipe.loss)
        return Queue(size, width, labelled=labelled, views=recipe.queue.numbers)
    except (MemoryError, RuntimeError) as error:  # the latter is what PyTorch raises
        raise CoviewError(
            f"{recipe.where('queue', 'size')}: {size:,} rows of {width:,} numbers take {gigabytes(needed)}, "
            "which is more than the memory that is free",
            hint="MoCo's queue has 65,536 rows",
        ) from error


def sees_labels_of_queue(needs: Needs | None) -> bool:
    """Whether a loss sees the labels of the queue's rows: if it names labels and takes a queue."""
    return needs is not None and needs.labels and needs.queue != "unused"


def bytes_of_queue(size: int, width: int) -> int:
    """What so many rows of fp32, each with an id and the number of its view, take."""
    return size * (width * 4 + 16)
