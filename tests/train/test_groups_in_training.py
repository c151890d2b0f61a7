"""What a run does with the groups of its parameters: rates by schedule, frozen parts as they were, and on a resume."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file

import coview


@pytest.fixture
def trained(registry, write_recipe, small_recipe, tmp_path):
    def run(groups, name="runs", **overrides):
        text = small_recipe.replace("lr = 0.05\n", f"lr = 0.05\n{groups}\n")
        recipe = coview.load_recipe(write_recipe(text), registry=registry, overrides=overrides)
        return coview.run(recipe, tmp_path / name, registry=registry, quiet=True)

    return run


def weights(run, step):
    return load_file(run.path / "checkpoints" / f"step-{step}" / "weights.safetensors")


def of(state, part):
    found = {key: value for key, value in state.items() if f".{part}." in f".{key}" and value.is_floating_point()}
    assert found
    return found


def moved(before, after):
    return {key for key in before if not torch.equal(before[key], after[key])}


def test_a_frozen_encoder_stays_as_it_was_made_buffers_included(trained, registry):
    run = trained('[[optimizer.group]]\nmatch = "encoder.*"\nfreeze = true')
    start = trained("", name="untrained", **{"train.steps": 1, "train.checkpoint_every": 1})
    torch.manual_seed(run.recipe.seed)
    fresh = registry.build("encoder", "resnet18", modality="image", stem="small", width=8)
    kept = of(weights(run, 6), "encoder")
    for name, value in fresh.state_dict().items():
        if value.is_floating_point():
            (found,) = [kept[key] for key in kept if key.endswith(f"encoder.{name}")]
            assert torch.equal(found, value), name
    assert moved(of(weights(start, 1), "projector"), of(weights(run, 6), "projector"))


def test_a_part_is_frozen_for_an_epoch_and_trained_after_it(trained):
    """Of 1,437 digits three batches of 479 are an epoch."""
    group = '[[optimizer.group]]\nmatch = "projector.*"\nfreeze = {}'
    short = {"train.checkpoint_every": 1, "train.keep": 9, "train.batch_size": 479, "train.steps": 4, "evaluate": []}
    run = trained(group.format("3"), **short)
    made = trained(group.format("true"), name="made", **short)
    start = of(weights(made, 4), "projector")
    assert not moved(start, of(weights(run, 3), "projector"))
    assert moved(start, of(weights(run, 4), "projector"))
    by_epochs = trained(group.format('"1 epoch"'), name="epoch", **short)
    for step in (3, 4):
        assert not moved(of(weights(run, step), "projector"), of(weights(by_epochs, step), "projector"))


def test_rates_of_groups_follow_their_schedules(trained):
    """The rates that the last checkpoint's optimiser has, and those that are logged, by the formula of a cosine."""
    groups = (
        '[[optimizer.group]]\nmatch = "encoder.*"\nlr_scale = 0.5\n'
        '[[optimizer.group]]\nmatch = "projector.*"\nschedule = "constant"\nmomentum = 0.0\n'
    )
    run = trained(groups, **{"train.checkpoint_every": 1, "train.keep": 9, "schedule.warmup": 2})
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    cosine = [0.5, 1.0, *(0.5 * (1 + math.cos(math.pi * k / 4)) for k in range(4))]
    assert [line["lr"] for line in lines] == pytest.approx([0.05 * cosine[step - 1] for step in (2, 4, 6)])
    state = torch.load(run.path / "checkpoints" / "step-6" / "state.pt", weights_only=False)
    rates = {}
    for group in state["optimizer"]["param_groups"]:
        rates.setdefault((group["lr"], group["momentum"]), 0)
        rates[group["lr"], group["momentum"]] += len(group["params"])
    assert {(round(lr, 12), momentum) for lr, momentum in rates} == {
        (round(0.05 * 0.5 * cosine[5], 12), 0.9),
        (0.05, 0.0),
    }


def test_a_resume_ends_with_the_weights_of_one_run(trained, registry, tmp_path):
    groups = (
        '[[optimizer.group]]\nmatch = "projector.*"\nfreeze = 4\n'
        '[[optimizer.group]]\nmatch = "encoder.*"\nlayer_decay = 0.8\nschedule = { use = "step", at = [2] }\n'
    )
    whole = trained(groups)
    half = tmp_path / "half" / "small" / whole.path.name
    shutil.copytree(whole.path, half, symlinks=True)
    shutil.rmtree(half / "checkpoints" / "step-6")
    (half / "checkpoints" / "last").unlink(missing_ok=True)
    for name in ("results.json", "report.html"):
        (half / name).unlink()
    environment = json.loads((half / "environment.json").read_text())
    del environment["ended"], environment["finished"]
    (half / "environment.json").write_text(json.dumps(environment))
    done = coview.run(whole.recipe, tmp_path / "half", resume=True, registry=registry, quiet=True)
    assert done.path == half
    first, second = weights(whole, 6), weights(done, 6)
    assert not moved({k: v for k, v in first.items() if v.is_floating_point()}, second)


def test_everything_frozen_is_nothing_to_train(trained):
    with pytest.raises(coview.CoviewError, match="the model has no parameter to train"):
        trained('[[optimizer.group]]\nmatch = "*"\nfreeze = true')


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            'match = "projector.*"\nlayer_decay = 0.9',
            r"layer_decay: it is for the layers of an encoder, and .projector",
        ),
        ('match = "encoder.*"\nnesterov = true\nmomentum = 0.0', "in a group: .*Nesterov momentum requires a momentum"),
    ],
)
def test_what_a_group_cannot_have_is_refused_before_there_is_a_run(trained, tmp_path, group, message):
    with pytest.raises(coview.CoviewError, match=message):
        trained(f"[[optimizer.group]]\n{group}")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("freeze", ["2", '"1 epoch"'])
def test_a_first_step_that_trains_nothing_is_refused(trained, freeze):
    with pytest.raises(coview.CoviewError, match="every parameter of the model is frozen at the first step"):
        trained(f'[[optimizer.group]]\nmatch = "*"\nfreeze = {freeze}', **{"train.steps": 1000})


def test_what_the_optimizer_refuses_is_said_with_its_line_before_a_folder_is_made(trained, tmp_path):
    with pytest.raises(coview.CoviewError, match=r"recipe.toml:\d+: optimizer.use: .*Nesterov momentum requires"):
        trained("nesterov = true\nmomentum = 0.0")
    assert not (tmp_path / "runs").exists()
