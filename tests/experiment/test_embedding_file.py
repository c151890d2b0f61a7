"""``coview embed``: what was kept is taken, and each representation stands with what is known of its sample."""

from __future__ import annotations

import json

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import coview
from coview.evaluate.embedding import Embedded
from coview.evaluate.features import FeatureSplit
from coview.experiment.embedding_file import KnownSamples, write_embedding

ODD = ("NA", 'a "b", c', "new\nline", "ü·猫", "", "-1")


@pytest.fixture
def no_encoder(own_run, monkeypatch):
    """Whoever runs the encoder of the small run fails."""

    def refuse(self, batch):
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(type(own_run.encoder), "forward", refuse)


def test_what_a_run_has_kept_is_taken_bit_for_bit(call, own_run, monkeypatch, tmp_path):
    done = call("embed", own_run.path, "--out", "kept.npy")
    assert done.status == 0, done.err
    assert "has kept: the encoder did not run again" in done.err
    for folder in (own_run.path / "features").glob("pretrained-*"):
        (folder / "test.safetensors").unlink()
    again = call("embed", own_run.path, "--out", "again.npy")
    assert "has kept" not in again.err
    assert (tmp_path / "kept.npy").read_bytes() == (tmp_path / "again.npy").read_bytes()


def test_the_encoder_does_not_run_for_what_is_kept(call, own_run, no_encoder):
    assert call("embed", own_run.path, "--out", "x.npz").status == 0
    assert torch.isfinite(coview.embed(own_run)).all()
    with pytest.raises(AssertionError, match="the encoder ran"):
        coview.embed(own_run, "digits")


@pytest.mark.parametrize("sets", [["data.test_fraction=0.3"], ["modality.size=8"]], ids=" ".join)
def test_other_data_or_settings_are_embedded(call, own_run, sets):
    done = call("embed", own_run.path, "--out", "x.npz", *(part for text in sets for part in ("--set", text)))
    assert done.status == 0, done.err
    assert "has kept" not in done.err


def test_two_lines_of_numpy_read_it(call, own_run, tmp_path):
    assert call("embed", own_run.path, "--out", "x.npz").status == 0
    kept = np.load(tmp_path / "x.npz")
    data = own_run.registry.build("dataset", "digits", supplied={"split": "test"})
    samples = [data[row] for row in range(len(data))]
    assert kept["x"].dtype == np.float32
    assert torch.from_numpy(kept["x"]).equal(coview.embed(own_run))
    assert kept["ids"].tolist() == [sample.id for sample in samples]
    assert kept["labels"].tolist() == [sample.label for sample in samples]
    assert kept["classes"].tolist() == list(data.classes)


def test_pictures_of_a_folder_with_odd_names_and_groups(call, own_run, tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(20):
        path = tmp_path / "pictures" / f"{i:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
        rows.append((path.name, ('a, "b"', "NA")[i % 2], f"s{i}", ("train", "test")[i % 2 or i % 4 // 2]))
    pandas.DataFrame(rows, columns=["path", "label", "who", "part"]).to_csv(tmp_path / "labels.csv", index=False)
    sets = ["use=image_folder", "root=pictures", "labels=labels.csv", "group_column=who", "split_column=part"]
    given = [part for text in sets for part in ("--set", f"data.{text}")]
    expected = {path: (label, who) for path, label, who, part in rows if part == "test"}
    done = call("embed", own_run.path, "test", "--out", "x.npy", *given)
    assert done.status == 0, done.err
    table = pandas.read_csv(tmp_path / "x.samples.csv", keep_default_na=False)
    assert len(np.load(tmp_path / "x.npy")) == len(table) == len(expected)
    found = {row["id"]: (row["class"], row["group"]) for _, row in table.iterrows()}
    assert found == expected
    assert call("embed", own_run.path, "test", "--out", "x.npz", *given).status == 0
    kept = np.load(tmp_path / "x.npz")
    named = [kept["classes"][label] for label in kept["labels"]]
    assert dict(zip(kept["ids"].tolist(), zip(named, kept["groups"].tolist(), strict=True), strict=True)) == expected
    assert call("embed", own_run.path, "test", "--out", "x.safetensors", *given).status == 0
    with safe_open(tmp_path / "x.safetensors", framework="np") as file:
        about, labels = file.metadata(), file.get_tensor("labels_N")
    named = [json.loads(about["classes"])[label] for label in labels]
    assert (
        dict(zip(json.loads(about["ids"]), zip(named, json.loads(about["groups"]), strict=True), strict=True))
        == expected
    )
    assert about["computed_in"] == "fp32"


class Knowing:
    """A split whose samples alone know of themselves; some have no class and no group."""

    def __init__(self, labels, groups=None):
        self.labels_of, self.groups_of = labels, groups or [None] * len(labels)
        self.classes = ODD

    def __len__(self):
        return len(self.labels_of)

    def __getitem__(self, row):
        return coview.Sample({"image": None}, f"id {row}", self.labels_of[row], self.groups_of[row])


def known_of(labels, groups=None):
    ids = torch.arange(len(labels))
    features = FeatureSplit(torch.zeros(len(labels), 2), ids, None)
    return KnownSamples.of(Embedded(features, ()), Knowing(labels, groups))


def test_labels_that_some_samples_lack_are_not_lost(tmp_path):
    known = known_of([0, None, 5, 2], ["x", None, "NA", "x"])
    for name in ("a.npz", "a.npy", "a.safetensors"):
        write_embedding(tmp_path / name, torch.zeros(4, 2), known, {})
    kept = np.load(tmp_path / "a.npz")
    assert kept["labels"].tolist() == [0, -1, 5, 2]
    assert kept["classes"].tolist() == list(ODD)
    assert kept["groups"].tolist() == ["x", "", "NA", "x"]
    table = pandas.read_csv(tmp_path / "a.samples.csv", keep_default_na=False)
    assert table["label"].tolist() == [0, -1, 5, 2]
    assert table["class"].tolist() == ["NA", "", "-1", "new\nline"]
    with safe_open(tmp_path / "a.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["groups"]) == ["x", None, "NA", "x"]


def test_without_labels_there_is_no_column_of_them(tmp_path):
    known = known_of([None, None])
    write_embedding(tmp_path / "a.npz", torch.zeros(2, 2), known, {})
    assert sorted(np.load(tmp_path / "a.npz").files) == ["ids", "x"]
    write_embedding(tmp_path / "a.npy", torch.zeros(2, 2), known, {})
    assert (tmp_path / "a.samples.csv").read_text() == "id\nid 0\nid 1\n"


def test_a_sample_that_was_skipped_moves_no_label():
    from coview.data.batch import Skipped

    features = FeatureSplit(torch.zeros(2, 2), torch.arange(2))
    known = KnownSamples.of(Embedded(features, (Skipped(1, "b", "torn"),)), Knowing([3, 4, 5]))
    assert (known.ids, known.labels_N.tolist()) == (["id 0", "id 2"], [3, 5])
