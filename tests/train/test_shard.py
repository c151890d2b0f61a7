"""Models in shards: ranks end with the weights of one process, and each goes on from the other's checkpoints."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import coview
from coview.data.building import build_split
from coview.model.collectives import several_ranks
from coview.model.topology import build_topology
from coview.plugins.registry import Registry
from coview.train.accelerator import make_accelerator
from coview.train.checkpoint import tensors_of, whole_checkpoints
from coview.train.observer import Observer
from coview.train.pretrain import Pretraining
from coview.train.sharding import local, norms, state_like_parameters
from coview.train.stopping import StopRequest
from ranks import join_ranks, leave_ranks

VIT = """
[encoder]
use = "vit"
image_size = 8
patch = 2
width = 9
layers = 2
heads = 3
channels = 3

"""
MOMENTUM = "\n[predictor]\nhidden = 16\nbatch_norm = false\n\n[teacher]\nmomentum = 0.9\n\n[queue]\nsize = 100\n"
THAWS = '\n[[optimizer.group]]\nmatch = "projector.*"\nfreeze = 1\nlr_scale = 0.5\n'
VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "teacher": ("info_nce", MOMENTUM, {"train.clip_norm": 0.1, "train.checkpoint_activations": True}),
    "cached": ("clip", THAWS, {"train.grad_cache": 6, "train.clip_norm": 0.05, "train.clip_norm_of": "each"}),
    "accumulated": ("dino", "\n[teacher]\nmomentum = 0.9\n", {"train.accumulate": 2}),
    "adamw": ("nt_xent", "", {}),
    "lars": ("nt_xent", "", {}),
}
OPTIMIZERS = {
    # a key's bias has a gradient of rounding alone, which a small eps would make steps of
    "adamw": 'use = "adamw"\nlr = 0.1\neps = 1e-2',
    # at 0.5, rounding in four steps is as large as the bound
    "lars": 'use = "lars"\nlr = 0.2\nmomentum = 0.9',
}
"""Those of variants that are called like them; the others have SGD with momentum."""
STEPS, HALF = 4, 2


def training_of(folder: Path, registry: Registry, name: str, *, resume: Path | None = None) -> Pretraining:
    """Trained to the end, with checkpoints in the folder; from another one's first checkpoint if that is given."""
    _, _, overrides = VARIANTS[name]
    recipe = coview.load_recipe(
        folder.parent / f"{name}.toml", registry=registry, overrides={**overrides, "train.shard": True}
    )
    dataset = build_split(recipe, "train", registry)
    cpu = torch.device("cpu")
    topology = build_topology(recipe, registry, dataset, trains_on=cpu)
    training = Pretraining(recipe, registry, dataset, topology, make_accelerator(cpu, "fp32"))
    if resume is not None:
        training.resume(next(found for found in whole_checkpoints(resume) if found.step == HALF))
    training.run(folder, StopRequest(), Observer())
    return training


