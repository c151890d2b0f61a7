"""Three towers of which each pair has a loss of its own: what a run makes of them is the sum over pairs."""

import json

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
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


def test_what_losses_learn_and_how_pairs_lie_is_in_the_metrics_and_in_tensorboard(trained):
    run = trained(RECIPE, "train.steps=6", "loss.0.temperature=0.0101")
    rows = metrics(run)
    assert rows[0]["clip-picture-caption/temperature"] == pytest.approx(0.0101, rel=1e-5)
    assert rows[0]["siglip-picture-sound/scale"] == pytest.approx(10)
    assert rows[0]["siglip-picture-sound/bias"] == pytest.approx(-10)
    assert all(row["clip-picture-caption/temperature"] >= 0.01 * (1 - 1e-6) for row in rows)
    assert len({row["siglip-picture-sound/bias"] for row in rows}) == 6
    weights = tensors_of(run.checkpoint.path)
    last = weights["loss.losses.siglip-picture-sound.bias"].item()
    assert abs(last - rows[-1]["siglip-picture-sound/bias"]) < abs(last - rows[0]["siglip-picture-sound/bias"])
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"clip-picture-caption/temperature", "siglip-picture-sound/scale", "siglip-picture-sound/bias"} <= tags
    pairs = ("picture-caption", "picture-sound", "caption-sound")
    of_pairs = {f"diagnostics/{name}/{pair}" for name in ("modality_gap", "alignment", "uniformity") for pair in pairs}
    assert of_pairs <= tags
    told = [point.value for point in events.Scalars("siglip-picture-sound/bias")]
    assert told == pytest.approx([row["siglip-picture-sound/bias"] for row in rows])
    report = (run.path / "report.html").read_text()
    assert "modality_gap/picture-sound" in report
    assert "Distance between the centres of two modalities" in report
