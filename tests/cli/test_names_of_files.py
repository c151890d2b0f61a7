"""Names are bytes: of files and folders as other systems have made them, through whole runs."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile
from PIL import Image

ESCAPE = b"\x1b[31mred"
CLASSES = (b"x$\\foo{bar}$", b"caf\xe9", b"plain")
RECIPE = """\
schema = 1
name = "names"

[data]
use = "{use}"
root = "{root}"
workers = 0

[modality]
{modality}

[[augment]]
use = "{augment}"
{sizes}

[encoder]
use = "{encoder}"
{parameters}

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.01

[train]
steps = 2
batch_size = 4
device = "cpu"
precision = "fp32"

[[evaluate]]
use = "knn"
k = 1
"""


def picture(number, path):
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    with open(path, "wb") as file:
        Image.fromarray(pixels).save(file, "PNG")


def sound(number, path):
    with open(path, "wb") as file:
        soundfile.write(file, np.random.default_rng(number).normal(0, 0.1, 1600), 16000, format="WAV")


def text(number, path):
    with open(path, "w") as file:
        file.write(
            " ".join(
                ["wave", "ship", "sail", "storm", "fish", "harbour", "tide"][(number * k) % 7] for k in range(1, 6)
            )
        )
        file.write(f" number{number}")


PARTS = ("modality", "augment", "sizes", "encoder", "parameters")
KINDS = {
    "image_folder": (
        ".png",
        picture,
        "size = 8",
        "random_resized_crop",
        "size = 8",
        "resnet18",
        'stem = "small"\nwidth = 8',
    ),
    "audio_folder": (".wav", sound, "", "gain", "", "audio_cnn", "width = 8"),
    "text_folder": (
        ".txt",
        text,
        "",
        "random_swap",
        "",
        "text_transformer",
        "width = 8\nlayers = 1\nheads = 1\nvocabulary = 300",
    ),
}


@pytest.mark.parametrize("use", KINDS)
def test_a_run_on_files_whose_names_are_no_text(call, write_recipe, tmp_path, monkeypatch, use):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    suffix, make, *values = KINDS[use]
    for number, name in enumerate(CLASSES):
        folder = os.path.join(os.fsencode(tmp_path), b"files", name)
        os.makedirs(folder)
        for row in range(20):
            own = (b"caf\xe9-%d" if row % 2 else ESCAPE + b"-%d") % row
            make(20 * number + row, os.path.join(folder, own + suffix.encode()))
    values = dict(zip(PARTS, values, strict=True))
    done = call("run", write_recipe(RECIPE.format(use=use, root=tmp_path / "files", **values)), "--out", "runs")
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "names").iterdir()
    assert (run / "report.html").exists()
    again = call("evaluate", run)
    assert again.status == 0, again.err
    shown = call("data", "show", use, "--set", f"data.root={tmp_path / 'files'}")
    assert shown.status == 0, shown.err
    assert r"caf\udce9" in shown.out
    assert "\x1b" not in done.out + done.err + again.out + shown.out


def test_a_file_that_cannot_be_read_commands_no_terminal(call, write_recipe, tmp_path):
    for name in (b"a", b"b"):
        folder = os.path.join(os.fsencode(tmp_path), b"files", name)
        os.makedirs(folder)
        for row in range(8):
            with open(os.path.join(folder, ESCAPE + b"%d.png" % row), "w") as file:
                file.write("no picture")
    values = dict(zip(PARTS, KINDS["image_folder"][2:], strict=True))
    done = call("run", write_recipe(RECIPE.format(use="image_folder", root=tmp_path / "files", **values)))
    assert done.status == 2
    assert r"\u001b[31mred" in done.err
    assert "\x1b" not in done.err + done.out
