from __future__ import annotations

import math

import pytest
import torch
from enumerated import cosine, equal_rows, mean, orthogonal_rows, random_rows, scenes

import coview
from coview_losses.alignment_uniformity import AlignmentUniformity

SCENES = scenes(queue=False)


def by_loop(views: coview.Views, alpha: float, t: float) -> tuple[float, float]:
    student, teacher, ids = views.student.tolist(), views.teacher.tolist(), views.ids.tolist()
    distances = [
        math.sqrt(2 - 2 * cosine(student[v][i], teacher[g][i])) ** alpha
        for v in range(len(student))
        for g in range(len(teacher))
        for i in range(len(ids))
        if v != g
    ]
    potentials = [
        [
            math.exp(-t * (2 - 2 * cosine(rows[i], rows[j])))
            for i in range(len(ids))
            for j in range(i)
            if ids[i] != ids[j]
        ]
        for rows in student
    ]
    return mean(distances), mean(math.log(mean(row)) for row in potentials)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("alpha", "t"), [(2.0, 2.0), (1.0, 4.0), (3.0, 0.5)])
def test_equals_the_loop(scene: str, alpha: float, t: float) -> None:
    views = SCENES[scene]
    found = AlignmentUniformity(alpha=alpha, t=t, alignment_weight=3.0, uniformity_weight=0.5)(views)
    aligned, uniform = by_loop(views, alpha, t)
    assert found["alignment"].item() == pytest.approx(aligned, abs=1e-10)
    assert found["uniformity"].item() == pytest.approx(uniform, abs=1e-10)
    assert found["loss"].item() == pytest.approx(3 * aligned + 0.5 * uniform, abs=1e-10)


def test_equals_the_papers_own_definition() -> None:
    """Section 4.1.2 gives both in terms of torch.pdist, which knows no equal ids."""
    z = torch.nn.functional.normalize(random_rows(2, 9, 4), dim=-1)
    found = AlignmentUniformity()(coview.Views.of(z))
    assert found["alignment"].item() == pytest.approx((z[0] - z[1]).norm(dim=1).square().mean().item())
    uniform = mean(torch.pdist(rows).square().mul(-2).exp().mean().log().item() for rows in z)
    assert found["uniformity"].item() == pytest.approx(uniform)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_closed_forms(alpha: float) -> None:
    equal = AlignmentUniformity(alpha=alpha)(equal_rows())
    assert (equal["alignment"].item(), equal["uniformity"].item()) == (0, pytest.approx(0))
    orthogonal = AlignmentUniformity(alpha=alpha, t=2.0)(orthogonal_rows())
    assert orthogonal["uniformity"].item() == pytest.approx(-4)


def test_without_pairs_uniformity_is_zero_and_has_no_gradient() -> None:
    z = random_rows(2, 4, 3).requires_grad_()
    views = coview.Views.of(z, ids=torch.zeros(4, dtype=torch.int64))
    found = AlignmentUniformity(alignment_weight=0.0)(views)
    assert found["loss"].item() == 0
    assert torch.autograd.grad(found["loss"], z)[0].abs().max() == 0
