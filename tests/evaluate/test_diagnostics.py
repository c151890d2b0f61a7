import math

import numpy as np
import pytest
import torch

from coview.evaluate.diagnostics import diagnose, effective_rank, spread, uniformity


def batch(V=3, N=7, D=5):
    return torch.randn(V, N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_against_loops():
    z = batch()
    unit = (z / z.norm(dim=-1, keepdim=True)).numpy()
    found = diagnose(z)
    positive = [a @ b for n in range(7) for v, a in enumerate(unit[:, n]) for w, b in enumerate(unit[:, n]) if v != w]
    negative = [unit[0, i] @ unit[0, j] for i in range(7) for j in range(7) if i != j]
    apart = [((unit[0, i] - unit[0, j]) ** 2).sum() for i in range(7) for j in range(7) if i != j]
    assert found["positive_similarity"] == pytest.approx(np.mean(positive))
    assert found["alignment"] == pytest.approx(np.mean([2 - 2 * cosine for cosine in positive]))
    assert found["negative_similarity"] == pytest.approx(np.mean(negative))
    assert found["uniformity"] == pytest.approx(math.log(np.mean(np.exp(-2 * np.array(apart)))), abs=1e-6)
    assert found["spread"] == pytest.approx(unit[0].std(0, ddof=1).mean() * math.sqrt(5))


def test_closed_forms():
    assert float(effective_rank(torch.eye(4, dtype=torch.float64))) == pytest.approx(4, rel=1e-4)
    collapsed = torch.ones(6, 4, dtype=torch.float64)
    assert float(effective_rank(collapsed)) == pytest.approx(1, abs=1e-3)
    assert float(spread(collapsed)) == pytest.approx(0, abs=1e-12)
    assert float(uniformity(collapsed)) == pytest.approx(0, abs=1e-6)
    assert float(spread(batch(1, 4000, 16)[0])) == pytest.approx(1, abs=0.02)


def test_one_sample_or_one_view_leaves_out_what_needs_two():
    assert set(diagnose(batch(N=1))) == {"alignment", "positive_similarity"}
    assert "alignment" not in diagnose(batch(V=1))
    assert diagnose(batch(V=1, N=1)) == {}
