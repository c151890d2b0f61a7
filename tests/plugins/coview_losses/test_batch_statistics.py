"""Barlow Twins, VICReg, W-MSE, TiCo, MMCR, SIGReg and KoLeo against loops, lightly and closed forms."""

import math

import numpy as np
import pytest
import torch
from lightly import loss as peers
from scipy.integrate import trapezoid

from coview import Views
from coview_losses.barlow_twins import BarlowTwins
from coview_losses.batch_statistics import covariance_energy
from coview_losses.koleo import EPS, KoLeo
from coview_losses.mmcr import MMCR
from coview_losses.sigreg import SIGReg, directions, epps_pulley
from coview_losses.tico import TiCo
from coview_losses.vicreg import VICReg
from coview_losses.w_mse import WMSE, whitened

SHAPES = [(12, 5), (5, 12), (8, 8)]


def views(N, D, V=2, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(V, N, D, dtype=torch.float64, generator=generator) * scale + 0.3
    return z.requires_grad_()


def gradient(value, z):
    return torch.autograd.grad(value, z)[0]


def same(ours, theirs, z, tolerance=1e-9):
    assert float(ours) == pytest.approx(float(theirs), rel=tolerance, abs=tolerance)
    assert torch.allclose(gradient(ours, z), gradient(theirs, z), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_the_gram_form_is_the_other(N, D):
    a, b = views(N, D)
    assert float(covariance_energy(a, b)) == pytest.approx(float((a.T @ b).square().sum()), rel=1e-12)
    assert float(covariance_energy(a, a)) == pytest.approx(float((a.T @ a).square().sum()), rel=1e-12)


@pytest.mark.parametrize(("N", "D"), SHAPES)
@pytest.mark.parametrize("lambda_", [0.0, 0.005, 1.0])
def test_barlow_twins_is_lightlys(N, D, lambda_):
    z = views(N, D)
    same(BarlowTwins(lambda_=lambda_)(Views.of(z)), peers.BarlowTwinsLoss(lambda_)(z[0], z[1]), z)


def test_barlow_twins_by_hand_over_three_views():
    z = views(6, 4, V=3)
    total = 0.0
    for a, b in ((0, 1), (0, 2), (1, 2)):
        x, y = z[a].detach().numpy(), z[b].detach().numpy()
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
        y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-5)
        for i in range(4):
            for j in range(4):
                c = sum(x[n, i] * y[n, j] for n in range(6)) / 6
                total += (1 - c) ** 2 if i == j else 0.005 * c**2
    assert float(BarlowTwins()(Views.of(z))) == pytest.approx(total / 3, rel=1e-10)


@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_vicreg_is_lightlys(N, D):
    z = views(N, D, scale=0.7)
    same(VICReg()(Views.of(z))["loss"], peers.VICRegLoss()(z[0], z[1]), z)


def test_vicregs_terms_by_hand():
    z = views(6, 3, scale=0.5)
    found = VICReg()(Views.of(z))
    x = z.detach().numpy()
    assert float(found["invariance"]) == pytest.approx(((x[0] - x[1]) ** 2).mean())
    hinge = [max(0.0, 1 - math.sqrt(x[v, :, d].var(ddof=1) + 1e-4)) for v in range(2) for d in range(3)]
    assert float(found["variance"]) == pytest.approx(np.mean(hinge))
    covariances = [np.cov(x[v].T) for v in range(2)]
    off = sum(c[i, j] ** 2 for c in covariances for i in range(3) for j in range(3) if i != j) / 3
    assert float(found["covariance"]) == pytest.approx(off)


def test_whitened_rows_are_white():
    (z,) = views(50, 4, V=1)
    white = whitened(z, eps=1e-12).detach().numpy()
    assert np.allclose(white.mean(0), 0, atol=1e-10)
    assert np.allclose(np.cov(white.T), np.eye(4), atol=1e-8)


def test_w_mse_is_lightlys_on_the_whole_batch():
    z = views(32, 6)
    peer = peers.WMSELoss(embedding_dim=6, eps=0.01, w_size=32, w_iter=1, track_running_stats=False).double()
    same(WMSE(eps=0.01)(Views.of(z)), peer(z.flatten(0, 1)), z, tolerance=1e-7)


def test_parts_of_a_batch_are_whitened_each_by_itself():
    """In NumPy: the mean over parts of the squared distance of rows that the inverse Cholesky factor has whitened."""
    z = torch.randn(2, 24, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = []
    for first in range(0, 24, 8):
        white = []
        for view in z.numpy()[:, first : first + 8]:
            centred = view - view.mean(0)
            shrunk = 0.99 * np.cov(view.T) + 0.01 * np.eye(4)
            rows = centred @ np.linalg.inv(np.linalg.cholesky(shrunk)).T
            white.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        expected.extend(((white[0] - white[1]) ** 2).sum(1))
    found = WMSE(eps=0.01, at_a_time=8)(Views.of(z))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-12)
    assert WMSE(eps=0.01, at_a_time=24)(Views.of(z)) == WMSE(eps=0.01)(Views.of(z))
    assert WMSE(eps=0.01, at_a_time=9)(Views.of(z)) == WMSE(eps=0.01, at_a_time=12)(Views.of(z))


def test_w_mse_of_equal_views_is_zero():
    z = views(16, 4, V=1).detach().repeat(2, 1, 1)
    assert float(WMSE()(Views.of(z))) == pytest.approx(0, abs=1e-12)


def test_tico_has_lightlys_value_and_moves_its_covariance():
    student, teacher = views(10, 4, V=1), views(10, 4, V=2, seed=1).detach()
    ours, peer = TiCo(4, beta=0.7, rho=5.0).double(), peers.TiCoLoss(beta=0.7, rho=5.0)
    for _ in range(3):
        value = ours(Views.of(student, teacher=teacher))
        theirs = peer(student[0], teacher[1])
        assert float(value) == pytest.approx(float(theirs), rel=1e-10)
        student = views(10, 4, V=1, seed=5)
    before = ours.covariance_DD.clone()
    ours.eval()(Views.of(student, teacher=teacher))
    assert torch.equal(ours.covariance_DD, before)


def test_ticos_gradient_is_that_of_a_covariance_whose_newest_share_has_one():
    """Of one view as sayannag/TiCo-pytorch has it, and of three by a loop over rows."""
    for V in (1, 3):
        student, teacher = views(6, 4, V=V), views(6, 4, seed=1).detach()
        loss = TiCo(4, beta=0.7, rho=5.0).double()
        loss.covariance_DD.copy_(torch.eye(4, dtype=torch.float64) / 3)
        x, y = (z / z.norm(dim=-1, keepdim=True) for z in (student, teacher))
        rows = [x[v, n] for v in range(V) for n in range(6)]
        covariance = 0.7 * torch.eye(4, dtype=torch.float64) / 3 + 0.3 * sum(
            torch.outer(row, row) for row in rows
        ) / len(rows)
        energy = sum(row @ covariance @ row for row in rows) / len(rows)
        alike = [x[v, n] @ y[g, n] for v in range(V) for g in range(2) if v != g for n in range(6)]
        same(loss(Views.of(student, teacher=teacher)), 1 - sum(alike) / len(alike) + 5 * energy, student)


def test_mmcrs_centroids_are_lightlys():
    """Without the term of single samples, which lightly takes of both branches, and the authors of the student's."""
    student, teacher = views(9, 4), views(9, 4, seed=1).detach()
    momentum = torch.nn.functional.normalize(teacher, dim=-1).transpose(0, 1)
    online = torch.nn.functional.normalize(student, dim=-1).transpose(0, 1)
    same(MMCR()(Views.of(student, teacher=teacher)), peers.MMCRLoss(0.0)(online, momentum), student)


def test_mmcrs_momentum_form_by_hand_with_local_views():
    student, teacher = views(9, 4, V=4), views(9, 4, seed=1)
    x, y = (torch.nn.functional.normalize(z.detach(), dim=-1).numpy() for z in (student, teacher))
    centroids = [sum(x[:, n]) / 8 + sum(y[:, n]) / 4 for n in range(9)]
    whole = -np.linalg.norm(np.array(centroids), "nuc")
    single = np.mean([np.linalg.norm(x[:, n], "nuc") for n in range(9)])
    found = MMCR(lambda_=0.3)(Views.of(student, teacher=teacher))
    assert float(found) == pytest.approx(whole + 0.3 * single, rel=1e-10)


def test_mmcr_of_orthogonal_samples_and_of_equal_ones():
    eye = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    assert float(MMCR()(Views.of(eye))) == pytest.approx(-4)  # four singular values of 1
    assert float(MMCR()(Views.of(torch.ones(2, 4, 3, dtype=torch.float64)))) == pytest.approx(-2)  # one, of sqrt(4)


def test_epps_pulley_by_scipys_integral():
    x = np.random.default_rng(0).normal(0.4, 1.3, size=(40, 3))
    t = np.linspace(0, 3, 17)
    expected = []
    for column in x.T:
        phi = np.exp(1j * t[:, None] * column).mean(1)
        expected.append(2 * 40 * trapezoid(np.abs(phi - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), t))
    assert epps_pulley(torch.from_numpy(x), 17).numpy() == pytest.approx(np.array(expected), rel=1e-10)


def test_sigreg_tells_a_normal_from_a_collapsed_batch():
    loss = SIGReg(slices=64)
    normal = loss(Views.of(torch.randn(2, 512, 8, generator=torch.Generator().manual_seed(0))))["sigreg"]
    collapsed = loss(Views.of(torch.zeros(2, 512, 8)))["sigreg"]
    assert float(normal) < 1.5  # of the order of 1 whatever N, under the hypothesis
    assert float(collapsed) > 100


def test_sigreg_by_hand_and_new_directions_at_each_step():
    z = views(10, 4)
    loss = SIGReg(lambda_=0.2, slices=6)
    found = loss(Views.of(z))
    mean = z.mean(0)
    prediction = (z - mean).square().mean()
    slices = directions(4, 6, 0, z)
    statistic = torch.stack([epps_pulley(z[v] @ slices, 17).mean() for v in range(2)]).mean()
    assert float(found["loss"]) == pytest.approx(float(0.8 * prediction + 0.2 * statistic), rel=1e-12)
    assert torch.allclose(slices.norm(dim=0), torch.ones(6, dtype=torch.float64))
    assert int(loss.step) == 1
    assert not torch.allclose(directions(4, 6, 1, z), slices)


def test_koleo_is_lightlys():
    z = views(9, 4, V=1)
    peer = peers.KoLeoLoss(eps=EPS)
    assert float(KoLeo()(Views.of(z))) == pytest.approx(float(peer(z[0])), rel=1e-3)
    x = torch.nn.functional.normalize(z[0].detach(), dim=-1).numpy()
    logs = [math.log(min(np.linalg.norm(x[i] - x[j]) for j in range(9) if j != i) + EPS) for i in range(9)]
    assert float(KoLeo()(Views.of(z))) == pytest.approx(-np.mean(logs), rel=1e-10)


def test_koleo_passes_over_samples_of_equal_id():
    z = views(3, 4, V=1)
    ids = torch.tensor([1, 1, 2])
    x = torch.nn.functional.normalize(z[0].detach(), dim=-1)
    apart = [float((x[2] - x[i]).norm()) for i in range(2)]
    expected = -(math.log(apart[0] + EPS) + math.log(apart[1] + EPS) + math.log(min(apart) + EPS)) / 3
    assert float(KoLeo()(Views.of(z, ids=ids))) == pytest.approx(expected, rel=1e-10)
