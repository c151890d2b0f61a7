"""The target branch that is a moving average of the student."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, Self, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from coview.data.batch import map_tensors, select_samples
from coview.data.token_mask import TokenMask
from coview.model.buffers import buffers_kept
from coview.model.collectives import gather_rows, row_counts, several_ranks
from coview.model.masked_calls import below_each_other
from coview.model.stochastic_depth import is_stochastic_depth
from coview.model.target import Target
from coview.model.token_task import Part, targets_of_teacher
from coview.model.tower import Tower, Towers
from coview.model.views_apart import views_apart
from coview.recipe.tables import TeacherTable


def momentum_at(table: TeacherTable, progress: float) -> float:
    """The momentum, on a cosine from the first to the last (BYOL, arXiv:2006.07733, section 3.3).

    Args:
        table: The recipe's.
        progress: Share of the optimiser steps that have been taken before this one, 0 to 1.
    """
    remaining = (math.cos(math.pi * progress) + 1) / 2
    return table.end_momentum - (table.end_momentum - table.momentum) * remaining


class Teacher(nn.Module):
    """A copy of the student without predictor, which follows it by a moving average of weights and buffers.

    It is in training mode where the student is: batch norm uses the batch's statistics. Its running statistics are
    the average of the student's, and not of what it sees itself, of which a rank would see its share only. But it
    leaves no layer out: stochastic depth is the student's alone, as in DINO, iBOT, DINOv2 and data2vec. Dropout stays
    on where the student has it, as in BYOL-A.

    Args:
        student: What to copy.
        table: The recipe's.
        seed: The run's, from which the shuffles are.
        decodes: Whether the target is made by the teacher's own decoder.

    Attributes:
        momentum: Of the next step, where it has a schedule of its own; None: as the table says.
    """

    def __init__(self, student: Towers, table: TeacherTable, seed: int, *, decodes: bool = False) -> None:
        super().__init__()
        self.towers = copy.deepcopy(student).requires_grad_(False)
        for tower in cast(Iterable[Tower], self.towers.towers.values()):
            tower.predictor = None
            if not decodes:
                tower.decoder = None
        self.table = table
        self.momentum: float | None = None
        self._seed = seed

    @torch.no_grad()
    def forward(
        self, inputs: Mapping[str, Any], samples: int, step: int, present: Mapping[str, np.ndarray] | None = None
    ) -> Tensor:
        """``z_GND`` of this rank's samples.  G global view · N sample · D width.

        Args:
            inputs: The global views.
            samples: N.
            step: Optimiser steps taken: what the shuffle is a function of, with the run's seed.
            present: By modality that some samples lack, the numbers of those that have it.
        """
        with buffers_kept(self):
            if self.table.shuffle_groups == 1:
                projected: Tensor = self.towers(inputs, present=present, samples=samples).projections
                return projected
            return self._shuffled(inputs, samples, step)

    @torch.no_grad()
    def of_tokens(
        self, inputs: Mapping[str, Any], masks: Mapping[str, TokenMask], target: nn.Module
    ) -> tuple[Tensor, Tensor | None]:
        """``z_GND`` of this rank's samples, and what has to be predicted of their tokens: one pass for both.

        Args:
            inputs: The global views, of one modality; the teacher sees them whole.
            masks: What is hidden of them from the student.
            target: Made of what the teacher sees.
        """
        ((name, value),) = inputs.items()
        tower = cast(Tower, self.towers.towers[name])
        with buffers_kept(self):
            views = self.towers.global_views
            parts = views_apart(Part(value, None), views) if self.towers.apart else [Part(value, None)]
            encodings = [tower.encode(part, max(1, cast(Target, target).layers)) for part in parts]
            z_GND = torch.cat([tower.project(one.pooled_ND) for one in encodings]).unflatten(0, (views, -1))
            encoding = below_each_other(encodings)
            mask = masks.get(name)
            return z_GND, None if mask is None else targets_of_teacher(target, tower.decoder, encoding, mask, value)

    @torch.no_grad()
    def follow(self, student: Towers, progress: float) -> None:
        """Moves towards the student, after an optimiser step.

        Args:
            student: After the step.
            progress: Share of the optimiser steps that had been taken before it.
        """
        share = 1 - self.momentum_at(progress)
        theirs = {**dict(student.named_parameters()), **dict(student.named_buffers())}
        for name, own in [*self.towers.named_parameters(), *self.towers.named_buffers()]:
            if own.is_floating_point():
                own.lerp_(theirs[name].to(own.dtype), share)
            else:  # a count of batches has no average
                own.copy_(theirs[name])

    def momentum_at(self, progress: float) -> float:
        """The momentum, where a share of the optimiser steps had been taken before the step that it is of."""
        return momentum_at(self.table, progress) if self.momentum is None else self.momentum

    def take_modes(self, student: Towers) -> None:
        """Puts each part into the mode of the student's, which is evaluation where that is frozen."""
        theirs = dict(student.named_modules())
        for name, own in self.towers.named_modules():
            own.training = theirs[name].training and not is_stochastic_depth(own)

    def train(self, mode: bool = True) -> Self:
        """Training mode, in which stochastic depth stays off."""
        super().train(mode)
        for own in self.towers.modules():
            own.training = own.training and not is_stochastic_depth(own)
        return self

    def _shuffled(self, inputs: Mapping[str, Any], samples: int, step: int) -> Tensor:
        """The batch of all ranks, shuffled, in groups of which each rank encodes its share.

        Shuffled batch norm (MoCo, arXiv:1911.05722, section 3.3). The groups are the same for any number of ranks.
        """
        rank, ranks = (dist.get_rank(), dist.get_world_size()) if several_ranks() else (0, 1)
        device = next(self.towers.parameters()).device
        counts = row_counts(samples, device) if ranks > 1 else [samples]
        if ranks > 1:
            inputs = {name: _inputs_of_all_ranks(value, samples, counts) for name, value in inputs.items()}
        total = sum(counts)
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + step) % 2**63)
        order = torch.randperm(total, generator=generator).to(device)
        groups = order.tensor_split(self.table.shuffle_groups)
        z_NGD = torch.cat(
            [
                self.towers({name: select_samples(value, total, rows) for name, value in inputs.items()})
                .projections.transpose(0, 1)
                .contiguous()
                for rows in groups[rank::ranks]
            ]
        )
        taken = torch.cat([torch.cat(groups[r::ranks]) for r in range(ranks)])
        if ranks > 1:
            z_NGD = gather_rows(z_NGD, [sum(map(len, groups[r::ranks])) for r in range(ranks)])
        first = sum(counts[:rank])
        return z_NGD[taken.argsort()][first : first + samples].transpose(0, 1)


def _inputs_of_all_ranks(value: Any, samples: int, counts: list[int]) -> Any:
    def gather(tensor: Tensor) -> Tensor:
        by_sample = tensor.unflatten(0, (-1, samples)).transpose(0, 1).contiguous()
        return gather_rows(by_sample, counts).transpose(0, 1).flatten(0, 1)

    return map_tensors(gather, value)
