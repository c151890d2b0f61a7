"""Geometry of representations: IsoScore's own steps, LiDAR by scipy, intervals by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import eigh, sqrtm

import coview
from coview.builtin.evaluators.geometry import Geometry, measures
from coview.evaluate.diagnostics import diagnose, isotropy, lidar
from coview.evaluate.intervals import jackknife_interval


def cloud(n: int = 300, width: int = 6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, generator=generator) * torch.linspace(1, 3, width) + 1


def isoscore_step_by_step(x: np.ndarray) -> float:
    """Rudman et al. 2022, algorithm 1: variances on principal axes, normalised; defect; share of dimensions; rescaled."""
    n = x.shape[1]
    variances = np.linalg.eigvalsh(np.cov(x.T))
    normalised = math.sqrt(n) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normalised - 1) / math.sqrt(2 * (n - math.sqrt(n)))
    share = (n - defect**2 * (n - math.sqrt(n))) ** 2 / n**2
    return float((n * share - 1) / (n - 1))


@pytest.mark.parametrize(("n", "width"), [(300, 6), (8, 30)])
def test_isotropy_is_isoscores_steps(n: int, width: int) -> None:
    x = cloud(n, width).double()
    assert float(isotropy(x)) == pytest.approx(isoscore_step_by_step(x.numpy()))


def test_isotropy_of_a_line_a_plane_and_a_cross() -> None:
    axes = torch.cat([torch.eye(4), -torch.eye(4)]).double()
    assert float(isotropy(axes)) == pytest.approx(1)
    plane = axes.clone()
    plane[:, 2:] = 0
    assert float(isotropy(plane)) == pytest.approx(1 / 3)  # two of four: (2 - 1) / (4 - 1)
    assert float(isotropy(axes[:, :1] * torch.ones(4))) == pytest.approx(0)
    assert float(isotropy(torch.ones(5, 4))) == 0


def lidar_by_scipy(z: np.ndarray, delta: float) -> float:
    V, N, D = z.shape
    means = z.mean(0)
    between = sum(np.outer(m, m) for m in means - means.mean(0)) / N
    within = sum(np.outer(z[v, n] - means[n], z[v, n] - means[n]) for v in range(V) for n in range(N)) / (V * N)
    root = np.linalg.inv(np.real(sqrtm(within + delta * np.eye(D))))
    values = eigh(root @ between @ root, eigvals_only=True)
    share = values / np.abs(values).sum() + 1e-7
    return float(np.exp(-(share * np.log(share)).sum()))


def test_lidar_is_discriminant_analysis_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(40, 5, generator=generator) * torch.tensor([3, 2, 1, 1, 0.1])
    views = z + torch.randn(3, 40, 5, generator=generator) * torch.tensor([0.1, 2, 1, 0.5, 0.1])
    for delta in (1e-4, 0.5):
        assert float(lidar(views, delta)) == pytest.approx(lidar_by_scipy(views.double().numpy(), delta), rel=1e-6)


def test_lidar_passes_over_directions_in_which_the_views_differ_only() -> None:
    generator = torch.Generator().manual_seed(1)
    sample = torch.zeros(500, 4)
    sample[:, :2] = torch.randn(500, 2, generator=generator)
    views = sample + 0.05 * torch.randn(4, 500, 4, generator=generator)
    views[:, :, 3] += 2 * torch.randn(4, 500, generator=generator)
    assert float(lidar(views)) == pytest.approx(2, abs=0.1)
    assert diagnose(views)["effective_rank"] > 2.5
    assert diagnose(views)["lidar"] == pytest.approx(float(lidar(views)), rel=1e-5)


def test_lidar_is_left_out_where_delta_would_decide_and_never_raises() -> None:
    assert "lidar" in diagnose(torch.randn(2, 8, 8))
    assert "lidar" not in diagnose(torch.randn(2, 7, 8))
    assert float(lidar(torch.ones(2, 8, 3))) == pytest.approx(1, abs=1e-3)
    assert math.isnan(float(lidar(torch.full((2, 8, 3), torch.inf))))


def test_numbers_and_intervals() -> None:
    x = cloud()
    given = coview.Features({"test": coview.FeatureSplit(x, torch.arange(300))})
    found = {result.metric: result for result in Geometry()(given, coview.Rng(0))}
    unit = (x / x.norm(dim=1, keepdim=True)).double().numpy()
    cosines = (unit @ unit.T)[~np.eye(300, dtype=bool)]
    singular = np.linalg.svd(x.double().numpy(), compute_uv=False)
    share = singular / singular.sum()
    expected = {
        "effective_rank": np.exp(-(share * np.log(share)).sum()),
        "uniformity": np.log(np.exp(4 * cosines - 4).mean()),
        "spread": unit.std(0, ddof=1).mean() * math.sqrt(6),
        "isotropy": isoscore_step_by_step(x.double().numpy()),
        "mean_cosine": cosines.mean(),
    }
    assert {name: result.value for name, result in found.items()} == pytest.approx(expected, rel=1e-4)
    assert all(result.ci_low < result.value < result.ci_high and result.n == 300 for result in found.values())


def test_no_more_samples_than_asked_and_the_same_for_every_kind_of_features() -> None:
    x = cloud()
    both = torch.stack([x, 2 * x])
    results = [
        Geometry(samples=50)(coview.Features({"test": coview.FeatureSplit(each, torch.arange(300))}), coview.Rng(2))
        for each in both
    ]
    assert {result.n for result in results[0]} == {50}
    assert [result.value for result in results[0]] == pytest.approx([result.value for result in results[1]], rel=1e-4)
    few = coview.Features({"test": coview.FeatureSplit(x[:19], torch.arange(19))})
    with pytest.raises(coview.CoviewError, match="19 samples"):
        Geometry()(few, coview.Rng(0))


def test_the_jackknife_of_a_mean_is_the_interval_of_group_means() -> None:
    x = np.random.default_rng(0).normal(size=1000)
    low, high = jackknife_interval(1000, lambda rows: {"mean": x[rows].mean()}, np.random.default_rng(1))["mean"]
    groups = np.array_split(np.random.default_rng(1).permutation(1000), 10)
    means = [x[group].mean() for group in groups]
    assert (high - low) / 2 == pytest.approx(2.262157 * np.std(means, ddof=1) / math.sqrt(10), rel=1e-5)
    assert (high + low) / 2 == pytest.approx(x.mean())


@pytest.mark.slow
def test_the_intervals_cover() -> None:
    truth = measures(cloud(20_000, seed=1_000_000)[:8000])
    covered = dict.fromkeys(truth, 0)
    for seed in range(100):
        split = coview.FeatureSplit(cloud(seed=seed), torch.arange(300))
        for result in Geometry()(coview.Features({"test": split}), coview.Rng(seed)):
            covered[result.metric] += result.ci_low <= truth[result.metric] <= result.ci_high
    assert min(covered[name] for name in ("spread", "mean_cosine", "uniformity")) >= 85, covered
