"""The Python interface, as design and README have it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import coview
from conftest import RECIPES


def test_every_public_name_is_there_and_listed():
    names = [name for name in coview.__all__ if name != "__version__"]
    assert {"load_plugins", "load_recipe", "run", "load_run", "embed", "evaluate_run", "export", "Views"} <= set(names)
    for name in names:
        assert getattr(coview, name) is not None
        assert name in dir(coview)
    with pytest.raises(AttributeError, match="No coview attribute nothing"):
        _ = coview.nothing


def test_a_loss_by_hand():
    registry = coview.load_plugins()
    loss = registry.build("loss", "nt_xent", temperature=0.5)
    z_VND = torch.eye(4).expand(2, 4, 4)  # both views alike, samples orthogonal
    value = loss(coview.Views.of(z_VND))
    # 1 positive of similarity 1, and 6 negatives of similarity 0
    assert float(value) == pytest.approx(math.log(math.exp(2) + 6) - 2, rel=1e-6)
    with pytest.raises(coview.CoviewError, match=r"temperature: has to be greater than .*, got -1"):
        registry.build("loss", "nt_xent", temperature=-1)
    with pytest.raises(coview.CoviewError, match='did you mean "temperature"'):
        registry.build("loss", "nt_xent", temprature=1)


def test_from_a_recipe_to_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = {
        "seed": 1, "train.steps": 2, "train.device": "cpu", "train.precision": "fp32", "data.workers": 0,
        "encoder.width": 8, "evaluate": [{"use": "knn", "k": 5}],
    }  # fmt: skip
    recipe = coview.load_recipe(RECIPES / "quickstart.toml", overrides=overrides)
    assert (recipe.seed, recipe.train.steps, recipe.train.epochs) == (1, 2, None)
    run = coview.run(recipe, out="runs")
    assert isinstance(run, coview.Run)
    assert run.path.parent == Path("runs/quickstart")
    assert all(isinstance(result, coview.Result) for result in run.results)
    assert {result.kind for result in run.results} == {"pretrained", "untrained", "raw"}
    assert run.encoder.width == 64

    dataset = run.registry.build("dataset", "digits", supplied={"split": "test"})
    features = coview.embed(run, dataset, split="test")
    assert features.shape == (360, 64)
    for again in (coview.embed(run), coview.embed(run.path, "digits"), coview.embed(coview.load_run("runs"))):
        assert again.equal(features)
    assert len(coview.embed(run, split="train")) == 1437

    values = [dataset[index]["image"] for index in range(8)]
    batch = run.registry.build("modality", "image", size=16).collate(values)
    with torch.no_grad():
        by_hand = run.encoder.eval()(batch).pooled_ND
    assert torch.allclose(features[:8], by_hand, atol=1e-5)

    coview.evaluate_run(run, overrides={"evaluate.0.k": 1}, quiet=True)
    assert sorted({result.protocol["k"] for result in run.results}) == [1, 5]
    folder, code = coview.export(run)
    assert folder == run.path / "export" / "hf"
    assert str(folder) in code


def test_a_mistake_carries_its_parts():
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe("quickstart", overrides={"loss.temperature": -1, "seed": "x"})
    found = {(mistake.where, mistake.path) for mistake in caught.value.mistakes}
    assert found == {("overrides", "loss.temperature"), ("overrides", "seed")}
    assert isinstance(caught.value, coview.CoviewError)


def test_a_run_is_quiet_if_asked(small_recipe, write_recipe, tmp_path, capfd):
    recipe = coview.load_recipe(write_recipe(small_recipe.split("[[evaluate]]")[0]), overrides={"train.steps": 1})
    coview.run(recipe, tmp_path / "runs", quiet=True)
    assert capfd.readouterr() == ("", "")
