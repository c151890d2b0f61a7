"""Negative cosine, DINO, SwAV and MSN against lightly, loops and closed forms."""

import math

import pytest
import scipy.stats
import torch
from lightly import loss as peers
from lightly.loss.swav_loss import sinkhorn as peer_sinkhorn

from coview import Views
from coview_losses.dino import DINO
from coview_losses.dino_head import DINOHead
from coview_losses.msn import MSN
from coview_losses.negative_cosine import NegativeCosine
from coview_losses.swav import SwAV, sinkhorn


def branches(V=2, G=2, N=7, D=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(V, N, D, dtype=torch.float64, generator=generator).requires_grad_()
    return student, torch.randn(G, N, D, dtype=torch.float64, generator=generator)


def test_negative_cosine_is_lightlys_over_both_directions():
    p, z = branches()
    peer = peers.NegativeCosineSimilarity()
    theirs = (peer(p[0], z[1]) + peer(p[1], z[0])) / 2
    ours = NegativeCosine()(Views.of(p, teacher=z))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-9)
    for mine, other in zip(torch.autograd.grad(ours, p), torch.autograd.grad(theirs, p), strict=True):
        assert torch.allclose(mine, other, atol=1e-9)


def test_negative_cosine_of_what_agrees_is_minus_one():
    z = torch.ones(2, 3, 4)
    assert float(NegativeCosine()(Views.of(z * 2, teacher=z))) == pytest.approx(-1)


def test_dino_is_lightlys_with_local_views_and_over_steps():
    loss = DINO(5, teacher_temperature=0.07, warmup=0.0).double()
    peer = peers.DINOLoss(output_dim=5, teacher_temp=0.07, student_temp=0.1, center_momentum=0.9).double()
    for seed in range(3):
        student, teacher = branches(V=4, G=2, seed=seed)
        ours = loss(Views.of(student, teacher=teacher))["loss"]
        theirs = peer(list(teacher), list(student))
        assert float(ours) == pytest.approx(float(theirs), rel=1e-6)
        assert torch.allclose(torch.autograd.grad(ours, student)[0], torch.autograd.grad(theirs, student)[0], atol=1e-6)
    assert loss.center_D.abs().max() > 0.05


def test_dinos_temperature_rises_over_its_share_of_training():
    loss = DINO(5, warmup_teacher_temperature=0.04, teacher_temperature=0.08, warmup=0.5)
    assert [round(loss.temperature_at(p), 6) for p in (0, 0.25, 0.5, 0.9)] == [0.04, 0.06, 0.08, 0.08]


def test_dinos_centre_stays_in_evaluation():
    loss = DINO(5).double().eval()
    student, teacher = branches()
    loss(Views.of(student, teacher=teacher))
    assert torch.equal(loss.center_D, torch.zeros(5, dtype=torch.float64))


def test_dinos_head_gives_cosines():
    head = DINOHead(6, hidden=8, bottleneck=4, width=9)
    out = head(torch.randn(10, 6))
    assert out.shape == (10, 9)
    assert out.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        head.prototypes_KD *= 3  # their lengths do not count
    assert head(torch.randn(10, 6)).abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("norm_last_layer", [True, False])
def test_dinos_last_layer_is_a_weight_normalised_linear_layer(norm_last_layer):
    """PyTorch's weight norm, with the gain at 1 or learnt, three steps of AdamW that decays both."""
    head = DINOHead(6, hidden=8, bottleneck=4, width=9, norm_last_layer=norm_last_layer).double()
    last = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 9, bias=False).double())
    gain, direction = last.parametrizations.weight.original0, last.parametrizations.weight.original1
    with torch.no_grad():
        gain.fill_(1)
        direction.copy_(head.prototypes_KD)
    gain.requires_grad_(not norm_last_layer)
    ours = [parameter for name, parameter in head.named_parameters() if name.startswith("prototype")]
    theirs = [direction] if norm_last_layer else [direction, gain]
    optimizers = [torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.1) for parameters in (ours, theirs)]
    for seed in range(3):
        x = torch.randn(10, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        expected = last(torch.nn.functional.normalize(head.layers(x), dim=-1))
        found = head(x)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        for optimizer, out in zip(optimizers, (found, expected), strict=True):
            optimizer.zero_grad()
            out.log_softmax(-1).square().mean().backward()
            optimizer.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-10)


def test_dinos_head_starts_as_the_authors_does():
    head = DINOHead(64, hidden=256, bottleneck=64, width=9)
    for layer in head.layers[::2]:
        assert float(layer.bias.abs().max()) == 0
        assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("iterations", [1, 3, 20])
