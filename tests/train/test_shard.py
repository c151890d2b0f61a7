"""Models in shards: ranks end with the weights of one process, and each goes on from the other's checkpoints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

import coview
from coview.data.building import build_split
from coview.model.collectives import several_ranks
from coview.model.topology import build_topology
from coview.plugins.registry import Registry
from coview.train.accelerator import make_accelerator
from coview.train.checkpoint import tensors_of, whole_checkpoints
from coview.train.observer import Observer
from coview.train.pretrain import Pretraining
from coview.train.sharding import local, norms
from coview.train.stopping import StopRequest

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
MOMENTUM = "\n[predictor]\nhidden = 16\n\n[teacher]\nmomentum = 0.9\n\n[queue]\nsize = 100\n"
THAWS = '\n[[optimizer.group]]\nmatch = "projector.*"\nfreeze = 1\nlr_scale = 0.5\n'
VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "teacher": ("info_nce", MOMENTUM, {"train.clip_norm": 0.1, "train.checkpoint_activations": True}),
    "cached": ("clip", THAWS, {"train.grad_cache": 6, "train.clip_norm": 0.05, "train.clip_norm_of": "each"}),
    "accumulated": ("dino", "\n[teacher]\nmomentum = 0.9\n", {"train.accumulate": 2, "optimizer.momentum": 0.9}),
}
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
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    registry, folder, found = coview.load_plugins(), Path(address).parent, {}
    for name in VARIANTS:
        training = training_of(folder / f"{name}-ranks", registry, name)
        training_of(folder / f"{name}-goes-on", registry, name, resume=folder / f"{name}-one")
        student = training._trained.student
        (whole,) = {sum(p.numel() for p in of.parameters()) for of in (student, training.topology.student)}
        found[name] = sum(p.numel() for p in local(student.parameters())) / whole
        assert all(p.grad is None or p.grad.shape == p.shape for p in student.parameters())
    if rank == 0:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_end_with_the_weights_of_one_process(
    write_recipe, small_recipe, registry, answer_of_ranks, tmp_path, ranks
):
    for name, (loss, more, _) in VARIANTS.items():
        text = small_recipe.split("[[evaluate]]")[0].replace('use = "nt_xent"', f'use = "{loss}"')
        text = text.replace("steps = 6", f"steps = {STEPS}").replace(
            "checkpoint_every = 3", f"checkpoint_every = {HALF}"
        )
        start, end = text.index("[encoder]"), text.index("[projector]")
        write_recipe(text[:start] + VIT + text[end:] + more, f"{name}.toml")
        training_of(tmp_path / f"{name}-one", registry, name)
    shares = answer_of_ranks(on_ranks, ranks)
    for name in VARIANTS:
        one = tensors_of(tmp_path / f"{name}-one" / f"step-{STEPS}")
        training_of(tmp_path / f"{name}-back", registry, name, resume=tmp_path / f"{name}-ranks")
        for other in ("ranks", "goes-on", "back"):
            path = tmp_path / f"{name}-{other}" / f"step-{STEPS}"
            found = tensors_of(path)
            assert found.keys() == one.keys()
            for key, expected in one.items():
                assert float((found[key].double() - expected.double()).abs().max()) <= 1e-6, (name, other, key)
        before = tensors_of(tmp_path / f"{name}-one" / f"step-{HALF}")
        assert max(float((one[key] - before[key]).abs().max()) for key in one if key.startswith("student")) > 1e-3
        assert shares[name] < 1.3 / ranks  # rows are shared out, and some have fewer rows than there are ranks


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
