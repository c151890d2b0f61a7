"""A run from its recipe to its report, and what is done with it afterwards, through the command."""

from __future__ import annotations

import json
import shutil
import tomllib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.builtin.evaluators.knn import KNN


def digits(split):
    """The pictures of a split as the modality prepares them, and their labels, by hand."""
    registry = coview.load_plugins()
    data = registry.build("dataset", "digits", supplied={"split": split})
    samples = [data[index] for index in range(len(data))]
    pictures = np.stack([sample["image"] for sample in samples]).astype(np.float64) / 255
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x_NCHW = torch.from_numpy(((pictures - mean) / std).transpose(0, 3, 1, 2)).float()
    return x_NCHW, torch.tensor([sample.label for sample in samples]), torch.tensor([sample.id for sample in samples])


def encoded(run, x_NCHW):
    with torch.no_grad():
        return run.encoder.eval()(x_NCHW).pooled_ND


def nearest(train_ND, train_N, test_ND, k):
    """Weighted nearest neighbours by cosine, one test sample at a time."""
    train_ND, test_ND = (torch.nn.functional.normalize(x.double(), dim=1) for x in (train_ND, test_ND))
    found = []
    for x_D in test_ND:
        similarity, index = (train_ND @ x_D).topk(k)
        votes = torch.zeros(10, dtype=torch.float64)
        for s, i in zip(similarity, index, strict=True):
            votes[train_N[i]] += (s / KNN().temperature).exp()
        found.append(int(votes.argmax()))
    return torch.tensor(found)


def test_the_folder_of_a_run(call, write_recipe, tmp_path):
    done = call("run", write_recipe())
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    assert {path.name for path in run.iterdir() if not path.name.startswith(".")} == {
        "recipe.toml", "environment.json", "metrics.jsonl", "results.json", "checkpoints", "tensorboard", "features",
        "views.json", "report.html", "items",
    }  # fmt: skip
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best", "last", "step-3", "step-6"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert all({"loss", "lr", "samples_per_s", "epoch", "time", "lidar"} <= line.keys() for line in lines)
    assert all(0.02 < line["false_negative_rate"] < 0.2 for line in lines)  # of ten classes, 32 at a time
    environment = json.loads((run / "environment.json").read_text())
    assert environment["finished"] >= environment["started"]
    assert (environment["precision"], environment["ranks"]) == ("fp32", 1)
    resolved = coview.load_recipe(run / "recipe.toml")
    assert run.name.endswith(f"-{resolved.hash[:6]}")
    assert resolved.hash == coview.load_recipe(write_recipe()).hash
    assert "extends" not in tomllib.loads((run / "recipe.toml").read_text())
    for line in (f"report      runs/small/{run.name}/report.html", f"coview evaluate runs/small/{run.name}"):
        assert line in done.out


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(small_run, call, write_recipe, tmp_path):
    for name, seed in (("same", 3), ("other", 4)):
        options = ["--set", f"seed={seed}", "--set", "evaluate=[]", "--out", name]
        assert call("run", write_recipe(), *options).status == 0
    weights = {
        name: load_file(next((tmp_path / name / "small").iterdir()) / "checkpoints/last/weights.safetensors")
        for name in ("same", "other")
    }
    expected = load_file(small_run.path / "checkpoints/last/weights.safetensors")
    assert expected.keys() == weights["same"].keys()
    assert all(tensor.equal(weights["same"][key]) for key, tensor in expected.items())
    assert not all(tensor.equal(weights["other"][key]) for key, tensor in expected.items())


def test_embed_writes_what_the_encoder_gives_in_the_order_of_the_data(call, small_run, tmp_path):
    x_NCHW, labels_N, ids_N = digits("test")
    expected = encoded(small_run, x_NCHW)
    done = call("embed", small_run.path, "--out", "test.npy")
    table = "test.samples.csv: a row for each, in the same order\n"
    assert (done.status, done.out) == (0, f"test.npy: 360 × {expected.shape[1]}\n{table}"), done.err
    assert np.allclose(np.load(tmp_path / "test.npy"), expected, atol=1e-5)
    assert call("embed", small_run.path, "train", "--out", "train.safetensors").status == 0
    written = load_file(tmp_path / "train.safetensors")
    x_NCHW, labels_N, ids_N = digits("train")
    assert torch.allclose(written["x_ND"], encoded(small_run, x_NCHW), atol=1e-5)
    assert written["labels_N"].equal(labels_N)
    assert written["ids_N"].equal(ids_N)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.npy", "test.samples.csv", "train.safetensors"]


def test_embed_takes_other_data_too_labelled_or_not(call, small_run, tmp_path):
    from PIL import Image

    x_NCHW, *_ = digits("test")
    data = small_run.registry.build("dataset", "digits", supplied={"split": "test"})
    for index in range(20):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(data[index]["image"]).save(tmp_path / "pictures" / f"{index:02}.png")
    other = ["--set", "data.use=image_folder", "--set", "data.root=pictures", "--set", "data.test_fraction=0.5"]
    done = call("embed", small_run.path, "test", "--out", "x.safetensors", *other)
    assert done.status == 0, done.err
    written = load_file(tmp_path / "x.safetensors")
    assert set(written) == {"x_ND", "ids_N"}, "there are no labels to write"
    every = encoded(small_run, x_NCHW[:20])
    closest = torch.cdist(written["x_ND"], every).min(1)
    assert (closest.values < 1e-4).all()
    assert closest.indices.tolist() == sorted(set(closest.indices.tolist())), "in the order of the files"


