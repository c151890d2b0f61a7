"""The samplers against loops, and against what other libraries promise of theirs."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import coview
from conftest import SMALL
from coview.builtin.samplers import ByLength, MPerClass, NoDuplicates, Uniform, Weighted
from coview.data.order import Order
from coview.data.rng import Rng
from coview.data.sample import Sample
from coview.data.sampler import Rows


class Texts:
    splits = ("train",)
    modalities = ("text",)
    citation = licence = ""
    version = "1"

    def __init__(self, texts, labels=None, groups=None):
        self.texts, self._labels, self._groups = texts, labels, groups
        self.classes = None if labels is None else tuple("abcdefghij")

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, index):
        label = None if self._labels is None or self._labels[index] < 0 else int(self._labels[index])
        group = None if self._groups is None else self._groups[index]
        return Sample({"text": self.texts[index]}, id=index, label=label, group=group)


def rows_of(labels=None, texts=None, groups=None):
    count = len(labels if labels is not None else texts if texts is not None else groups)
    return Rows(Texts(texts or [f"text {n}" for n in range(count)], labels, groups))


def epochs(sampler, rows, batch_size, number, seed=0):
    return [sampler(rows, batch_size, Rng(seed, epoch=epoch)) for epoch in range(number)]


def test_uniform_is_the_order_that_there_was():
    rows = rows_of(labels=np.zeros(103, dtype=int))
    for epoch in range(3):
        now = Order(103, 10, 7, lambda _, rng: Uniform()(rows, 10, rng)).epoch(epoch)
        assert now.tolist() == Order(103, 10, 7).epoch(epoch)[:100].tolist()


@pytest.mark.filterwarnings("ignore:m_per_class leaves out")
def test_m_per_class_has_m_of_each_of_its_classes():
    """As pytorch-metric-learning's MPerClassSampler: each batch has m samples of batch_size / m classes."""
    labels = np.repeat(np.arange(8), [4, 5, 9, 40, 40, 3, 1, 50])
    rows = rows_of(labels=labels)
    seen = Counter()
    for found in epochs(MPerClass(m=4), rows, 12, 40):
        assert found.shape == (len(labels) // 12, 12)
        for batch in found:
            assert set(Counter(labels[batch].tolist()).values()) == {4}
            assert len(set(batch.tolist())) == 12
            seen.update(labels[batch].tolist())
    assert set(seen) == {0, 1, 2, 3, 4, 7}, "classes of 3 and of 1 are left out"
    assert max(seen.values()) - min(seen.values()) <= 40 * 4, "an epoch's turns end anywhere: one batch's share each"
    rare = Counter(row for found in epochs(MPerClass(m=4), rows, 12, 1) for row in found.ravel().tolist())
    of_class = [rare[row] for row in range(5, 9) if labels[row] == 1]
    assert max(of_class) - min(of_class) <= 1, "each once before any comes again"


def test_classes_that_are_too_small_are_said():
    with pytest.warns(UserWarning, match="leaves out 1 classes of fewer than 3 samples"):
        MPerClass(m=3)(rows_of(labels=np.repeat(np.arange(3), [9, 9, 2])), 6, Rng())


@pytest.mark.parametrize("most", [1, 3, 10, 40, 200])
def test_no_batch_has_two_of_a_value(most):
    draw = np.random.default_rng(most)
    texts = [f"text {n}" for n in range(60)] + [f"often {n % 4}" for n in range(4 * most)]
    texts = [texts[n] for n in draw.permutation(len(texts))]
    rows = rows_of(texts=texts)
    batches = len(texts) // 16
    for found in epochs(NoDuplicates(), rows, 16, 5):
        assert found.shape == (batches, 16)
        for batch in found:
            assert len({texts[row] for row in batch}) == 16
        if most <= batches:
            assert len(set(found.ravel().tolist())) == found.size, "each comes once where that can be"


def test_no_duplicates_of_a_class_or_group():
    labels, groups = np.repeat(np.arange(9), 12), [f"speaker {n % 11}" for n in range(108)]
    for by, values in (("class", labels.tolist()), ("group", groups), ("text", None)):
        found = NoDuplicates(by=by)(rows_of(labels, groups=groups), 9, Rng())
        for batch in found if values else ():
            assert len({values[row] for row in batch}) == 9
    without = labels.copy()
    without[:12] = -1
    assert NoDuplicates(by="class")(rows_of(without), 20, Rng()).shape == (5, 20), "each without one is its own"


def test_like_lengths_are_together_and_batches_come_in_random_order():
    draw = np.random.default_rng(0)
    texts = ["x" * int(n) for n in draw.integers(1, 400, 330)]
    rows = rows_of(texts=texts)
    lengths = np.array([len(text) for text in texts])
    first, second = epochs(ByLength(), rows, 16, 2)
    for found in (first, second):
        assert len(set(found.ravel().tolist())) == found.size
        # a loop: what is in an epoch, sorted and cut
        ordered = sorted(lengths[found.ravel()].tolist())
        cut = sorted(tuple(ordered[at : at + 16]) for at in range(0, len(ordered), 16))
        assert sorted(tuple(sorted(lengths[batch].tolist())) for batch in found) == cut
        means = lengths[found].mean(1)
        assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.6
    assert set(range(330)) - set(first.ravel().tolist()) != set(range(330)) - set(second.ravel().tolist())


def test_weighted_brings_classes_as_often_as_torchs_sampler_by_inverse_frequency():
    labels = np.repeat(np.arange(4), [300, 60, 30, 10])
    rows = rows_of(labels=labels)
    found = np.concatenate([epoch.ravel() for epoch in epochs(Weighted(), rows, 8, 30)])
    ours = np.bincount(labels[found], minlength=4) / len(found)
    weights = 1 / np.bincount(labels)[labels]
    torchs = torch.utils.data.WeightedRandomSampler(
        weights, len(found), replacement=True, generator=torch.Generator().manual_seed(0)
    )
    theirs = np.bincount(labels[list(torchs)], minlength=4) / len(found)
    assert ours == pytest.approx([0.25] * 4, abs=4 * np.sqrt(0.25 * 0.75 / len(found)))
    assert ours == pytest.approx(theirs, abs=6 * np.sqrt(0.25 * 0.75 / len(found)))
    for batch in Weighted()(rows_of(labels=np.repeat(np.arange(2), [100, 3])), 20, Rng()):
        assert len(set(batch.tolist())) == 20, "a class of three fills three places"


BAD = {
    "use = 'm_per_class'\nm = 5": r'"m_per_class": m = 5 does not divide the batch size of 32',
    "use = 'm_per_class'\nm = 1": "needs 32 classes of at least 1 samples, and there are 10",
    "use = 'no_duplicates'\nby = 'class'": "a batch of 32 needs as many samples that differ by class, and there are 10",
    "use = 'no_duplicates'\nby = 'group'": "the data has no groups",
    "use = 'no_duplicates'\nby = 'sound'": 'the data has no "sound"; there is value, class, group, image',
    "use = 'by_length'\nby = 'text'": 'the data has no "text"; there is image',
    "use = 'weighted'\nby = 'group'": "the data has no groups",
}


@pytest.mark.parametrize("table", BAD)
def test_what_cannot_be_done_is_said_with_file_and_line_before_a_folder_is_made(call, write_recipe, tmp_path, table):
    path = write_recipe(f"{SMALL}\n[sampler]\n{table}\n")
    for command in (("recipe", "check", path, "--build"), ("run", path, "--out", tmp_path / "runs")):
        done = call(*command)
        assert done.status == 2
        assert "recipe.toml:41: sampler: " in done.err
        assert BAD[table].removeprefix(r"\"") in done.err
    assert not (tmp_path / "runs").exists()


def test_data_without_classes_is_refused_with_file_and_line(call, write_recipe, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(f"a line of number {n}" for n in range(80)))
    text = (
        SMALL.split("[data]")[0]
        + f"""
[data]
use = "text_lines"
path = "{tmp_path / "lines.txt"}"
workers = 0

[encoder]
use = "text_transformer"
width = 8
layers = 1
heads = 1
vocabulary = 300

[projector]
width = 8

[sampler]
use = "weighted"
"""
        + "[loss]"
        + SMALL.split("[loss]")[1].split("[[evaluate]]")[0]
    )
    done = call("run", write_recipe(text), "--out", tmp_path / "runs")
    assert done.status == 2
    assert 'sampler: "weighted": the data has no classes' in done.err


def test_the_hash_is_that_of_before_where_all_samples_are_shuffled(write_recipe):
    plain = coview.load_recipe(write_recipe(SMALL))
    named = coview.load_recipe(write_recipe(f'{SMALL}\n[sampler]\nuse = "uniform"\n'))
    other = coview.load_recipe(write_recipe(f'{SMALL}\n[sampler]\nuse = "weighted"\n'))
    assert plain.hash == named.hash != other.hash
    assert "sampler" not in plain.tables
    assert other.tables["sampler"] == {"use": "weighted", "by": "class"}


@pytest.mark.slow
def test_the_weights_are_the_same_for_any_number_of_workers_and_after_a_resume(write_recipe, tmp_path):
    recipe = write_recipe(SMALL.split("[[evaluate]]")[0] + '\n[sampler]\nuse = "m_per_class"\nm = 4\n')
    ends = []
    for workers in (0, 2, 8):
        loaded = coview.load_recipe(recipe, sets=[f"data.workers={workers}"])
        run = coview.run(loaded, tmp_path / str(workers), quiet=True)
        ends.append(load_file(run.path / "checkpoints" / "step-6" / "weights.safetensors"))
    environment = json.loads(run.folder.environment.read_text())
    run.folder.environment.write_text(json.dumps({**environment, "finished": None}))
    for name in ("last", "best"):
        (run.path / "checkpoints" / name).unlink()
    for path in (run.path / "checkpoints" / "step-6").iterdir():
        path.unlink()
    (run.path / "checkpoints" / "step-6").rmdir()
    coview.run(loaded, tmp_path / "8", quiet=True, resume=True)
    ends.append(load_file(run.path / "checkpoints" / "step-6" / "weights.safetensors"))
    for end in ends[1:]:
        assert all(torch.equal(end[name], tensor) for name, tensor in ends[0].items())


@pytest.mark.parametrize("ranks", [1, 2])
def test_ranks_share_the_batches_of_one_process(ranks):
    from coview.data.order import RankBatches

    rows = rows_of(labels=np.repeat(np.arange(4), 25))
    order = Order(100, 12, 3, lambda _, rng: MPerClass(m=3)(rows, 12, rng))
    shares = [list(RankBatches(order, 5, 11, rank, ranks)) for rank in range(ranks)]
    whole = [[row for share in shares for _, _, row in share[batch]] for batch in range(6)]
    loop = [order.epoch(n // 8).reshape(8, 12)[n % 8].tolist() for n in range(5, 11)]
    assert whole == loop
