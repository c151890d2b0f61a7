"""What one rank cannot read, all of them know of: none waits for another that has no sample, and each is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

import coview
from coview.data.building import build_split
from coview.model.topology import build_topology
from coview.train.accelerator import make_accelerator
from coview.train.checkpoint import tensors_of
from coview.train.loading import parts_of_step
from coview.train.observer import Observer
from coview.train.pretrain import Pretraining
from coview.train.stopping import StopRequest
from coview_image.datasets.digits import Digits
from ranks import join_ranks, leave_ranks

ENCODER = """
[encoder]
use = "vit"
image_size = 8
patch = 2
width = 9
layers = 1
heads = 3
channels = 3

"""
SHARE = 4
"""Samples of a rank in a batch."""
STEPS = 4


class Torn(Digits):
    """Digits of which some cannot be read."""

    def __init__(self, *, split: str = "train", torn: tuple[int, ...] = ()) -> None:
        super().__init__(split=split)
        self.torn = torn

    def __getitem__(self, index: int, /) -> coview.Sample:
        if index in self.torn:
            raise coview.SampleError(f"digit {index}", "is torn")
        return super().__getitem__(index)


def registry() -> coview.Registry:
    mine = coview.Registrar("mine")
    mine.dataset("torn", f"{__name__}:Torn", summary="digits of which some cannot be read")
    return coview.load_plugins().plus(mine)


def training_of(folder: Path, recipe: Path, torn: list[int], parts: int, told: list[str]) -> Pretraining:
    found = registry()
    overrides: dict[str, Any] = {"data.torn": torn, "train.accumulate": parts}
    valid = coview.load_recipe(recipe, registry=found, overrides=overrides)
    dataset = build_split(valid, "train", found)
    cpu = torch.device("cpu")
    topology = build_topology(valid, found, dataset, trains_on=cpu)
    training = Pretraining(valid, found, dataset, topology, make_accelerator(cpu, "fp32"))
    training.run(folder, StopRequest(), Observer(skipped=lambda what, reason: told.append(f"{what} {reason}")))
    return training


def on_ranks(rank: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    join_ranks(rank, ranks, address)
    folder = Path(address).parent
    parts, *torn = map(int, (folder / "torn").read_text().split())
    told: list[str] = []
    training = training_of(folder / "ranks", folder / "recipe.toml", torn, parts, told)
    of_ranks: list[Any] = [None] * ranks
    dist.all_gather_object(of_ranks, (sorted(training.skipped.samples), sorted(told)))
    if rank == 0:
        answers.put(of_ranks)
    leave_ranks()


@pytest.mark.parametrize(("parts", "batch"), [(1, 1), (2, 3)])
def test_a_batch_that_one_rank_cannot_read_is_left_out_by_all(
    write_recipe, small_recipe, answer_of_ranks, tmp_path, parts, batch
):
    """As by a single process that can read none of it. With two parts of a step, it is the last of its step."""
    text = small_recipe.split("[[evaluate]]")[0].replace('use = "digits"', 'use = "torn"')
    text = text.replace("steps = 6", f"steps = {STEPS}").replace("checkpoint_every = 3", f"checkpoint_every = {STEPS}")
    text = text.replace("[projector]\n", "[projector]\nbatch_norm = false\n").replace("= 32", f"= {2 * SHARE}")
    start, end = text.index("[encoder]"), text.index("[projector]")
    recipe = write_recipe(text[:start] + ENCODER + text[end:])

    whole = training_of(tmp_path / "whole", recipe, [], parts, [])
    assert whole.order is not None
    rows_of = whole.order.walk()
    left_out, another = rows_of(0, batch).tolist(), int(rows_of(0, 0)[0])
    one = training_of(tmp_path / "one", recipe, [*left_out, another], parts, [])
    assert sorted(one.skipped.samples) == sorted([*left_out, another])

    torn = sorted([*left_out[SHARE:], another])
    (tmp_path / "torn").write_text(" ".join(map(str, [parts, *torn])))
    told = sorted(f"digit {row} is torn" for row in torn)
    assert answer_of_ranks(on_ranks, 2) == [(torn, told), (torn, told)]

    expected, found, without = (tensors_of(tmp_path / name / f"step-{STEPS}") for name in ("one", "ranks", "whole"))
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert float((found[key].double() - tensor.double()).abs().max()) <= 1e-6, key
    assert max(float((without[key] - tensor).abs().max()) for key, tensor in expected.items()) > 1e-4


@pytest.mark.parametrize(
    ("readable", "taken"),
    [
        ("ab", [(0, "a", False), (1, "b", True)]),
        ("a-", [(0, "a", True)]),
        ("-b", [(1, "b", True)]),
        ("a-c", [(0, "a", False), (2, "c", True)]),
        ("a", [(0, "a", True)]),
        ("--", []),
    ],
)
def test_the_last_part_that_can_be_read_is_known_as_such(readable, taken):
    def take(part):
        return None if readable[part] == "-" else readable[part]

    assert list(parts_of_step(take, len(readable))) == taken