def test_sinkhorn_is_lightlys(iterations):
    scores = torch.randn(12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).tanh()
    codes = sinkhorn(scores, 0.05, iterations)
    assert torch.allclose(codes, peer_sinkhorn(scores, iterations=iterations, epsilon=0.05), atol=1e-10)
    assert torch.allclose(codes.sum(1), torch.ones(12, dtype=torch.float64))


def test_sinkhorn_uses_all_prototypes_alike():
    scores = torch.randn(60, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).tanh()
    assert torch.allclose(sinkhorn(scores, 0.1, 200).sum(0), torch.full((4,), 15.0, dtype=torch.float64), atol=1e-6)


def test_swav_by_hand():
    student, _ = branches(V=3, N=6)
    loss = SwAV(5, prototypes=4).double()
    views = Views.of(student, teacher=student[:2])
    unit = torch.nn.functional.normalize
    c = unit(loss.prototypes_KD, dim=-1)
    total, terms = 0.0, 0
    for g in range(2):
        codes = peer_sinkhorn(unit(student[g], dim=-1) @ c.T, iterations=3, epsilon=0.05)
        for v in range(3):
            if v != g:
                log_p = (unit(student[v], dim=-1) @ c.T / 0.1).log_softmax(-1)
                total, terms = total - float((codes * log_p).sum(-1).mean()), terms + 1
    assert float(loss(views)) == pytest.approx(total / terms, rel=1e-9)


def test_swavs_queue_takes_part_in_the_codes_only():
    student, _ = branches(N=4)
    queue = torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    loss = SwAV(5, prototypes=4).double()
    without, with_queue = loss(Views.of(student)), loss(Views.of(student, queue=queue))
    assert float(without) != pytest.approx(float(with_queue), rel=1e-4)
    assert math.isfinite(float(with_queue))


def official_swav(prototypes, student, teacher, queues=(None, None)):
    """As main_swav.py computes it in one process: prototypes as they are, codes of each view with its own queue."""
    rows, targets = (torch.nn.functional.normalize(z, dim=-1) for z in (student, teacher))
    loss = 0.0
    for crop, queue in enumerate(queues):
        with torch.no_grad():
            scores = [] if queue is None else [torch.nn.functional.normalize(queue, dim=-1) @ prototypes.T]
            q = (torch.cat([*scores, targets[crop] @ prototypes.T]) / 0.05).exp().T
            q /= q.sum()
            for _ in range(3):
                q /= q.sum(1, keepdim=True) * len(prototypes)
                q /= q.sum(0, keepdim=True) * q.shape[1]
            q = (q * q.shape[1]).T[-targets.shape[1] :]
        others = [v for v in range(len(rows)) if v != crop]
        losses = [-(q * (rows[v] @ prototypes.T / 0.1).log_softmax(1)).sum(1).mean() for v in others]
        loss = loss + sum(losses) / len(others)
    return loss / len(queues)


def test_swav_trains_its_prototypes_as_the_official_code_does():
    """Three steps with momentum and decay, which see the part of the gradient that lengthens prototypes."""
    loss = SwAV(5, prototypes=4).double()
    theirs = torch.nn.Parameter(loss.prototypes_KD.detach().clone())
    optimizers = [torch.optim.SGD([w], lr=0.3, momentum=0.9, weight_decay=0.1) for w in (loss.prototypes_KD, theirs)]
    for seed in range(3):
        student, teacher = branches(V=4, seed=seed)
        ours = loss(Views.of(student, teacher=teacher))
        with torch.no_grad():
            theirs.copy_(torch.nn.functional.normalize(theirs, dim=1))
        expected = official_swav(theirs, student, teacher)
        assert float(ours) == pytest.approx(float(expected), rel=1e-10)
        for optimizer, value in zip(optimizers, (ours, expected), strict=True):
            optimizer.zero_grad()
            value.backward()
        torch.testing.assert_close(loss.prototypes_KD.grad, theirs.grad, rtol=1e-10, atol=1e-12)
        along = (loss.prototypes_KD.grad * loss.prototypes_KD).sum(1).abs()
        assert float(along.min()) > 1e-3, "the gradient is not only across"
        for optimizer in optimizers:
            optimizer.step()
        torch.testing.assert_close(loss.prototypes_KD, theirs, rtol=1e-10, atol=1e-12)


def test_swavs_prototypes_stay_in_evaluation():
    loss = SwAV(5, prototypes=4).double().eval()
    before = loss.prototypes_KD.detach().clone()
    student, teacher = branches()
    loss(Views.of(student, teacher=teacher))
    assert torch.equal(loss.prototypes_KD, before)


