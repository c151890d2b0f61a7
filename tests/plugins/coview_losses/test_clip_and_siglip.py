from __future__ import annotations

import math

import pytest
import torch
from enumerated import cosine, equal_rows, mean, orthogonal_rows, random_rows, scenes

import coview
from coview_losses.clip import CLIP
from coview_losses.info_nce import InfoNCE
from coview_losses.siglip import SigLIP

SCENES = scenes()


def siglip_by_loop(views: coview.Views, scale: float, bias: float) -> float:
    student, teacher, ids = views.student.tolist(), views.teacher.tolist(), views.ids.tolist()
    sums = []
    for v in range(len(student)):
        for g in range(len(teacher)):
            if v == g:
                continue
            total = 0.0
            for i in range(len(ids)):
                others = [(row, id_) for row, id_ in zip(teacher[g], ids, strict=True) if id_ != ids[i]]
                if views.queue is not None:
                    queue = zip(views.queue.tolist(), views.queue_ids.tolist(), strict=True)
                    others += [(row, id_) for row, id_ in queue if id_ != ids[i]]
                total += math.log(1 + math.exp(-scale * cosine(student[v][i], teacher[g][i]) - bias))
                total += sum(math.log(1 + math.exp(scale * cosine(student[v][i], row) + bias)) for row, _ in others)
            sums.append(total / len(ids))
    return mean(sums)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("scale", "bias"), [(10.0, -10.0), (1.0, 0.5)])
def test_siglip_equals_the_loop(scene: str, scale: float, bias: float) -> None:
    views = SCENES[scene]
    loss = SigLIP(scale=scale, bias=bias).double()
    assert loss(views)["loss"].item() == pytest.approx(siglip_by_loop(views, scale, bias), abs=1e-6)


def test_siglip_closed_forms() -> None:
    loss, n = SigLIP().double(), 6
    equal = math.log(2) * n
    assert loss(equal_rows(2, n))["loss"].item() == pytest.approx(equal, abs=1e-5)
    orthogonal = math.log(2) + (n - 1) * math.log1p(math.exp(-10))
    assert loss(orthogonal_rows(n))["loss"].item() == pytest.approx(orthogonal, abs=1e-5)


def test_siglip_is_the_papers_algorithm_1() -> None:
    z = random_rows(2, 6, 4)
    a, b = torch.nn.functional.normalize(z, dim=-1)
    logits = 10 * b @ a.T - 10
    signs = 2 * torch.eye(6, dtype=torch.float64) - 1
    expected = -torch.nn.functional.logsigmoid(signs * logits).sum(-1).mean()
    torch.testing.assert_close(SigLIP().double()(coview.Views.of(z))["loss"], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scene", SCENES)
def test_clip_is_the_symmetric_info_nce_of_its_temperature(scene: str) -> None:
    views = SCENES[scene]
    torch.testing.assert_close(CLIP().double()(views)["loss"], InfoNCE(temperature=0.07)(views), atol=1e-6, rtol=0)


def test_clip_is_the_papers_figure_3_in_value_and_gradient() -> None:
    z = random_rows(2, 9, 5, dtype=torch.float32).requires_grad_()
    loss = CLIP()
    a, b = torch.nn.functional.normalize(z, dim=-1)
    logits, labels = a @ b.T * loss.log_scale.exp(), torch.arange(9)
    theirs = (
        torch.nn.functional.cross_entropy(logits, labels) + torch.nn.functional.cross_entropy(logits.T, labels)
    ) / 2
    ours = loss(coview.Views.of(z))["loss"]
    torch.testing.assert_close(ours, theirs)
    leaves = (z, loss.log_scale)
    torch.testing.assert_close(torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), atol=1e-5, rtol=1e-4)  # fmt: skip


def test_clips_scale_stops_at_100_and_comes_back() -> None:
    loss = CLIP()
    with torch.no_grad():
        loss.log_scale.fill_(9.0)
    wrong = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0)])
    outputs = loss(coview.Views.of(wrong))
    value = outputs["loss"]
    assert outputs["temperature"].item() == pytest.approx(0.01)
    assert loss.log_scale.exp().item() == pytest.approx(100)
    value.backward()
    assert loss.log_scale.grad > 0  # descent lowers it


def test_what_is_learnt_is_told_as_the_recipe_gives_it() -> None:
    views = coview.Views.of(random_rows(2, 6, 4))
    clip = CLIP(temperature=0.2)(views)
    assert clip.keys() == {"loss", "temperature"}
    assert clip["temperature"].item() == pytest.approx(0.2)
    siglip = SigLIP(scale=7, bias=-3)(views)
    assert siglip.keys() == {"loss", "scale", "bias"}
    assert (siglip["scale"].item(), siglip["bias"].item()) == pytest.approx((7, -3))
    assert not any(outputs[name].requires_grad for outputs in (clip, siglip) for name in outputs if name != "loss")