def on_ranks(rank: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    join_ranks(rank, ranks, address)
    registry, folder = coview.load_plugins(), Path(address).parent
    (name,) = (path.stem for path in folder.glob("*.toml"))
    training = training_of(folder / "ranks", registry, name)
    training_of(folder / "goes-on", registry, name, resume=folder / "one")
    student = training._trained.student
    whole = sum(parameter.numel() for parameter in training.topology.student.parameters())
    share = sum(parameter.numel() for parameter in local(student.parameters())) / whole
    states = [
        [value for value in of_parameter.values() if isinstance(value, torch.Tensor) and value.ndim]
        for of_parameter in training.optimizer.state.values()
    ]
    kept = sum(value.numel() for tensors in states for value in local(tensors))
    if rank == 0:
        answers.put((share, kept / (whole * max(map(len, states)))))
    leave_ranks()


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        pytest.param(name, ranks, marks=[pytest.mark.slow] * ((name, ranks) != ("teacher", 2)))
        for name in VARIANTS
        for ranks in (2, 4)
    ],
)
def test_ranks_end_with_the_weights_of_one_process(
    write_recipe, small_recipe, registry, answer_of_ranks, tmp_path, name, ranks
):
    loss, more, _ = VARIANTS[name]
    text = small_recipe.split("[[evaluate]]")[0].replace('use = "nt_xent"', f'use = "{loss}"')
    text = text.replace("steps = 6", f"steps = {STEPS}").replace("checkpoint_every = 3", f"checkpoint_every = {HALF}")
    text = text.replace("[projector]\n", "[projector]\nbatch_norm = false\n").replace(
        'use = "sgd"\nlr = 0.05', OPTIMIZERS.get(name, 'use = "sgd"\nlr = 0.05\nmomentum = 0.9')
    )
    start, end = text.index("[encoder]"), text.index("[projector]")
    write_recipe(text[:start] + VIT + text[end:] + more, f"{name}.toml")
    training_of(tmp_path / "one", registry, name)
    shares = answer_of_ranks(on_ranks, ranks)
    training_of(tmp_path / "back", registry, name, resume=tmp_path / "ranks")
    one, before = (tensors_of(tmp_path / "one" / f"step-{step}") for step in (STEPS, HALF))
    for other in ("ranks", "goes-on", "back"):
        found = tensors_of(tmp_path / other / f"step-{STEPS}")
        assert found.keys() == one.keys()
        for key, expected in one.items():
            assert float((found[key].double() - expected.double()).abs().max()) <= 1e-6, (other, key)
    assert max(float((one[key] - before[key]).abs().max()) for key in one if key.startswith("student")) > 1e-3
    assert max(shares) < 1.4 / ranks  # rows are shared out, and some parameters have fewer rows than there are ranks


def test_one_process_ignores_it(write_recipe, small_recipe, registry):
    assert not several_ranks()
    recipes = [
        coview.load_recipe(write_recipe(text, f"{number}.toml"), registry=registry)
        for number, text in enumerate((small_recipe, small_recipe.replace("[train]", "[train]\nshard = true")))
    ]
    assert recipes[0].hash == recipes[1].hash
    topology = build_topology(recipes[1], registry)
    cpu = torch.device("cpu")
    dataset = build_split(recipes[1], "train", registry)
    training = Pretraining(recipes[1], registry, dataset, topology, make_accelerator(cpu, "fp32"))
    assert training._trained is topology


def test_what_does_not_go_together_is_said_at_once(write_recipe, small_recipe, registry):
    text = small_recipe.replace("[train]", '[train]\nshard = true\ncompile = true\nprecision = "fp16"')
    text = text.replace('precision = "fp32"\n', "").replace("batch_size = 32", "batch_size = -1")
    path = write_recipe(text + '\n[[callback]]\nuse = "none_such"\n')
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(path, registry=registry)
    said = [str(mistake) for mistake in caught.value.mistakes]
    assert any("train.batch_size" in line for line in said)
    text = text.replace("batch_size = -1", "batch_size = 32")
    path = write_recipe(text)
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(path, registry=registry)
    line = text[: text.index("shard = true")].count("\n") + 1
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"{path}:{line}: train.shard: does not go together with train.compile: remove one of them",
        f'{path}:{line}: train.shard: does not go together with train.precision = "fp16": take "bf16" or "fp32"',
    ]


def test_norms_are_pytorchs():
    gradients = [torch.randn(3, 4), torch.zeros(2), torch.randn(())]
    assert [float(norm) for norm in norms(gradients)] == pytest.approx([float(g.norm()) for g in gradients])
    assert norms([]) == []


@pytest.mark.parametrize("fused", [True, False])
def test_the_state_of_a_model_in_channels_last_goes_on_in_another_layout(fused):
    """PyTorch's own optimiser without a change of layout is the reference."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(4, 3, 2, 2, generator=generator) for _ in range(4)]
    one = weights[0].clone(memory_format=torch.channels_last).requires_grad_()
    before = torch.optim.AdamW([one], lr=0.1, fused=fused)

    def step(parameter: torch.Tensor, optimizer: torch.optim.Optimizer, gradient: torch.Tensor) -> None:
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimizer.step()

    for gradient in weights[1:3]:
        step(one, before, gradient)
    other = one.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    after = torch.optim.AdamW([other], lr=0.1, fused=fused)
    after.load_state_dict(state_like_parameters(copy.deepcopy(before.state_dict()), after))
    assert after.state[other]["exp_avg"].stride() == other.stride() != one.stride()
    step(one, before, weights[3])
    step(other, after, weights[3])
    assert torch.allclose(one, other, atol=1e-7)
