"""What a run measures is embedded by all its ranks, bit for bit as one embeds it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import nn

from coview import CoviewError, Encoding, Sample, SampleError
from coview.evaluate.embedding import ALL, Share, embed_share, embed_split, joined
from coview.experiment.embedding_ranks import EmbeddingRanks, Wanted
from coview.experiment.measured_tower import MeasuredTower
from coview.experiment.splits import DataSource
from coview.recipe.recipe import ComponentTable

ROWS = 1100
BROKEN = (3, 700, 1099)
WANTED = Wanted(DataSource(ComponentTable("numbers")), "test", "pretrained", MeasuredTower("number"))


class Numbers:
    """Samples of which three cannot be read; it notes which rows were asked for."""

    splits = ("test",)
    modalities = ("number",)
    classes = ("even", "odd")
    citation = licence = version = ""

    def __init__(self, broken=BROKEN):
        self.broken, self.read = broken, []

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        self.read.append(index)
        if index in self.broken:
            raise SampleError(f"sample-{index}", "is broken")
        return Sample({"number": np.full(5, index / ROWS)}, id=f"id-{index}", label=index % 2, group=index // 7)


class Stacks:
    def collate(self, values):
        return torch.from_numpy(np.stack(values)).float()


class Network(nn.Module):
    width = 7

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(5, 33), nn.Tanh(), nn.Linear(33, 7))

    def forward(self, batch):
        return Encoding(self.network(batch))


def share_of(dataset, share):
    return embed_share(Network(), dataset, "number", Stacks(), device=torch.device("cpu"), workers=0, share=share)


def digest(embedded):
    """Of everything that is known of a split."""
    of = embedded.features
    found = hashlib.sha256()
    for tensor in (of.x_ND, of.ids_N, of.labels_N, of.groups_N):
        found.update(tensor.numpy().tobytes())
    return found.hexdigest(), [skipped.row for skipped in embedded.skipped]


def alone():
    return embed_split(Network(), Numbers(), "test", "number", Stacks(), device=torch.device("cpu"), workers=0)


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_shares_make_the_split_that_one_process_makes(ranks):
    data = [Numbers() for _ in range(ranks)]
    batches = [batch for rank in range(ranks) for batch in share_of(data[rank], Share(rank, ranks))]
    found = joined(sorted(batches, key=lambda batch: batch.number), Numbers(), "test")
    assert digest(found) == digest(alone())
    assert digest(found)[1] == list(BROKEN)
    # batches of 256, dealt out in turns; a first sample more, by which a data set is looked at, is no matter
    for rank, of in enumerate(data):
        assert {row // 256 % ranks for row in of.read} <= {rank}
    assert sorted(row for of in data for row in set(of.read)) == list(range(ROWS))


def embeds_together(rank, ranks, address, answers):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    of_run, data = EmbeddingRanks.of_run(), Numbers()
    if rank:
        of_run.follow(lambda wanted, share: share_of(data, share) if wanted == WANTED else iter(()))
    else:
        with of_run.leading():
            found = [joined(of_run.together(WANTED, lambda s: share_of(data, s)), data, "test") for _ in range(2)]
        answers.put([digest(each) for each in found] + [sorted({row // 256 for row in data.read})])
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_embed_together(answer_of_ranks):
    first, second, read = answer_of_ranks(embeds_together, 2)
    assert tuple(first) == tuple(second) == digest(alone())
    assert read == [0, 2, 4]  # of the five batches the first rank has made three


def one_fails(rank, ranks, address, answers):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    of_run = EmbeddingRanks.of_run()

    def refuses(wanted, share):
        raise CoviewError("it has no such file")

    if rank:
        of_run.follow(refuses)
    else:
        said = []
        with of_run.leading():
            for embed in (lambda share: share_of(Numbers(), share), lambda share: refuses(None, share)):
                try:
                    list(of_run.together(WANTED, embed))
                except CoviewError as error:
                    said.append(error.message)
        answers.put(said)
    dist.barrier()
    dist.destroy_process_group()


def test_a_rank_that_cannot_embed_says_so_and_the_others_go_on(answer_of_ranks):
    of_other, own = answer_of_ranks(one_fails, 2)
    assert of_other == "another rank could not embed its share of test: CoviewError: it has no such file"
    assert own == "it has no such file"


def test_a_process_alone_waits_for_nobody():
    ranks = EmbeddingRanks.of_run()
    with ranks.leading():
        found = joined(ranks.together(WANTED, lambda share: share_of(Numbers(), share)), Numbers(), "test")
    assert digest(found) == digest(alone())
    assert Share(0, 1) == ALL


def embedded_bytes(out: Path) -> dict[str, bytes]:
    (run,) = out.glob("*/*/")
    return {
        f"{path.parent.name}/{path.name}/{name}": tensor.numpy().tobytes()
        for path in run.glob("features/*/*.safetensors")
        for name, tensor in load_file(path).items()
    }


def values(out: Path) -> list[tuple[str, str, float]]:
    (path,) = out.glob("*/*/results.json")
    return [(row["metric"], row["kind"], row["value"]) for row in json.loads(path.read_text())["results"]]


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["", "labels_per_class = [8]\ndraws = 6\n"], ids=["all", "few rows"])
def test_a_run_of_two_ranks_measures_what_one_process_does(write_recipe, small_recipe, tmp_path, budget):
    """Its encoder, trained on two ranks with a curve, has the same features, to the bit, when one process embeds it."""
    recipe = write_recipe(small_recipe + 'every = "3 steps"\n' + budget)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, "-m", "coview", "run", str(recipe), "--out", str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("step 3, validation: knn") == 1
    together, found = embedded_bytes(tmp_path / "runs"), values(tmp_path / "runs")
    assert {name.split("/")[0] for name in together} == {"pretrained-step-6", "untrained", "raw"}
    assert ("untrained/train-some.safetensors/x_ND" in together) == bool(budget)
    (run,) = (tmp_path / "runs").glob("*/*/")
    for path in run.glob("features/*/*.safetensors"):
        path.unlink()
    again = subprocess.run(
        [sys.executable, "-m", "coview", "evaluate", str(run)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert embedded_bytes(tmp_path / "runs") == together
    assert values(tmp_path / "runs") == found
