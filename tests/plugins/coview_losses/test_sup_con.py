from __future__ import annotations

import math

import pytest
import torch
from enumerated import cosine, equal_rows, mean, random_rows, scenes, value_and_gradient
from pytorch_metric_learning.losses import SupConLoss

import coview
from coview_losses.nt_xent import NTXent
from coview_losses.sup_con import SupCon

SCENES = scenes(queue=False, labels=True)


def by_loop(views: coview.Views, temperature: float) -> float:
    student, teacher = views.student.tolist(), views.teacher.tolist()
    ids, labels = views.ids.tolist(), views.labels.tolist()
    losses = []
    for v in range(len(student)):
        for i in range(len(ids)):
            positives, denominator = [], 0.0
            for g in range(len(teacher)):
                for j in range(len(ids)):
                    if (i == j and v == g) or (i != j and ids[i] == ids[j]):
                        continue
                    s = cosine(student[v][i], teacher[g][j]) / temperature
                    denominator += math.exp(s)
                    if labels[i] == labels[j]:
                        positives.append(s)
            losses.append(mean(-math.log(math.exp(s) / denominator) for s in positives))
    return mean(losses)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("temperature", [0.07, 0.1, 2.0])
def test_equals_the_loop(scene: str, temperature: float) -> None:
    views = SCENES[scene]
    assert SupCon(temperature=temperature)(views).item() == pytest.approx(by_loop(views, temperature), abs=1e-10)


def test_equals_pytorch_metric_learning_in_value_and_gradient() -> None:
    z = random_rows(2, 12, 8).requires_grad_()
    labels = torch.arange(12) % 4
    ours = value_and_gradient(SupCon(temperature=0.1)(coview.Views.of(z, labels=labels)), z)
    theirs = value_and_gradient(SupConLoss(temperature=0.1)(z.flatten(0, 1), labels.repeat(2)), z)
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-7)


def test_with_a_class_for_each_sample_it_is_nt_xent() -> None:
    z = random_rows(3, 6, 4)
    views = coview.Views.of(z, labels=torch.arange(6))
    torch.testing.assert_close(SupCon(temperature=0.3)(views), NTXent(temperature=0.3)(views))


def test_equal_rows_give_the_log_of_the_candidates() -> None:
    views = coview.Views.of(equal_rows(2, 6).student, labels=torch.arange(6) % 2)
    assert SupCon()(views).item() == pytest.approx(math.log(11))


def test_labels_are_needed() -> None:
    with pytest.raises(ValueError, match="sup_con needs labels"):
        SupCon()(coview.Views.of(random_rows(2, 3, 4)))
