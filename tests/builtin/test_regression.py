"""Ridge regression against scikit-learn, and what chooses what."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge as Peer
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

import coview
from coview.builtin.evaluators.regression import ALPHAS, Regression, r_squared
from coview.builtin.evaluators.ridge import Ridge


def features(train: int = 120, validation: int = 40, test: int = 80, width: int = 30) -> coview.Features:
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(width, generator=generator)
    splits = {}
    for name, n in (("train", train), ("validation", validation), ("test", test)):
        x = torch.randn(n, width, generator=generator) * torch.logspace(1, -1, width) + 3
        y = (x @ w + 10 * torch.randn(n, generator=generator)).double()
        splits[name] = coview.FeatureSplit(x, torch.arange(n), scores_N=y)
    return coview.Features(splits)


@pytest.mark.parametrize(("n", "width"), [(50, 8), (20, 60), (30, 30)])
@pytest.mark.parametrize("alpha", [10.0, 0.1, 1e-4])
def test_ridge_is_scikit_learns(n: int, width: int, alpha: float) -> None:
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, width, generator=generator, dtype=torch.float64) + 5
    y = torch.randn(n, generator=generator, dtype=torch.float64) - 2
    w, b = Ridge(x, y).fit(alpha)
    peer = Peer(alpha=alpha * n).fit(x.numpy(), y.numpy())
    assert np.allclose(w.numpy(), peer.coef_, rtol=1e-5, atol=1e-8)
    assert float(b) == pytest.approx(peer.intercept_, rel=1e-5)


def in_units(fitted: np.ndarray, each: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Each feature in units of its spread, or all in one unit, of which their mean variance is 1."""
    if each:
        return StandardScaler().fit(fitted).transform
    return lambda x: (x - fitted.mean(0)) / np.sqrt(fitted.var(0).mean())


def test_the_numbers_are_scikit_learns_and_scipys() -> None:
    given = features()
    r2, spearman = Regression()(given, coview.Rng(0))
    x = {name: split.x_ND.double().numpy() for name, split in given.splits.items()}
    y = {name: split.scores_N.numpy() for name, split in given.splits.items()}
    scores = {}
    for each in (True, False):
        for alpha in ALPHAS:
            scale = in_units(x["train"], each)
            peer = Peer(alpha=alpha * 120).fit(scale(x["train"]), y["train"])
            scores[each, alpha] = peer.score(scale(x["validation"]), y["validation"])
    each, alpha = max(scores, key=scores.__getitem__)
    assert r2.protocol["chosen"] == {"alpha": alpha, "standardise": each}
    both, truth = np.concatenate([x["train"], x["validation"]]), np.concatenate([y["train"], y["validation"]])
    scale = in_units(both, each)
    predicted = Peer(alpha=alpha * 160).fit(scale(both), truth).predict(scale(x["test"]))
    assert r2.value == pytest.approx(r2_score(y["test"], predicted), abs=1e-4)
    assert spearman.value == pytest.approx(spearmanr(y["test"], predicted).statistic, abs=1e-3)
    for result in (r2, spearman):
        assert result.ci_low < result.value < result.ci_high
        assert result.n == 80


def test_r_squared_is_scikit_learns_and_may_be_negative() -> None:
    truth, wrong = np.array([1.0, 2.0, 4.0]), np.array([4.0, 2.0, -1.0])
    assert r_squared(truth, wrong) == pytest.approx(r2_score(truth, wrong))
    assert r_squared(truth, np.full(3, truth.mean())) == 0
    assert r_squared(np.ones(3), np.zeros(3)) == 0


def test_test_scores_choose_nothing() -> None:
    given = features()
    turned = replace(given["test"], scores_N=-given["test"].scores_N)
    first = Regression()(given, coview.Rng(0))
    second = Regression()(coview.Features({**given.splits, "test": turned}), coview.Rng(0))
    assert first[0].protocol["chosen"] == second[0].protocol["chosen"]
    assert second[1].value == pytest.approx(-first[1].value)


def test_constant_features_predict_the_mean() -> None:
    given = features()
    flat = {name: replace(split, x_ND=torch.ones_like(split.x_ND)) for name, split in given.splits.items()}
    r2, spearman = Regression()(coview.Features(flat), coview.Rng(0))
    assert r2.value <= 0
    assert (spearman.value, spearman.ci_low, spearman.ci_high) == (0, 0, 0)


def test_what_cannot_be_a_regression_is_a_message() -> None:
    given = features()
    for scores in (None, torch.ones(80).double()):
        split = replace(given["test"], scores_N=scores)
        with pytest.raises(coview.CoviewError, match="no scores" if scores is None else "80 scores, 1 of them"):
            Regression()(coview.Features({**given.splits, "test": split}), coview.Rng(0))


TEXTS = """\
schema = 1
name = "scores"

[data]
{data}
workers = 0

[[augment]]
use = "token_cropping"

[encoder]
use = "text_transformer"
vocabulary = 400
width = 32
layers = 1
heads = 2
max_length = 24

[projector]
hidden = 32
width = 16

[loss]
use = "nt_xent"

[optimizer]
use = "adamw"
lr = 2e-3

[train]
steps = 2
batch_size = 16
precision = "fp32"
device = "cpu"

[[evaluate]]
use = "regression"
"""
VALENCE = {"good": 2, "great": 3, "fine": 1, "bad": -2, "awful": -3, "dull": -1}


def rows_of(call, write_recipe, tmp_path: Path, data: str) -> dict[tuple[str, str], float]:
    done = call("run", write_recipe(TEXTS.format(data=data)))
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "scores").iterdir()
    rows = json.loads((run / "results.json").read_text())["results"]
    return {(row["metric"], row["kind"]): row["value"] for row in rows}


def test_in_a_run_of_texts_with_scores(call, write_recipe, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = ["text\tscore"]
    for number in range(200):
        words = draw.choice(list(VALENCE), 5)
        lines.append(f"{number} {' '.join(words)}\t{sum(VALENCE[word] for word in words)}")
    path = tmp_path / "texts.tsv"
    path.write_text("\n".join(lines))
    found = rows_of(call, write_recipe, tmp_path, f'use = "text_table"\npath = "{path}"\nscore = "score"')
    assert found["spearman", "raw"] > 0.9  # the score is a sum over words, which TF-IDF has
    assert set(found) == {(m, f) for m in ("r2", "spearman") for f in ("pretrained", "untrained", "raw")}


@pytest.mark.slow
def test_words_tell_the_valence_of_tweets(call, write_recipe, tmp_path: Path) -> None:
    if not (coview.data_folder() / "vader_snippets").is_dir():
        pytest.skip("vader_snippets is not fetched")
    found = rows_of(call, write_recipe, tmp_path, 'use = "vader_snippets"')
    assert found["spearman", "raw"] > 0.4