def test_the_numbers_are_those_of_the_method_computed_by_hand(small_run):
    (train, train_N, _), (test, test_N, _) = digits("train"), digits("test")
    torch.manual_seed(3)
    untrained = small_run.registry.build("encoder", "resnet18", stem="small", width=8).eval()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        features = {
            "pretrained": (encoded(small_run, train), encoded(small_run, test)),
            "untrained": (untrained(train).pooled_ND, untrained(test).pooled_ND),
            "raw": tuple((x.permute(0, 2, 3, 1) * std + mean).flatten(1) for x in (train, test)),
        }
    found = {result.kind: result for result in small_run.results}
    assert set(found) == set(features)
    for name, (train_ND, test_ND) in features.items():
        (kept,) = small_run.folder.features.glob(f"{name}*/test.safetensors")
        assert torch.allclose(load_file(kept)["x_ND"], test_ND, atol=1e-5), name
        if name == "untrained":  # its features hardly differ, and rounding decides who is nearest
            continue
        right = nearest(train_ND, train_N, test_ND, 5) == test_N
        assert found[name].value == pytest.approx(right.double().mean().item(), abs=1 / 360), name
        assert found[name].n == 360
        assert found[name].ci_low <= found[name].value <= found[name].ci_high
    assert len({result.value for result in found.values()}) == 3


def test_evaluate_again_by_the_same_protocol_gives_the_same(call, own_run):
    before = json.loads(own_run.folder.results.read_text())
    done = call("evaluate", own_run.path, "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out) == before["results"]
    assert json.loads(own_run.folder.results.read_text()) == before, "a row of the same protocol is replaced"


def test_evaluate_by_another_protocol_adds_to_the_results(call, own_run):
    before = json.loads(own_run.folder.results.read_text())["results"]
    report = own_run.folder.report.read_bytes()
    done = call("evaluate", own_run.path, "--set", "evaluate.0.k=1")
    assert done.status == 0, done.err
    after = json.loads(own_run.folder.results.read_text())["results"]
    assert after[:3] == before
    assert [row["protocol"]["k"] for row in after[3:]] == [1, 1, 1]
    assert {row["protocol_hash"] for row in after[3:]}.isdisjoint({row["protocol_hash"] for row in before})
    (train, train_N, _), (test, test_N, _) = digits("train"), digits("test")
    right = nearest(encoded(own_run, train), train_N, encoded(own_run, test), 1) == test_N
    assert after[3]["value"] == pytest.approx(right.double().mean().item(), abs=1 / 360)
    assert own_run.folder.report.read_bytes() != report
    assert "k=1" in own_run.folder.report.read_text()


def test_an_evaluation_embeds_nothing_again(call, own_run, monkeypatch):
    from coview.experiment import feature_store

    monkeypatch.setattr(feature_store, "embed_share", lambda *a, **k: pytest.fail("it was embedded again"))
    assert call("evaluate", own_run.path, "--set", "evaluate.0.k=3").status == 0
    shutil.rmtree(own_run.folder.features)
    with pytest.raises(pytest.fail.Exception):
        call("evaluate", own_run.path)


def test_a_folder_of_runs_stands_for_its_latest(call, own_run, tmp_path):
    other = own_run.path.with_name("20000101-000000-aaaaaa")
    shutil.copytree(own_run.path, other, symlinks=True)
    for folder in (own_run.path.parent, own_run.path.parent.parent):
        assert coview.load_run(folder).path == own_run.path


def test_a_recipe_without_evaluators_has_a_report_and_no_number(call, write_recipe, tmp_path):
    done = call("run", write_recipe(), "--set", "evaluate=[]")
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    assert json.loads((run / "results.json").read_text())["results"] == []
    assert (run / "report.html").is_file()


def test_resume_of_nothing_is_a_new_run(call, write_recipe, tmp_path):
    assert call("run", write_recipe(), "--resume", "--set", "evaluate=[]").status == 0
    assert len(list((tmp_path / "runs" / "small").iterdir())) == 1


@pytest.mark.parametrize(("p", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_the_share_of_views_that_equal_their_originals_is_logged(call, write_recipe, small_recipe, tmp_path, p, share):
    flip = f'[[augment]]\nuse = "random_flip"\np = {p}\n\n[encoder]'
    text = small_recipe.replace('[[augment]]\nuse = "random_resized_crop"\nsize = 8\n\n[encoder]', flip)
    done = call("run", write_recipe(text))
    (run,) = (tmp_path / "runs" / "small").iterdir()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["unchanged_views"] == pytest.approx(share, abs=0.02)  # a digit may be symmetric
    assert all("unchanged_views" not in line for line in lines[1:])
    assert ("100% of the views equal their original" in done.err) == (p == 0)


def test_pictures_too_small_for_the_encoder_are_a_message(call, write_recipe, small_recipe, tmp_path):
    text = small_recipe.replace('use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "timm:convnext_atto"')
    done = call("run", write_recipe(text))
    assert done.status == 2
    assert 'encoder.use: the encoder "timm:convnext_atto" does not take the batch (8, 3, 8, 8): ' in done.err
    assert not (tmp_path / "runs" / "small").exists()
