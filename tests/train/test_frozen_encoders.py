"""What a frozen encoder makes of samples whose views do not vary is made once, and changes no number."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from test_two_ranks import train, weights

import coview
import triples
from coview.data.building import build_split
from coview.model.topology import build_topology
from coview.train import frozen_encoders
from coview.train.accelerator import make_accelerator
from coview.train.checkpoint import whole_checkpoints
from coview.train.device import choose_precision
from coview.train.observer import Observer
from coview.train.pretrain import Pretraining
from coview.train.stopping import StopRequest
from triples import registry

FROZEN = """
[[optimizer.group]]
match = "encoder.picture.*"
freeze = true
"""
RECIPE = triples.RECIPE.replace("steps = 4", "steps = 12") + FROZEN
SOME = RECIPE.replace('use = "triples"', 'use = "some"')
READ = []
"""The rows whose pictures were read, in the process that trains."""


class Torn(triples.Triples):
    """One picture of two hundred cannot be read; what is read is noted."""

    def __len__(self):
        return 200

    def __getitem__(self, index):
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index, modalities):
        if "picture" in modalities:
            READ.append(index)
            if index == 17:
                raise coview.SampleError("picture 17", "is torn")
        sample = super().__getitem__(index)
        return coview.Sample({name: sample[name] for name in modalities}, id=sample.id, label=sample.label)


class Half:
    """Halves a vector, and draws nothing."""

    deterministic = True

    def __call__(self, value, rng):
        return value / 2


def parts():
    mine = coview.Registrar("mine")
    mine.dataset("torn", f"{__name__}:Torn", summary="of which a picture cannot be read")
    mine.augmentation("half", f"{__name__}:Half", modality="picture", summary="half of it")
    return registry().plus(mine)


@dataclass
class Trained:
    """A training that is over: its folder, the weights it ends with, and what it said."""

    path: Path
    weights: dict[str, torch.Tensor]
    said: str


@pytest.fixture
def trained(write_recipe, tmp_path):
    """Trains without what else there is of a run."""

    def trained(text, *sets, name="run", resume=None, stop=""):
        found, said = parts(), []
        recipe = coview.load_recipe(write_recipe(text), sets=sets, registry=found)
        dataset = build_split(recipe, "train", found)
        topology = build_topology(recipe, found, dataset, trains_on=torch.device("cpu"))
        accelerator = make_accelerator(torch.device("cpu"), choose_precision(recipe, torch.device("cpu")))
        training = Pretraining(recipe, found, dataset, topology, accelerator)
        path = tmp_path / name
        if resume is not None:
            checkpoint = next(found for found in whole_checkpoints(path / "checkpoints", []) if found.step == resume)
            training.resume(checkpoint)
        asked = StopRequest()
        if stop:
            asked.ask(stop)
        skipped = lambda what, reason: said.append(f"skipped {what}: {reason}")  # noqa: E731
        training.run(path / "checkpoints", asked, Observer(say=said.append, skipped=skipped))
        return Trained(path, dict(topology.state_dict()), "\n".join(said))

    return trained


@pytest.fixture
def anew(monkeypatch):
    """As it would be if nothing were kept."""
    monkeypatch.setattr(frozen_encoders, "why_views_vary", lambda *parts: "for comparison")


def assert_equal(one, other):
    assert one.weights.keys() == other.weights.keys()
    for name, tensor in one.weights.items():
        # a product of other rows beside a row rounds otherwise in the last digit
        torch.testing.assert_close(
            other.weights[name], tensor, atol=1e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


HALF = '\n[[augment.picture]]\nuse = "half"\n'
TEACHER = "\n[teacher]\nmomentum = 0.9\n\n[queue]\nsize = 40\n"
TORN = RECIPE.replace('use = "triples"', 'use = "torn"').replace("steps = 12", "epochs = 3")
MOCO = RECIPE.replace('use = "clip"', 'use = "info_nce"') + TEACHER


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        (RECIPE, []),
        (RECIPE + HALF, ["data.workers=2"]),
        (SOME, []),
        (SOME, ["train.grad_cache=3"]),
        (RECIPE, ["train.accumulate=2", "train.precision=bf16"]),
        (TORN, []),
        (RECIPE.replace('"linear"', '"normalised"'), ["train.batch_norm=per_view"]),
        (MOCO, ["optimizer.lr=0.02"]),
        (RECIPE.replace("encoder.picture.*", "encoder.*").replace('"identity"', '"mlp"'), []),
    ],
    ids=["plain", "augmented, loaded", "lacking", "cached", "bf16", "torn", "batch norm", "teacher", "heads only"],
)
def test_it_changes_no_number(trained, request, text, sets):
    kept = trained(text, *sets)
    assert "the encoder of picture is frozen: it encodes the" in kept.said
    request.getfixturevalue("anew")
    expected = trained(text, *sets, name="anew")
    assert "the encoder of picture is frozen, but encodes in each step: for comparison" in expected.said
    assert_equal(expected, kept)


def test_no_step_reads_a_picture(trained):
    READ.clear()
    run = trained(TORN)
    assert set(READ) == set(range(200))
    fit, tried = 200, 7  # the encoder is fitted to the pictures; a few are read to try the parts together
    assert len(READ) == fit + tried + 200
    assert run.said.count("skipped picture 17: is torn") == 1
    assert not (run.path / "encodings").exists()


@pytest.mark.parametrize(
    ("text", "sets", "why"),
    [
        (RECIPE + '\n[[augment.picture]]\nuse = "noise"\n', [], "noise makes another view of a sample in each epoch"),
        (RECIPE, ["data.views={ picture = 2, caption = 1, sound = 1 }", "loss.0.use=nt_xent"], "there are 2 views of"),
        (RECIPE, ["train.steps=3"], "no sample comes twice"),
        (MOCO.replace("momentum = 0.9", "shuffle_groups = 2"), [], "the teacher shuffles the views"),
    ],
)
def test_it_says_why_an_encoder_that_is_frozen_encodes_nevertheless(trained, text, sets, why):
    said = trained(text, *sets).said
    assert f"the encoder of picture is frozen, but encodes in each step: {why}" in said
    assert "encodes the" not in said


def test_what_is_not_frozen_for_good_is_no_matter(trained):
    assert trained(RECIPE.replace("freeze = true", "freeze = 6")).said == ""


def test_a_full_disk_costs_time_and_no_run(trained, monkeypatch, request):
    def full(self, part, embedded):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frozen_encoders.EncodingFiles, "write", full)
    run = trained(RECIPE)
    assert "in each step: " in run.said
    assert "cannot be written: No space left on device" in run.said
    assert not (run.path / "encodings").exists()
    request.getfixturevalue("anew")
    assert_equal(trained(RECIPE, name="anew"), run)


def test_they_take_half_of_what_the_disk_has_left(trained, monkeypatch):
    monkeypatch.setattr(frozen_encoders.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 2000))
    assert "in each step: encodings may take half of the 0.0 GiB that" in trained(RECIPE).said


def test_a_resume_takes_what_was_made_and_makes_anew_what_is_damaged(trained, monkeypatch):
    monkeypatch.setattr(frozen_encoders, "remove_encodings", lambda folder: None)  # as of a run that was killed
    run = trained(SOME, "train.keep=9")
    (folder,) = (run.path / "encodings").iterdir()
    (file,) = folder.iterdir()
    again = trained(SOME, "train.keep=9", resume=4)
    assert again.said == ""
    assert all(torch.equal(tensor, again.weights[name]) for name, tensor in run.weights.items())
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged, and is made again"):
        again = trained(SOME, "train.keep=9", resume=4)
    assert "it encodes the 55 samples once" in again.said
    assert_equal(run, again)


def test_other_weights_have_other_encodings(trained, monkeypatch):
    monkeypatch.setattr(frozen_encoders, "remove_encodings", lambda folder: None)
    trained(RECIPE)
    assert "encodes the" in trained(RECIPE, "seed=5").said
    assert "encodes the" not in trained(RECIPE).said


def test_a_run_that_is_asked_to_stop_makes_no_more_of_them(trained, monkeypatch):
    monkeypatch.setattr(frozen_encoders.FrozenEncoders, "_encoded", lambda *parts: pytest.fail("it encodes"))
    with pytest.raises(coview.errors.Interrupted, match="after step 1; a checkpoint is written"):
        trained(RECIPE, stop="SIGTERM")


@pytest.mark.slow
def test_a_run_says_it_and_keeps_nothing(write_recipe, tmp_path, capsys):
    found = parts()
    recipe = coview.load_recipe(write_recipe(RECIPE), registry=found)
    run = coview.run(recipe, tmp_path / "runs", registry=found)
    assert "the encoder of picture is frozen: it encodes the 60 samples once" in capsys.readouterr().err
    assert not (run.path / "encodings").exists()


@pytest.mark.slow
@pytest.mark.parametrize("data", ["triples", "some"])
def test_two_ranks_end_with_the_weights_of_one_process(write_recipe, tmp_path, monkeypatch, data):
    about = tmp_path / "triples-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: triples\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\ntriples = triples\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{triples.__file__.rpartition('/')[0]}")
    recipe = write_recipe(RECIPE.replace('use = "triples"', f'use = "{data}"'))
    for ranks in (1, 2):
        train(recipe, ranks, tmp_path / str(ranks))
    alone, shared = weights(tmp_path / "1", 12), weights(tmp_path / "2", 12)
    for name, tensor in alone.items():
        torch.testing.assert_close(shared[name], tensor, atol=3e-5, rtol=1e-4)
