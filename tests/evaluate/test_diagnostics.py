import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coview.evaluate.diagnostics import diagnose, effective_rank, false_negative_rate, spread, uniformity


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


def by_loop(x, y):
    """Of rows of two modalities the gap, the alignment and the uniformity."""
    x, y = ((rows / rows.norm(dim=-1, keepdim=True)).numpy() for rows in (x, y))
    N = len(x)
    apart = [((x[i] - y[j]) ** 2).sum() for i in range(N) for j in range(N) if i != j]
    return (
        np.sqrt(((sum(x) / N - sum(y) / N) ** 2).sum()),
        sum(((x[i] - y[i]) ** 2).sum() for i in range(N)) / N,
        math.log(np.mean(np.exp(-2 * np.array(apart)))),
    )


def test_each_pair_of_modalities_against_loops():
    z = batch(V=4, N=9)
    found = diagnose(z, ("image", "image", "text", "audio"))
    for pair, views in {"image-text": (0, 2), "image-audio": (0, 3), "text-audio": (2, 3)}.items():
        measured = [found[f"{name}/{pair}"] for name in ("modality_gap", "alignment", "uniformity")]
        assert measured == pytest.approx(by_loop(z[views[0]], z[views[1]]), abs=1e-6)
    assert not any("/" in name for name in diagnose(z, ("image",) * 4))


def test_rows_of_what_samples_lack_are_left_out():
    z = batch(V=2, N=9)
    present = torch.ones(2, 9, dtype=torch.bool)
    present[0, [1, 4]] = present[1, [4, 7, 8]] = False
    both, first = [0, 2, 3, 5, 6], [0, 2, 3, 5, 6, 7, 8]
    filled = z.masked_fill(~present[..., None], torch.nan)  # whatever looks at them shows it
    found = diagnose(filled, ("image", "text"), present)
    whole = diagnose(z[:, both], ("image", "text"))
    of_first = diagnose(z[:1, first])
    assert found.keys() == whole.keys()
    for name, value in found.items():
        assert value == pytest.approx((of_first if name in of_first else whole)[name], abs=1e-9), name
    nobody = torch.stack([present[0], ~present[0]])
    assert set(diagnose(z, ("image", "text"), nobody)) == set(of_first)


def test_closed_forms_of_the_modality_gap():
    opposite = torch.stack([torch.eye(4)[:1].expand(5, 4), -torch.eye(4)[:1].expand(5, 4)]).double()
    found = diagnose(opposite, ("image", "text"))
    assert (found["modality_gap/image-text"], found["alignment/image-text"]) == pytest.approx((2, 4))
    assert found["uniformity/image-text"] == pytest.approx(-8)
    same = diagnose(torch.stack([batch(1)[0]] * 2), ("image", "text"))
    assert (same["modality_gap/image-text"], same["alignment/image-text"]) == pytest.approx((0, 0), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12))
def test_false_negatives_are_the_pairs_of_one_class_counted(samples):
    labels = [sample % 4 for _, sample in samples]  # a sample has one class, however often it is in the batch
    ids = [sample for _, sample in samples]
    pairs = [(i, j) for i, j in itertools.combinations(range(len(ids)), 2) if ids[i] != ids[j]]
    expected = sum(labels[i] == labels[j] for i, j in pairs) / len(pairs) if pairs else 0
    assert false_negative_rate(torch.tensor(labels), torch.tensor(ids)) == pytest.approx(expected)


def test_false_negatives_of_even_classes_and_of_every_batch():
    labels = torch.arange(60) % 10
    rate = false_negative_rate(labels, torch.arange(60))
    assert rate == pytest.approx((6 - 1) / (60 - 1))
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(60, generator=generator)[:8] for _ in range(2000)]
    mean = np.mean([false_negative_rate(labels[rows], rows) for rows in drawn])
    assert mean == pytest.approx(rate, abs=0.004)  # the share is the same in a batch of any size
