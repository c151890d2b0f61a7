from __future__ import annotations

import math

import pytest
import torch
from enumerated import dot, equal_rows, mean, orthogonal_rows, random_rows, scenes

import coview
from coview_losses.spectral_contrastive import SpectralContrastive

SCENES = scenes(queue=False)


def shortened(row: list[float], mu: float) -> list[float]:
    length = math.sqrt(dot(row, row))
    return [x * min(1, math.sqrt(mu) / length) for x in row]


def by_loop(views: coview.Views, mu: float) -> float:
    student, teacher = views.student.tolist(), views.teacher.tolist()
    ids = views.ids.tolist()
    losses = []
    for v in range(len(student)):
        for g in range(len(teacher)):
            if v == g:
                continue
            for i in range(len(ids)):
                row = shortened(student[v][i], mu)
                squares = [dot(row, shortened(teacher[g][j], mu)) ** 2 for j in range(len(ids)) if ids[j] != ids[i]]
                losses.append(-2 * dot(row, shortened(teacher[g][i], mu)) + mean(squares))
    return mean(losses) / mu


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("mu", [0.5, 1.0, 4.0, 100.0])
def test_equals_the_loop(scene: str, mu: float) -> None:
    views = SCENES[scene]
    assert SpectralContrastive(mu=mu)(views).item() == pytest.approx(by_loop(views, mu), abs=1e-10)


def test_closed_forms() -> None:
    assert SpectralContrastive()(equal_rows()).item() == pytest.approx(-2 + 1)
    assert SpectralContrastive()(orthogonal_rows()).item() == pytest.approx(-2)
    halved = coview.Views.of(orthogonal_rows().student / 2)
    assert SpectralContrastive()(halved).item() == pytest.approx(-2 / 4)


def test_rows_of_the_longest_length_have_a_gradient_along_the_sphere_only() -> None:
    z = (3 * random_rows(2, 5, 4)).requires_grad_()
    gradient = torch.autograd.grad(SpectralContrastive(mu=0.1)(coview.Views.of(z)), z)[0]
    assert (gradient * z).sum(-1).abs().max() < 1e-12
    assert gradient.abs().max() > 1e-3