def test_swavs_codes_of_a_view_are_made_with_the_queues_rows_of_that_view():
    student, teacher = branches(N=4)
    queue = torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    of_view = torch.tensor([0, 1, 1, 0, 0, 1, 0, 1, 1])
    loss = SwAV(5, prototypes=4, queue_from=0.3).double()
    found = loss(Views.of(student, teacher=teacher, queue=queue, queue_views=of_view, progress=0.4))
    prototypes = loss.prototypes_KD.detach()
    expected = official_swav(prototypes, student, teacher, (queue[of_view == 0], queue[of_view == 1]))
    assert float(found) == pytest.approx(float(expected), rel=1e-10)
    before = loss(Views.of(student, teacher=teacher, queue=queue, queue_views=of_view, progress=0.2))
    assert float(before) == pytest.approx(float(official_swav(prototypes, student, teacher)), rel=1e-10)


def test_swavs_prototypes_are_frozen_at_first():
    student, _ = branches()
    loss = SwAV(5, prototypes=4, frozen=0.1).double()
    early, late = (loss(Views.of(student, progress=progress)) for progress in (0.05, 0.2))
    assert float(early) == pytest.approx(float(late))
    assert torch.autograd.grad(early, loss.prototypes_KD, allow_unused=True)[0] is None
    assert torch.autograd.grad(late, loss.prototypes_KD)[0].abs().max() > 0


@pytest.mark.parametrize("iterations", [0, 3])
def test_msn_is_lightlys_for_each_target(iterations):
    loss = MSN(5, prototypes=6, iterations=iterations, mean_entropy=0.0).double()
    peer = peers.MSNLoss(sinkhorn_iterations=iterations, regularization_weight=0)
    student, teacher = branches(V=4, G=2)
    ours = loss(Views.of(student, teacher=teacher))["loss"]
    anchors = [torch.cat([student[v] for v in range(4) if v != g]) for g in range(2)]
    theirs = sum(peer(anchors[g], teacher[g], loss.prototypes_KD) for g in range(2)) / 2
    assert float(ours) == pytest.approx(float(theirs), rel=1e-9)
    leaves = (student, loss.prototypes_KD)
    for mine, other in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), strict=True):
        assert torch.allclose(mine, other, atol=1e-9)


def test_msns_mean_entropy_is_lightlys():
    losses = [MSN(5, prototypes=6, mean_entropy=weight).double() for weight in (0.0, 2.0)]
    losses[1].load_state_dict(losses[0].state_dict())
    student, teacher = branches(V=3)
    without, found = (loss(Views.of(student, teacher=teacher)) for loss in losses)
    rows = torch.nn.functional.normalize(student.flatten(0, 1), dim=1)
    prototypes = torch.nn.functional.normalize(losses[0].prototypes_KD, dim=1)
    mean = (rows @ prototypes.T / 0.1).softmax(1).mean(0)
    theirs = peers.MSNLoss().regularization_loss(mean)
    assert float(found["loss"] - without["loss"]) == pytest.approx(2 * float(theirs), rel=1e-9)
    assert float(found["mean_entropy"]) == pytest.approx(math.log(6) - float(theirs), rel=1e-9)


def test_pmsns_prior_is_scipys_divergence_from_a_power_law():
    losses = [MSN(5, prototypes=6, mean_entropy=weight, prior_exponent=0.25).double() for weight in (0.0, 2.0)]
    losses[1].load_state_dict(losses[0].state_dict())
    student, teacher = branches(V=3)
    without, found = (loss(Views.of(student, teacher=teacher)) for loss in losses)
    rows = torch.nn.functional.normalize(student.flatten(0, 1), dim=1)
    prototypes = torch.nn.functional.normalize(losses[0].prototypes_KD, dim=1)
    mean = (rows @ prototypes.T / 0.1).softmax(1).mean(0).detach().numpy()
    theirs = scipy.stats.entropy(mean, [k**-0.25 for k in range(1, 7)])
    assert float(found["loss"] - without["loss"]) == pytest.approx(2 * theirs, rel=1e-9)


def test_msn_of_one_prototype_for_all_is_told_by_its_entropy():
    loss = MSN(4, prototypes=3, temperature=0.01).double()
    with torch.no_grad():
        loss.prototypes_KD.copy_(torch.eye(4, dtype=torch.float64)[:3])
    z = torch.zeros(2, 5, 4, dtype=torch.float64)
    z[..., 0] = 1
    found = loss(Views.of(z, teacher=z.clone()))
    assert float(found["mean_entropy"]) == pytest.approx(0, abs=1e-12)
    spread = torch.eye(4, dtype=torch.float64)[[0, 1, 2]].expand(2, 3, 4)
    assert float(loss(Views.of(spread, teacher=spread))["mean_entropy"]) == pytest.approx(math.log(3))
