"""The queue holds earlier projections, of the anchors' own samples too."""

from __future__ import annotations

import pytest
import torch
from enumerated import random_rows

import coview


@pytest.mark.parametrize("name", ["nt_xent", "info_nce", "dcl", "dclw", "debiased", "hard_negative", "clip", "siglip", "circle"])  # fmt: skip
def test_a_row_of_the_anchors_own_sample_is_left_out(registry, name: str) -> None:
    student, teacher, queue = random_rows(2, 3, 4), random_rows(2, 3, 4, seed=1), random_rows(5, 4, seed=2)
    loss = registry.build("loss", name).double()

    def value(rows: list[int], queue_ids: list[int]) -> torch.Tensor:
        seen = coview.Views.of(
            student, teacher=teacher, ids=torch.zeros(3, dtype=torch.int64), queue=queue[rows], queue_ids=torch.tensor(queue_ids)
        )  # fmt: skip
        output = loss(seen)
        return output["loss"] if isinstance(output, dict) else output

    torch.testing.assert_close(value([0, 1, 2, 3, 4], [9, 0, 8, 0, 7]), value([0, 2, 4], [9, 8, 7]))
    assert abs(value([0, 1, 2], [9, 0, 8]) - value([0, 1, 2], [9, 10, 8])) > 1e-6
