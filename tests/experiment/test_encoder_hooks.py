"""Encoders that bring their own collation, and fit a part of themselves to the training data."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import coview
from coview.experiment.trial import try_out
from coview.model.topology import build_topology

RECIPE = """\
schema = 1
name = "words"
seed = 1

[data]
use = "words"
workers = {workers}

[encoder]
use = "bag"

[projector]
hidden = 8
width = 4

[teacher]
momentum = 0.9

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.1

[train]
steps = {steps}
batch_size = 8
precision = "fp32"
device = "cpu"
checkpoint_every = 2

[[evaluate]]
use = "knn"
k = 3
"""
FRUIT, TOOLS = ("apple", "pear", "plum", "fig"), ("saw", "drill", "rasp", "file")


class Words:
    splits = ("train", "test")
    modalities = ("word",)
    classes = ("fruit", "tool")
    citation, licence, version = "none", "CC0", "1"
    broken: tuple[int, ...] = ()

    def __init__(self, *, split: str = "train"):
        self.split = split

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if index in self.broken:
            raise coview.SampleError(str(index), "is torn")
        label = index % 2
        values = {"word": (FRUIT, TOOLS)[label][index // 2 % 4]}
        return coview.Sample(values, id=f"{self.split}/{index}", label=label)


class Word:
    """Has a collation of its own that no encoder here may meet."""

    def collate(self, values):
        raise AssertionError("the encoder has its own")

    def describe(self, value):
        return value

    def fit_raw(self, values):
        return lambda values: torch.tensor([[float(len(value))] for value in values]).numpy()

    def preview(self, writer, tag, rows, step):
        pass

    def to_html(self, value):
        return value


class Bag(nn.Module):
    """Looks a word up in the vocabulary that it is fitted to, which lies in no buffer."""

    fitted = 0

    def __init__(self):
        super().__init__()
        self.width = 6
        self.vocabulary: dict[str, int] = {}
        self.table = nn.Embedding(16, 6)

    def fit(self, values):
        type(self).fitted += 1
        self.vocabulary = {word: row for row, word in enumerate(sorted(set(values)), start=1)}

    def collate(self, values):
        return {"rows": torch.tensor([self.vocabulary[value] for value in values])}

    def forward(self, batch):
        return coview.Encoding(self.table(batch["rows"]))

    def get_extra_state(self):
        return torch.tensor(list(json.dumps(self.vocabulary).encode()), dtype=torch.uint8)

    def set_extra_state(self, state):
        self.vocabulary = json.loads(bytes(state.tolist()))


VOCABULARY = {word: row for row, word in enumerate(sorted(FRUIT + TOOLS), start=1)}


@pytest.fixture
def words(registry, monkeypatch):
    monkeypatch.setattr(Bag, "fitted", 0)
    monkeypatch.setattr(Words, "broken", ())
    added = coview.Registrar("test")
    home = f"{__name__}:"
    added.modality("word", home + "Word", summary="a word")
    added.dataset("words", home + "Words", summary="eight of them")
    added.encoder("bag", home + "Bag", modality="word", summary="a look-up")
    return registry.plus(added)


@pytest.fixture
def read(write_recipe, words):
    def read(steps=4, workers=0):
        return coview.load_recipe(write_recipe(RECIPE.format(steps=steps, workers=workers)), registry=words)

    return read


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_fits_once_collates_by_the_encoder_and_keeps_what_was_fitted(read, words, tmp_path, workers):
    run = coview.run(read(workers=workers), tmp_path, registry=words, quiet=True)
    assert Bag.fitted == 2, "the model, and the untrained control"
    found = {row.kind: row.value for row in run.results if row.metric == "accuracy"}
    assert found["pretrained"] == found["untrained"] == 1.0, "equal words have equal vectors"
    loaded = coview.load_run(run.path, registry=words)
    assert Bag.fitted == 2
    assert loaded.encoder.vocabulary == VOCABULARY
    assert loaded.topology.teacher.towers.encoder("word").vocabulary == VOCABULARY
    assert torch.equal(coview.embed(loaded), coview.embed(run))
    assert coview.embed(loaded)[0].equal(loaded.encoder.table.weight[VOCABULARY["apple"]].detach())


def test_a_run_that_goes_on_keeps_what_was_fitted(read, words, tmp_path, monkeypatch):
    run = coview.run(read(), tmp_path, registry=words, quiet=True)
    environment = json.loads(run.folder.environment.read_text())
    del environment["finished"]
    run.folder.environment.write_text(json.dumps(environment))

    def fit(self, values):
        self.vocabulary = dict.fromkeys(values, 0)

    monkeypatch.setattr(Bag, "fit", fit)
    again = coview.run(read(), tmp_path, resume=True, registry=words, quiet=True)
    assert again.path == run.path
    assert coview.load_run(again.path, registry=words).encoder.vocabulary == VOCABULARY


def test_values_that_cannot_be_read_are_not_fitted_to(read, words, monkeypatch):
    monkeypatch.setattr(Words, "broken", tuple(range(0, 40, 8)))
    topology = build_topology(read(), words, Words())
    assert "apple" not in topology.student.encoder("word").vocabulary
    assert "pear" in topology.student.encoder("word").vocabulary


def test_teacher_and_student_share_what_was_fitted_before_any_step(read, words):
    topology = build_topology(read(), words, Words())
    assert Bag.fitted == 1
    assert topology.teacher.towers.encoder("word").vocabulary == VOCABULARY


def test_trying_it_out_fits_too(read, words):
    assert "projections 2 × 4 × 4" in try_out(read(), words)
    assert Bag.fitted == 1
