"""Runs on shards of a server: each sample once over two ranks of two loader processes, and an exact place to resume at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.data.loader import sample_loader
from coview.data.order import RankBatches
from coview.data.shard_order import ShardOrder
from paired_files import build
from shard_files import serving, write_shards

SIZES = (13, 9, 14, 8, 16, 11, 12, 10)

OF_A_RANK = """
import json, os, sys
import torch
import torch.distributed as dist
from coview.builtin.datasets.streamed_tars import StreamedTars
from coview.data.loader import view_loader
from coview.data.order import RankBatches
from coview.data.shard_order import ShardOrder
from coview.data.views import ViewMaker
from coview_image.modality import ImageModality

class Greys:
    def collate(self, values):
        return torch.tensor([int(value.flat[0]) for value in values])

if __name__ == "__main__":
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    data = StreamedTars(modalities={"image": ImageModality()}, train=sys.argv[1], members={"image": "png"},
                        shards_at_once=4)
    order = ShardOrder(len(data), 8, 5, sizes=data.shard_sizes, at_once=4)
    keys = RankBatches(order, 0, 2 * order.batches_per_epoch, rank, ranks)
    maker = ViewMaker(seed=1, modalities=("image",), pipelines=[()], global_views=1)
    loader = view_loader(data, maker, {"image": Greys()}, keys, workers=2)
    found = [(batch.epoch, batch.number, batch.inputs["image"].tolist()) for batch in loader]
    of_ranks = [None] * ranks
    dist.all_gather_object(of_ranks, found)
    if rank == 0:
        print(json.dumps(of_ranks))
    dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_ranks_of_two_loader_processes_deliver_each_sample_once(tmp_path):
    """Row i has the grey i. One process of no loader processes says which batch is which."""
    tars = write_shards(tmp_path / "tars", SIZES)
    (tmp_path / "of_a_rank.py").write_text(OF_A_RANK)
    with serving(tars) as server:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        done = subprocess.run(
            [*command, str(tmp_path / "of_a_rank.py"), f"{server.address}/sizes.json"],
            capture_output=True, text=True, check=False, env={**os.environ, "COVIEW_DATA": str(tmp_path / "cache")},
        )  # fmt: skip
        fetched = [name for name, first in server.asked if name.endswith(".tar") and first == 0]
    assert done.returncode == 0, done.stderr
    of_ranks = json.loads(done.stdout)
    order = ShardOrder(sum(SIZES), 8, 5, sizes=SIZES, at_once=4)
    alone = [
        [keys[0][0], keys[0][1], [row for _, _, row in keys]]
        for keys in RankBatches(order, 0, 2 * order.batches_per_epoch)
    ]
    joined = [[*one[:2], one[2] + other[2]] for one, other in zip(*of_ranks, strict=True)]
    assert joined == alone
    for epoch in (0, 1):
        samples = [row for of_epoch, _, rows in joined if of_epoch == epoch for row in rows]
        assert len(set(samples)) == len(samples) == sum(SIZES) // 8 * 8
    assert sorted(fetched) == [f"{number:03}.tar" for number in range(len(SIZES))]  # once for all four processes


RECIPE = """
schema = 1
name = "streamed"

[data]
use = "streamed_tars"
train = "TRAIN"
members = { image = "png" }
shards_at_once = 3
workers = WORKERS

[encoder]
use = "resnet18"
stem = "small"
width = 4

[projector]
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "adamw"
lr = 0.01

[[augment]]
use = "random_resized_crop"
size = 6

[train]
steps = 16
batch_size = 8
checkpoint_every = 7
"""


@pytest.mark.slow
def test_a_run_goes_on_in_the_middle_of_an_epoch_to_the_same_weights(tmp_path, call, monkeypatch):
    """An epoch has eleven steps. The resumed run has nothing of what the first had fetched."""
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    tars = write_shards(tmp_path / "tars", SIZES)
    weights = {}
    with serving(tars) as server:
        for name, train, workers in (("whole", tars, 0), ("resumed", f"{server.address}/sizes.json", 2)):
            recipe = tmp_path / f"{name}.toml"
            recipe.write_text(RECIPE.replace("TRAIN", str(train)).replace("WORKERS", str(workers)))
            out = tmp_path / name
            done = call("run", recipe, "--out", out)
            assert done.status == 0, done.err
            (run,) = (out / "streamed").iterdir()
            last = run / "checkpoints" / "step-16"
            weights[name, "first"] = load_file(last / "weights.safetensors")
        shutil.rmtree(last)
        shutil.rmtree(tmp_path / "cache")
        environment = json.loads((run / "environment.json").read_text())
        (run / "environment.json").write_text(json.dumps({**environment, "finished": None}))
        server.breaks = [500, 0, 20_000]
        done = call("run", recipe, "--out", out, "--resume", "--set", "data.cache_gb=1.0")
        assert (done.status, "from step 14 " in done.err) == (0, True), done.err
        weights["resumed", "then"] = load_file(last / "weights.safetensors")
    first, *others = weights.values()
    for other in others:
        assert first.keys() == other.keys()
        assert all(first[name].equal(other[name]) for name in first)


def test_what_needs_samples_in_any_order_is_refused_with_the_other_mistakes(tmp_path, registry):
    tars = write_shards(tmp_path / "tars", SIZES)
    text = RECIPE.replace("TRAIN", str(tars)).replace("WORKERS", "0").replace("steps = 16", "steps = 0.5")
    (tmp_path / "wrong.toml").write_text(text + '\n[sampler]\nuse = "no_duplicates"\n')
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(tmp_path / "wrong.toml", registry=registry)
    said = str(caught.value)
    assert 'sampler.use: "no_duplicates" chooses among all samples' in said
    assert "train.steps" in said
    start, end = text.index("[data]"), text.index("[encoder]")
    several = text[start:end].replace("[data]", "[[data]]") + '\n[[data]]\nuse = "digits"\n\n'
    (tmp_path / "mixed.toml").write_text(text[:start] + several + text[end:])
    with pytest.raises(
        coview.RecipeError, match=r'data\.0\.use: "streamed_tars" is read shard by shard, and a mixture'
    ):
        coview.load_recipe(tmp_path / "mixed.toml", registry=registry)


def test_how_much_is_kept_is_not_hashed(tmp_path, registry):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.replace("TRAIN", str(tmp_path)).replace("WORKERS", "0"))
    hashes = {
        coview.load_recipe(recipe, overrides={"data.cache_gb": size}, registry=registry).hash for size in (1.0, 2.0)
    }
    assert len(hashes) == 1


class Greys:
    def collate(self, values):
        return torch.tensor([int(value.flat[0]) for value in values])


def test_the_whole_set_can_be_gone_through_once_in_order(tmp_path, monkeypatch):
    """As an evaluator does, whose loader asks for the shards in the order in which they lie."""
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    tars = write_shards(tmp_path / "tars", SIZES)

    with serving(tars) as server:
        data = build("streamed_tars", train=f"{server.address}/sizes.json", members={"image": "png"})
        rows = [
            row
            for batch in sample_loader(data, "image", Greys(), batch_size=7, workers=2)
            for row in batch.inputs["image"].tolist()
        ]
    assert rows == list(range(sum(SIZES)))
