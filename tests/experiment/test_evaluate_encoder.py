"""An encoder that no run has trained: its numbers are those that its own library and scikit-learn give."""

from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
import transformers
from jsonschema import Draft202012Validator
from sklearn.neighbors import KNeighborsClassifier

import coview
from coview.recipe.json_schema import recipe_schema

MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
K, TEMPERATURE = 5, 0.07
KNN = [{"use": "knn", "k": K, "temperature": TEMPERATURE}]


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "vit"
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit_run(vit_folder, registry, tmp_path_factory):
    return coview.evaluate_encoder(
        f"hf:{vit_folder}",
        "digits",
        overrides={"encoder.pooling": "mean", "evaluate": KNN, "train.device": "cpu", "data.workers": 0},
        out=tmp_path_factory.mktemp("runs"),
        registry=registry,
        quiet=True,
    )


def pictures(registry, split):
    data = registry.build("dataset", "digits", supplied={"split": split})
    samples = [data[index] for index in range(len(data))]
    x_NCHW = torch.stack([torch.from_numpy(s["image"].copy()).movedim(-1, 0) / 255 for s in samples])
    return (x_NCHW - MEAN) / STD, np.array([s.label for s in samples])


def accuracy_by_scikit_learn(encode, registry):
    """The share of correct votes of the K nearest by cosine, weighted by exp(cosine / temperature)."""
    with torch.no_grad():
        (train, y_train), (test, y_test) = (
            (encode(x), y) for x, y in (pictures(registry, split) for split in ("train", "test"))
        )
    knn = KNeighborsClassifier(K, metric="cosine", weights=lambda distances: np.exp((1 - distances) / TEMPERATURE))
    return knn.fit(train.numpy(), y_train).score(test.numpy(), y_test), test


def value(run, features):
    (result,) = [r for r in run.results if r.kind == features and r.metric == "accuracy"]
    return result.value


def test_the_numbers_are_those_of_transformers_and_scikit_learn(vit_run, vit_folder, registry):
    model = transformers.AutoModel.from_pretrained(vit_folder).eval()
    expected, features = accuracy_by_scikit_learn(lambda x: model(pixel_values=x).last_hidden_state.mean(1), registry)
    assert value(vit_run, "pretrained") == pytest.approx(expected, abs=1 / 360)
    assert torch.allclose(coview.embed(vit_run), features, atol=1e-4)
    assert {result.kind for result in vit_run.results} == {"pretrained", "untrained", "raw"}
    assert vit_run.path.parent.name == "hf-vit-digits"


def test_what_it_writes_is_a_run(vit_run, registry):
    names = {path.name for path in vit_run.path.iterdir()}
    assert {"recipe.toml", "environment.json", "results.json", "report.html", "features"} <= names
    document = json.loads(vit_run.folder.results.read_text())
    assert document["checkpoint"] == "as it is loaded"
    assert document["untrained"] == "the same architecture at random weights: pretrained = false"
    assert json.loads(vit_run.folder.environment.read_text())["finished"]
    page = vit_run.folder.report.read_text()
    assert "untrained: the same architecture at random weights: pretrained = false;" in page
    assert "Nothing was trained: the encoder is measured as it is loaded." in page
    loaded = coview.load_run(vit_run.path, registry=registry)
    assert loaded.recipe.hash == vit_run.recipe.hash
    assert torch.equal(coview.embed(loaded), coview.embed(vit_run))
    assert list(Draft202012Validator(recipe_schema(registry)).iter_errors(dict(loaded.recipe.tables))) == []


def test_the_untrained_control_is_the_architecture_at_random_weights(vit_run, vit_folder, registry, tmp_path):
    at_random = coview.evaluate_encoder(
        f"hf:{vit_folder}",
        "digits",
        overrides={
            "encoder": {"pooling": "mean", "pretrained": False},
            "evaluate": KNN,
            "train.device": "cpu",
            "data.workers": 0,
        },
        out=tmp_path,
        registry=registry,
        quiet=True,
    )
    assert value(at_random, "untrained") == value(vit_run, "untrained") != value(vit_run, "pretrained")
    assert {result.kind for result in at_random.results} == {"untrained", "raw"}, "its control would be itself"
    compared = coview.load_run(at_random.path, registry=registry)
    assert torch.equal(coview.embed(compared), coview.embed(at_random))


