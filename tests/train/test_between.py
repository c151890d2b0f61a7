"""Three towers of which each pair has a loss of its own: what a run makes of them is the sum over pairs."""

import json

import pytest
import torch
from torch.nn.functional import normalize

import coview
from coview.data.building import build_split
from coview.model.topology import build_topology
from coview.train.checkpoint import tensors_of
from triples import RECIPE, registry, values_of


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(text=RECIPE, *sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(text), sets=sets, registry=found)
        return coview.run(recipe, tmp_path / name, registry=found, quiet=True)

    return trained


def metrics(run):
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def test_the_first_step_is_the_sum_of_both_pairs_by_hand(write_recipe, trained):
    found = registry()
    recipe = coview.load_recipe(write_recipe(RECIPE), sets=("train.batch_size=60",), registry=found)
    dataset = build_split(recipe, "train", found)
    student = build_topology(recipe, found, dataset).student.double()
    z = {}
    with torch.no_grad():
        for name in ("picture", "caption", "sound"):
            rows = torch.stack([torch.from_numpy(values_of(row)[name]) for row in range(60)]).double()
            z[name] = normalize(student.towers[name].encoder(rows).pooled_ND, dim=-1)
    logits, own = z["picture"] @ z["caption"].T / 0.07, torch.arange(60)
    clip = (
        torch.nn.functional.cross_entropy(logits, own) + torch.nn.functional.cross_entropy(logits.T, own)
    ).item() / 2
    signs = 2 * torch.eye(60, dtype=torch.float64) - 1
    siglip = -torch.nn.functional.logsigmoid(signs * (10 * z["picture"] @ z["sound"].T - 10)).sum().item() / 60
    first = metrics(trained(RECIPE, "train.batch_size=60", "train.steps=1"))[0]
    assert first["loss/clip-picture-caption"] == pytest.approx(clip, rel=1e-5)
    assert first["loss/siglip-picture-sound"] == pytest.approx(siglip, rel=1e-5)
    assert first["loss"] == pytest.approx(clip + 0.5 * siglip, rel=1e-5)


def test_a_modality_that_no_term_sees_moves_by_its_decay_alone(trained):
    of_two = RECIPE.replace('["picture", "sound"]', '["picture", "caption"]').replace('use = "siglip"', 'use = "clip"')
    run = trained(of_two, "optimizer.momentum=0.0")
    assert {"loss/clip-picture-caption", "loss/clip-picture-caption-2"} <= metrics(run)[0].keys()
    start = tensors_of(run.path / "checkpoints/step-2")
    end = tensors_of(run.path / "checkpoints/step-4")
    rates = [row["lr"] for row in metrics(run)][2:]
    left = (1 - 0.01 * rates[0]) * (1 - 0.01 * rates[1])
    name = "student.towers.{}.encoder.layers.0.weight"
    torch.testing.assert_close(end[name.format("sound")], left * start[name.format("sound")])
    assert (end[name.format("caption")] - left * start[name.format("caption")]).abs().max() > 1e-3


def test_the_gradient_cache_changes_nothing(trained):
    plain = tensors_of(trained().checkpoint.path)
    cached = tensors_of(trained(RECIPE, "train.grad_cache=5", name="cached").checkpoint.path)
    for name, tensor in plain.items():
        torch.testing.assert_close(cached[name], tensor, atol=1e-5, rtol=1e-5)
