"""An audio encoder in transformers' hands gives the representations that it gives in coview's."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
import torch
import transformers
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
LEVEL

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

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 2
batch_size = 4
precision = "fp32"
device = "cpu"
"""

ENCODERS = {
    "audio_cnn": 'use = "audio_cnn"\nwidth = 24\nchannels = 4\nmel_bins = 32\nmean = -2.0\nstd = 3.0',
    "audio_resnet18": 'use = "audio_resnet18"\nchannels = 4\nwindow = 25.0',
    "mel_vit": 'use = "mel_vit"\nwidth = 16\nlayers = 2\nheads = 2\npatch = [8, 4]\nmel_bins = 32\nseconds = 2.0',
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
        text = text.replace("LEVEL", "rms = 0.05" if encoder == "audio_resnet18" else "")
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


def test_resampled_sounds_have_the_features_of_the_exported_folder_by_its_own_lines(registry, tmp_path, monkeypatch):
    """The cache keeps what does not change features: the band that a sound of 8 kHz leaves empty stays empty."""
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    rng = np.random.default_rng(0)
    for row in range(6):
        (tmp_path / "sounds" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
        sound = 0.1 * rng.standard_normal(4000) * np.hanning(4000)
        soundfile.write(tmp_path / "sounds" / "ab"[row % 2] / f"{row}.wav", sound, 8000)
    data = registry.build("dataset", "audio_folder", supplied={"split": "train"}, root=str(tmp_path / "sounds"))
    modality = registry.build("modality", "audio")
    encoder = registry.build("encoder", "audio_cnn", modality="audio", width=8, channels=2, mel_bins=64).eval()
    encoder.export_hf(tmp_path / "out")
    assert "soxr.resample(sound, rate, 16000, quality='HQ')" in modality.export_hf(tmp_path / "out")
    prepare = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    model = transformers.AutoModel.from_pretrained(tmp_path / "out", trust_remote_code=True).eval()
    for _ in ("resampled", "kept"):
        for row in range(len(data)):
            samples, rate = soundfile.read(tmp_path / "sounds" / data[row].id, dtype="float32")
            sound = soxr.resample(samples, rate, 16000, quality="HQ")
            with torch.no_grad():
                batch = prepare([sound], sampling_rate=16000, padding=True, return_tensors="pt")
                exported = model(**batch).pooler_output
                own = encoder(modality.collate([data[row]["audio"]])).pooled_ND
            assert torch.cosine_similarity(exported, own).item() > 0.99999
