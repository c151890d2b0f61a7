"""Each gradient by its own norm, as the loop that DINO's authors publish has it; all of them as PyTorch does."""

import copy

import pytest
import torch
from torch import nn

import coview
from coview.model.topology import build_topology
from coview.recipe.tables import TrainTable
from coview.train.accelerator import make_accelerator
from coview.train.clipping import clip_gradients


def network():
    """With gradients from 1e-3 to 1e3, one of zero and one that is absent."""
    torch.manual_seed(0)
    made = nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))
    for number, parameter in enumerate(made.parameters()):
        parameter.grad = torch.randn_like(parameter) * 10.0 ** (number - 3)
    made[0].bias.grad = None
    made[1].bias.grad = torch.zeros(3)
    return made


def by_a_loop(made, limit):
    for parameter in made.parameters():
        if parameter.grad is not None and (norm := parameter.grad.square().sum().sqrt().item()) > limit:
            parameter.grad *= limit / norm


def table(**settings):
    return TrainTable(steps=1, batch_size=2, **settings)


@pytest.mark.parametrize("limit", [0.3, 3.0])
def test_each_is_clipped_by_its_own_norm(limit):
    made = network()
    expected = copy.deepcopy(made)
    for parameter, other in zip(made.parameters(), expected.parameters(), strict=True):
        other.grad = None if parameter.grad is None else parameter.grad.clone()
    by_a_loop(expected, limit)
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    assert clip_gradients(accelerator, None, made.parameters(), table(clip_norm=limit, clip_norm_of="each"))
    for parameter, other in zip(made.parameters(), expected.parameters(), strict=True):
        assert (parameter.grad is None) == (other.grad is None)
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad, other.grad, rtol=1e-5)
    norms = [parameter.grad.norm() for parameter in made.parameters() if parameter.grad is not None]
    assert max(norms) == pytest.approx(limit, rel=1e-4)
    assert 0 < min(norm for norm in norms if norm) < limit / 10  # what is short stays short


def test_all_are_clipped_by_one_factor_and_nothing_without_a_norm():
    made, accelerator = network(), make_accelerator(torch.device("cpu"), "fp32")
    before = made[0].weight.grad / made[3].weight.grad
    assert not clip_gradients(accelerator, None, made.parameters(), table())
    assert clip_gradients(accelerator, None, made.parameters(), table(clip_norm=3.0))
    whole = torch.cat([parameter.grad.flatten() for parameter in made.parameters() if parameter.grad is not None])
    assert whole.norm() == pytest.approx(3.0, rel=1e-5)
    assert torch.allclose(made[0].weight.grad / made[3].weight.grad, before)


def test_what_fp16_has_scaled_is_clipped_at_its_true_size():
    """And a step whose gradients are infinite is left out."""

    class Scaled:
        """What accelerate does in fp16, which it does on no CPU."""

        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)

        def unscale_gradients(self, optimizer):
            self.scaler.unscale_(optimizer)

    accelerator = Scaled()
    for worst, expected in ((1.0, -0.6), (float("inf"), 0.0)):
        parameter = nn.Parameter(torch.zeros(2))
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        accelerator.scaler.scale((parameter * torch.tensor([3.0, 4.0]) * worst).sum()).backward()
        clip_gradients(accelerator, optimizer, [parameter], table(clip_norm=1.0, clip_norm_of="each"))
        accelerator.scaler.step(optimizer)
        accelerator.scaler.update()
        assert parameter[0].item() == pytest.approx(expected, rel=1e-4)


def test_a_run_clips_as_its_recipe_says(write_recipe, registry, tmp_path):
    """SGD's first step without decay is no longer for any parameter than the limit times the rate."""
    moved = {}
    for of in ("each", "all"):
        recipe = coview.load_recipe(
            write_recipe(),
            registry=registry,
            overrides={
                "train.steps": 1, "train.clip_norm": 0.01, "train.clip_norm_of": of, "evaluate": [],
                "optimizer.weight_decay": 0.0, "optimizer.lr": 1.0, "train.checkpoint_every": 1,
            },
        )  # fmt: skip
        run = coview.run(recipe, tmp_path / of, registry=registry, quiet=True)
        before, after = (build_topology(recipe, registry).requires_grad_(False) for _ in range(2))
        run.checkpoint.load_weights(after)
        pairs = zip(before.student.parameters(), after.student.parameters(), strict=True)
        moved[of] = [float((new - old).norm()) for old, new in pairs]
    assert max(moved["each"]) == pytest.approx(0.01, rel=1e-3)
    assert sum(step > 0.0099 for step in moved["each"]) > len(moved["each"]) / 2
    assert sum(step**2 for step in moved["all"]) ** 0.5 == pytest.approx(0.01, rel=1e-3)
