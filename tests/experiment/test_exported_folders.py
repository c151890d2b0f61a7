"""What coview exports, loaded by each library's documented route in a process without coview, prepares files as the run.

Files, not arrays: how a picture or a text is read and prepared is a part of what is exported.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import transformers
from PIL import Image

import coview

SIDE = 24

RECIPE = """
schema = 1
name = "pictures"

[data]
use = "image_folder"
root = "{root}"
workers = 0

[modality]
{modality}

[[augment]]
use = "random_resized_crop"
size = {size}

[encoder]
{encoder}

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 2
batch_size = 8
device = "cpu"
precision = "fp32"
"""

# as https://huggingface.co/docs/timm/quickstart has it
BY_TIMM = """
import timm
from PIL import Image
model = timm.create_model("local-dir:" + folder, pretrained=True, num_classes=0).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
pictures = [Image.open(path).convert(mode) for path in paths]
features = model(torch.stack([transform(picture) for picture in pictures]))
"""

# as https://huggingface.co/docs/transformers/model_doc/auto has it
BY_TRANSFORMERS = """
from PIL import Image
from transformers import AutoImageProcessor, AutoModel
processor = AutoImageProcessor.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
pictures = [Image.open(path).convert(mode) for path in paths]
output = model(**processor(pictures, return_tensors="pt"))
features = output.pooler_output.flatten(1)
"""

# what the mean of a transformer's tokens is, which has no name of its own there
MEAN_BY_TRANSFORMERS = BY_TRANSFORMERS.replace("output.pooler_output.flatten(1)", "output.last_hidden_state.mean(1)")

# as https://sbert.net/docs/sentence_transformer/usage/usage.html has it, for pictures
BY_SENTENCE_TRANSFORMERS = """
from PIL import Image
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
features = model.encode([Image.open(path).convert(mode) for path in paths], convert_to_tensor=True)
"""

PROGRAM = """
import json, sys
import numpy, torch
for case, mode, form, route, code in json.load(open("routes.json")):
    folder, paths = f"exported/{case} for {form}", json.load(open("files.json"))
    with torch.no_grad():
        exec(code)
    numpy.save(f"exported/{case} {route}.npy", features.numpy())
assert not [name for name in sys.modules if name.partition(".")[0].startswith("coview")], "it needs no coview"
"""

TIMM = {"timm": BY_TIMM, "transformers": BY_TRANSFORMERS}
OWN = {"transformers": BY_TRANSFORMERS}
CASES = {
    "timm": ('use = "timm:test_resnet"', "", SIDE, TIMM),
    "timm at another size": ('use = "timm:test_vit"\nimage_size = 32', "size = 32", 32, TIMM),
    "timm of grey pictures": ('use = "timm:test_resnet"\nchannels = 1', "channels = 1", SIDE, TIMM),
    "resnet as timm has it": ('use = "resnet18"', "mean = [0.4, 0.5, 0.6]", SIDE, TIMM),
    "resnet of its own": ('use = "resnet18"\nstem = "small"\nwidth = 8', "", SIDE, OWN),
    "resnet of grey pictures": (
        'use = "resnet18"\nstem = "small"\nwidth = 8\nchannels = 1', "channels = 1\nsize = 16", 16, OWN,
    ),
    "hf": ('use = "hf:vit"\npooling = "mean"', "", SIDE, {"transformers": MEAN_BY_TRANSFORMERS}),
}  # fmt: skip


def write_pictures(root):
    rng = np.random.default_rng(0)
    for name in "ab":
        for split, count in (("train", 12), ("test", 4)):
            folder = root / "pictures" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                low = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
                Image.fromarray(low).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=SIDE, patch_size=8
    )
    transformers.AutoModel.from_config(config).save_pretrained(root / "vit")


def train(case, root):
    encoder, modality, size, _ = CASES[case]
    encoder = encoder.replace("hf:vit", f"hf:{root / 'vit'}")
    (root / "recipe.toml").write_text(
        RECIPE.format(root=root / "pictures", encoder=encoder, modality=modality, size=size)
    )
    return coview.run(coview.load_recipe(root / "recipe.toml"), root / "runs", quiet=True)


def test_a_librarys_own_route_gives_the_runs_features(tmp_path):
    """One process loads all the folders: importing the libraries takes longer than all else."""
    write_pictures(tmp_path)
    exported = tmp_path / "exported"
    expected = {}
    for case in CASES:
        run = train(case, tmp_path)
        for form in ("hf", "sentence-transformers"):
            coview.export(run, to=form, out=exported / f"{case} for {form}")
        expected[case] = coview.embed(run).numpy()
    modes = {case: "L" if "channels = 1" in modality else "RGB" for case, (_, modality, *_) in CASES.items()}
    routes = [
        (case, modes[case], form, name, code)
        for case, (*_, ways) in CASES.items()
        for form, codes in (
            ("hf", ways),
            ("sentence-transformers", {"sentence-transformers": BY_SENTENCE_TRANSFORMERS}),
        )
        for name, code in codes.items()
    ]
    (tmp_path / "routes.json").write_text(json.dumps(routes))
    (tmp_path / "files.json").write_text(json.dumps(sorted(map(str, (tmp_path / "pictures" / "test").rglob("*.png")))))
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for case, _, _, route, _ in routes:
        features = np.load(exported / f"{case} {route}.npy")
        np.testing.assert_allclose(features, expected[case], rtol=1e-3, atol=2e-3, err_msg=f"{case}, by {route}")
        lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(expected[case], axis=1)
        assert ((features * expected[case]).sum(1) / lengths).min() > 0.9999, (case, route)


def test_a_run_whose_data_is_gone_is_exported_and_says_so(tmp_path):
    write_pictures(tmp_path)
    run = train("timm", tmp_path)
    (tmp_path / "pictures").rename(tmp_path / "away")
    with pytest.warns(UserWarning, match="the run's data is not here, and the folder says no size of its samples"):
        folder, _ = coview.export(coview.load_run(run.path), to="hf")
    assert (folder / "model.safetensors").is_file()
