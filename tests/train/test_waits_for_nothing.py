"""What asks a device for a value makes the CPU wait for it: in a forward and backward pass of texts and sounds nothing
does. On a CPU nothing is lost by asking, so the encoders are told that it would be."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import coview
from coview_audio.encoders import masked, mel_vit_network
from coview_text.encoders import by_length, whole_mask

TRAINING = """
[projector]
hidden = 16
width = 8

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 3
batch_size = 16
precision = "fp32"
device = "cpu"
log_every = 100
"""

TEXTS = (
    """\
schema = 1
name = "texts"

[data]
use = "text_table"
path = "{folder}/texts.csv"
label = "kind"
workers = 0

[[augment]]
use = "random_deletion"

[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2
max_length = 24

[loss]
use = "info_nce"
"""
    + TRAINING
)

SOUNDS = (
    """\
schema = 1
name = "sounds"

[data]
use = "audio_folder"
root = "{folder}/sounds"
workers = 0

[[augment]]
use = "gain"

[encoder]
{encoder}

[loss]
use = "nt_xent"
"""
    + TRAINING
)

ENCODERS = {
    "cnn": 'use = "audio_cnn"\nwidth = 16\nchannels = 4',
    "resnet": 'use = "audio_resnet18"\nchannels = 8',
    "vit": 'use = "mel_vit"\nwidth = 16\nlayers = 1\nheads = 2\nseconds = 1.0',
}


class Looks(TorchDispatchMode):
    """The operations that would wait for a device."""

    WAIT = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2")

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function._schema.name.removeprefix("aten::")
        indices = arguments[1] if name in ("index", "index_put", "index_put_") else ()
        by_mask = any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)
        if name in self.WAIT or by_mask:
            self.found.append(name)
        return function(*arguments, **(options or {}))


@pytest.fixture
def looks_of_steps(write_recipe, tmp_path, monkeypatch):
    """Trains, and gives what asked for a value between a batch and its gradient, by step, and the first gradient."""
    from coview.train.gradient import GradientOfBatch

    found, gradients = [], []
    add = GradientOfBatch.add

    def watched(self, *arguments, **options):
        with Looks() as looks:
            gradient = add(self, *arguments, **options)
        found.append(looks.found)
        gradients.append([weight.grad.clone() for weight in self._student.parameters()])
        return gradient

    monkeypatch.setattr(GradientOfBatch, "add", watched)

    def train(text, name="run"):
        found.clear()
        gradients.clear()
        recipe = coview.load_recipe(write_recipe(text.replace("{folder}", str(tmp_path))))
        coview.run(recipe, tmp_path / name, quiet=True)
        return list(found), gradients[0]

    return train


@pytest.fixture
def nobody_looks(monkeypatch):
    """As on a GPU."""
    for module in (masked, mel_vit_network, whole_mask):
        monkeypatch.setattr(module, "may_look", lambda tensor: False)
    monkeypatch.setattr(by_length, "MOST_GROUPS", 1)


@pytest.fixture
def sounds(tmp_path):
    def write(lengths):
        draw = np.random.default_rng(0)
        for row in range(32):
            for split in ("train", "test"):
                path = tmp_path / "sounds" / split / ("low", "high")[row % 2] / f"{row}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                tone = np.sin((300, 900)[row % 2] * 2 * np.pi * np.arange(lengths[row % len(lengths)]) / 16000)
                soundfile.write(path, 0.3 * tone + 0.02 * draw.standard_normal(len(tone)), 16000)

    return write


@pytest.mark.usefixtures("two_topics", "nobody_looks")
def test_texts_wait_for_nothing(looks_of_steps):
    looks, _ = looks_of_steps(TEXTS)
    assert looks == [[]] * 3


@pytest.mark.parametrize("lengths", [(8000,), (8000, 6000, 4000)], ids=["alike", "padded"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_sounds_wait_for_nothing(encoder, lengths, sounds, looks_of_steps, request):
    sounds(lengths)
    text = SOUNDS.replace("{encoder}", ENCODERS[encoder])
    looks, expected = looks_of_steps(text, "looking")
    assert looks[0]  # the sample rate, once
    assert any(looks[1:]) is (len(lengths) > 1)  # where all are alike the loader has said so
    request.getfixturevalue("nobody_looks")
    silent, found = looks_of_steps(text, "silent")
    assert silent[1:] == [[]] * 2
    # the first gradient, not the last weights: what fp32 rounds off switches a ReLU within a few steps, on some machines
    largest = max(wanted.abs().max().item() for wanted in expected)
    for gradient, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4 * largest)
