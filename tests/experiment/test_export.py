"""The encoder of a run in other libraries' hands gives the representations that it gives in coview's."""

from __future__ import annotations

import subprocess
import sys

import pytest
import timm
import torch
import transformers
from PIL import Image

import coview
from coview.experiment.run import Run
from coview_image.encoders.resnet import ResNet


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "vit"
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


ENCODERS = {
    # its table, the side of the pictures, its steps
    "resnet": ('use = "resnet18"\nstem = "small"\nwidth = 8', None, 2),
    "plain resnet": ('use = "resnet18"', None, 1),
    "timm": ('use = "timm:test_vit"\nimage_size = 16', 16, 2),
    "hf": ('use = "hf:FOLDER"\npooling = "mean"', None, 2),
}


def recipe_of(small_recipe, encoder, side, steps):
    text = small_recipe.split("[[evaluate]]")[0].replace("steps = 6", f"steps = {steps}")
    if side is not None:
        text = text.replace("size = 8", f"size = {side}")
    table = '[encoder]\nuse = "resnet18"\nstem = "small"\nwidth = 8\n'
    assert table in text
    prepared = "mean = [0.4, 0.5, 0.6]\n" + (f"size = {side}\n" if side else "")
    return text.replace(table, f"[encoder]\n{encoder}\n\n[modality]\n{prepared}")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_printed_loads_it_and_gives_the_same(call, write_recipe, small_recipe, vit_folder, encoder):
    table, side, steps = ENCODERS[encoder]
    text = recipe_of(small_recipe, table.replace("FOLDER", str(vit_folder)), side, steps)
    recipe = coview.load_recipe(write_recipe(text))
    run = coview.run(recipe, "runs", quiet=True)
    done = call("export", run.path, "--to", "hf")
    assert done.status == 0, done.err
    assert done.err == "", "no progress bar, no warning"
    folder = run.path / "export" / "hf"
    place, code = done.out.split("\n\n", 1)
    assert place == str(folder)
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= {path.name for path in folder.iterdir()}

    data = run.registry.build("dataset", "digits", supplied={"split": "test"})
    scope = {"pictures": [Image.fromarray(data[index]["image"]) for index in range(8)]}
    expected = coview.embed(run)[:8]
    with torch.no_grad():
        exec(code, scope)
        by_transformers = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)(scope["pixel_values"])
        fresh = run.registry.build(
            "encoder", recipe.encoder["image"].use, modality="image", **recipe.encoder["image"].parameters
        )
        untrained = fresh.eval()(scope["pixel_values"]).pooled_ND
    close = 1e-5 if side is None else 0.02  # an enlarged picture may differ by one grey level
    assert scope["features"].flatten(1).shape == expected.shape
    assert torch.allclose(scope["features"].flatten(1), expected, atol=close)
    if encoder != "hf":
        assert torch.equal(by_transformers.pooler_output, scope["features"])
    assert not torch.allclose(untrained, expected, atol=10 * close), "it is the trained one that was exported"


def test_timms_own_words_for_the_preparation_are_the_runs(small_run, tmp_path):
    modality = small_run.registry.build("modality", "image", size=16, mean=[0.1, 0.2, 0.3], std=[0.5])
    encoder = small_run.registry.build("encoder", "image/timm:test_vit", image_size=16)
    modality.export_hf(tmp_path)
    encoder.export_hf(tmp_path)
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0)
    config = timm.data.resolve_model_data_config(model)
    assert config["mean"] == [0.1, 0.2, 0.3]
    data = small_run.registry.build("dataset", "digits", supplied={"split": "test"})
    values = [data[index]["image"] for index in range(8)]
    prepare = timm.data.create_transform(**config, is_training=False)
    by_timm = torch.stack([prepare(Image.fromarray(value)) for value in values])
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    by_transformers = processor([Image.fromarray(value) for value in values], return_tensors="pt").pixel_values
    one_level = 1 / 255 / 0.5
    for theirs in (by_timm, by_transformers):
        assert (theirs - modality.collate(values)).abs().max() <= 1.01 * one_level


def test_pictures_are_enlarged_as_in_the_run(small_run, tmp_path, call):
    modality = small_run.registry.build("modality", "image", size=16)
    scope = {}
    exec(modality.export_hf(tmp_path).rpartition("\n")[0], scope)
    data = small_run.registry.build("dataset", "digits", supplied={"split": "test"})
    values = [data[index]["image"] for index in range(8)]
    theirs = scope["processor"]([Image.fromarray(value) for value in values], return_tensors="pt").pixel_values
    one_level = 1 / 255 / min(modality.std)
    assert (theirs - modality.collate(values)).abs().max() <= 1.01 * one_level


def test_another_folder_has_to_be_empty(call, own_run, tmp_path):
    done = call("export", own_run.path, "--to", "hf", "--out", tmp_path / "mine")
    assert done.out.startswith(f"{tmp_path / 'mine'}\n")
    assert not (own_run.path / "export").exists()
    again = call("export", own_run.path, "--to", "hf", "--out", tmp_path / "mine")
    assert (again.status, again.out) == (2, "")
    assert again.err == f"error: {tmp_path / 'mine'} is not empty\n  choose another folder with --out\n"
    assert [call("export", own_run.path, "--to", "hf").status for _ in range(2)] == [0, 0], "its own is replaced"


def test_an_export_that_fails_leaves_the_one_before(call, own_run, monkeypatch, tmp_path):
    def fail(self, folder):
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    assert call("export", own_run.path, "--to", "hf").status == 0
    before = sorted(path.name for path in (own_run.path / "export" / "hf").iterdir())
    monkeypatch.setattr(ResNet, "export_hf", fail)
    done = call("export", own_run.path, "--to", "hf")
    assert done.status == 2
    assert "No space left on device" in done.err
    assert sorted(path.name for path in (own_run.path / "export").iterdir()) == [".hf.lock", "hf"]
    assert sorted(path.name for path in (own_run.path / "export" / "hf").iterdir()) == before


def test_two_exports_to_one_folder_do_not_mix(call, own_run, tmp_path):
    lock = tmp_path / ".model.lock"
    code = (
        "import sys, time; from pathlib import Path; import coview\n"
        "with coview.file_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        done = call("export", own_run.path, "--to", "hf", "--out", tmp_path / "model")
        assert done.status == 2
        assert "another process is exporting to" in done.err
        assert not (tmp_path / "model").exists()
    finally:
        other.kill()
        other.wait()
    assert call("export", own_run.path, "--to", "hf", "--out", tmp_path / "model").status == 0


def test_an_encoder_that_has_no_export_says_so_and_which_have(call, own_run, monkeypatch):
    class Mute(torch.nn.Module):
        width = 3

    monkeypatch.setattr(Run, "tower", lambda self, modality=None: Mute())
    done = call("export", own_run.path, "--to", "hf")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith('error: the encoder "resnet18" cannot be exported to hf: it has no export_hf\n')
    done = call("export", own_run.path, "--to", "sentence-transformers")
    assert done.err == (
        'error: the encoder "resnet18" cannot be exported to sentence-transformers: '
        "it has no export_sentence_transformers\n"
        "  encoders that can be: hf-clip:NAME, hf:NAME, resnet18, resnet34, resnet50, sentence-transformers:NAME, "
        "text_transformer, timm:NAME, vit\n"
    )
    assert not (own_run.path / "export").exists()


def test_the_forms_that_there_are_are_named(own_run):
    with pytest.raises(coview.CoviewError, match='no export to "onnx"; there is: hf, sentence-transformers'):
        coview.export(own_run, to="onnx")