def test_weights_from_a_file_are_taken_in_place_of_a_download(registry, tmp_path, call):
    torch.manual_seed(1)
    model = timm.create_model("test_vit", num_classes=0, img_size=16).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    done = call(
        "evaluate", "--encoder", "timm:test_vit", "--data", "digits", "--json",
        "--set", f"encoder.checkpoint={tmp_path / 'weights.pth'}", "--set", "encoder.image_size=16",
        "--set", "modality.size=16", "--set", "train.device=cpu", "--set", "data.workers=0",
        "--set", f'evaluate=[{{use="knn", k={K}, temperature={TEMPERATURE}}}]',
    )  # fmt: skip
    assert done.status == 0, done.err
    found = {row["kind"]: row["value"] for row in json.loads(done.out) if row["metric"] == "accuracy"}
    modality = registry.build("modality", "image", size=16)

    def encode(x_NCHW):
        values = (((x_NCHW * STD + MEAN) * 255).round().byte()).movedim(1, -1).numpy()
        return model(modality.collate(list(values)))

    assert found["pretrained"] == pytest.approx(accuracy_by_scikit_learn(encode, registry)[0], abs=1 / 360)
    assert set(found) == {"pretrained", "untrained", "raw"}
    assert found["untrained"] != found["pretrained"]


def test_it_stands_beside_a_trained_run_in_a_comparison(vit_run, small_run, call):
    done = call("compare", small_run.path, vit_run.path, "--out", "compared")
    assert done.status == 0, done.err
    assert "hf-vit-digits" in done.out


def test_a_recipe_without_a_step_needs_no_loss_and_one_with_steps_does(write_recipe, small_recipe, registry):
    no_loss = small_recipe.replace('[loss]\nuse = "nt_xent"\n', "")
    with pytest.raises(coview.RecipeError, match=r"loss: is missing; it has to be a table \[loss\], or several"):
        coview.load_recipe(write_recipe(no_loss), registry=registry)
    recipe = coview.load_recipe(write_recipe(no_loss), overrides={"train": {"steps": 0}}, registry=registry)
    assert not recipe.trains
    assert recipe.tables["train"] == {"steps": 0, "device": "cpu"}
    with pytest.raises(coview.RecipeError, match=r"train\.batch_size: is missing"):
        coview.load_recipe(write_recipe(no_loss.replace("batch_size = 32\n", "")), registry=registry)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder", "timm:resnet1", "--data", "digits"], 'encoder.use: timm has no model "resnet1", did you mean'),
        (["--encoder", "nothing", "--data", "digits"], 'encoder.use: unknown encoder "nothing"'),
        (["--encoder", "text_transformer", "--data", "digits"], "is an encoder for text, not for image"),
        (["--encoder", "resnet18", "--data", "nothing"], 'data.use: unknown dataset "nothing"'),
        (["--encoder", "resnet18", "--data", "digits", "--set", "encoder.widht=4"], 'did you mean "width"?'),
        (["--encoder", "resnet18", "--data", "digits", "--set", "evaluate=[]"], "there is no evaluator"),
        (["--encoder", "resnet18"], "give either a run, with or without --step, or both --encoder and --data"),
        (["runs/x", "--encoder", "resnet18", "--data", "digits"], "give either a run, with or without --step, or both"),
    ],
)
def test_mistakes_are_told_and_leave_no_folder(call, tmp_path, arguments, message):
    done = call("evaluate", *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "runs").exists()


def test_data_without_labels_is_told_with_the_evaluators_that_need_them(call, tmp_path):
    (tmp_path / "lines.txt").write_text("".join(f"line {number}\n" for number in range(60)))
    done = call(
        "evaluate", "--encoder", "text_transformer", "--data", "text_lines", "--set", f"data.path={tmp_path}/lines.txt"
    )
    assert done.status == 2
    assert "knn: the data has no class labels; linear_probe: the data has no class labels" in done.err
