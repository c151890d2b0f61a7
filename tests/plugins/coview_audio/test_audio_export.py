"""An audio encoder in transformers' hands gives the representations that it gives in coview's."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

import coview

RATE = 16000
LENGTHS = (3000, 9000, 16001, 24000, 5000, 12345)

RECIPE = """\
schema = 1
name = "sounds"
seed = 1

[data]
use = "audio_folder"
root = "ROOT"
workers = 0

[modality]
seconds = 1.0

[[augment]]
use = "random_excerpt"
seconds = 0.5

[encoder]
ENCODER

[projector]
hidden = 8
width = 8

[loss]
use = "nt_xent"

[train]
steps = 2
batch_size = 4
lr = 0.05
precision = "fp32"
device = "cpu"
"""

ENCODERS = {
    "audio_cnn": 'use = "audio_cnn"\nwidth = 24\nchannels = 4\nmel_bins = 32\nmean = -2.0\nstd = 3.0',
    "audio_resnet18": 'use = "audio_resnet18"\nchannels = 4',
    "audio_resnet34": 'use = "audio_resnet34"\nchannels = 4\nstem = "small"',
}

LOADING = """\
import sys
import numpy, torch
sounds = list(numpy.load("sounds.npz").values())
with torch.no_grad():
    exec(open("code.py").read())
assert not [name for name in sys.modules if name.partition(".")[0].startswith("coview")], "it needs no coview"
numpy.save("features.npy", features.numpy())
"""


def sounds():
    return [
        (0.1 * np.random.default_rng(row).standard_normal(length)).astype(np.float32)
        for row, length in enumerate(LENGTHS)
    ]


@pytest.fixture
def write_run(tmp_path, write_recipe):
    for row, sound in enumerate(sounds()):
        for split in ("train", "test"):
            (tmp_path / "sounds" / split / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
            soundfile.write(tmp_path / "sounds" / split / "ab"[row % 2] / f"{row}.wav", sound, RATE, subtype="FLOAT")

    def run(encoder):
        text = RECIPE.replace("ROOT", str(tmp_path / "sounds")).replace("ENCODER", ENCODERS[encoder])
        return coview.run(coview.load_recipe(write_recipe(text)), tmp_path / "runs", quiet=True)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_is_printed_loads_it_without_coview_and_gives_the_same(encoder, write_run, tmp_path):
    run = write_run(encoder)
    folder, code = coview.export(run, out=tmp_path / "out")
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "hub_audio.py"} <= {
        path.name for path in folder.iterdir()
    }
    code_files = [path.read_text() for path in folder.glob("*.py")]
    assert not any(re.search(r"^\s*(import|from) coview", text, re.MULTILINE) for text in code_files)
    np.savez(tmp_path / "sounds.npz", *sounds())
    (tmp_path / "code.py").write_text(code)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", LOADING], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    features = torch.from_numpy(np.load(tmp_path / "features.npy"))

    modality = run.registry.build("modality", "audio", **run.recipe.modality["audio"])
    data = run.registry.build("dataset", "audio_folder", supplied={"split": "test"}, root=str(tmp_path / "sounds"))
    samples = {sample.id.rpartition("/")[2]: sample["audio"] for sample in map(data.__getitem__, range(len(data)))}
    values = [samples[name] for name in sorted(samples)]
    assert [len(value) for value in values] == list(LENGTHS)
    with torch.no_grad():
        alone = torch.cat([run.encoder.eval()(modality.collate([value])).pooled_ND for value in values])
        untrained = run.registry.build(
            "encoder", encoder, modality="audio", **run.recipe.encoder["audio"].parameters
        ).eval()
        others = torch.cat([untrained(modality.collate([value])).pooled_ND for value in values])
    assert features.shape == alone.shape
    assert torch.allclose(features, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(features, others, rtol=1e-2, atol=1e-3), "it is the trained one that was exported"


def test_the_weights_are_those_of_the_run(registry, tmp_path):
    encoder = registry.build("encoder", "audio_cnn", modality="audio", width=8, channels=2, mel_bins=16)
    encoder.export_hf(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    for name, value in encoder.state_dict().items():
        assert torch.equal(kept.pop(f"network.{name}"), value)
    assert set(kept) == {"front_end.filters_FK", "front_end.window"}
