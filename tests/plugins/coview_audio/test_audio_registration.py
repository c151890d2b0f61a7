"""What the plugin registers can be imported, and nothing is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coview
import coview_audio
from coview.plugins.parameters import Parameters


def registered() -> coview.Registrar:
    registry = coview.Registrar(plugin="audio")
    coview_audio.coview_register(registry)
    return registry


@pytest.mark.parametrize(
    "component", [c for c in registered().components if c.kind != "resource"], ids=lambda c: f"{c.kind}-{c.name}"
)
def test_every_target_loads_and_every_parameter_is_documented(component):
    target = component.load()
    factory = target(component.example.partition(":")[2]) if component.is_family else target
    parameters = Parameters.of(factory, component.kind)
    assert parameters.doc
    for parameter in parameters.parameters:
        assert parameter.doc, parameter.name
    assert component.extra.startswith("coview[audio")


def test_declaring_imports_nothing_heavy():
    heavy = "('torch', 'numpy', 'scipy', 'soundfile', 'librosa', 'audiomentations', 'torchaudio', 'transformers')"
    code = (
        "import sys, coview, coview_audio\n"
        "coview_audio.coview_register(coview.Registrar(plugin='audio'))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_our_own_augmentations_need_neither_audiomentations_nor_transformers():
    code = (
        "import sys\n"
        "import coview_audio.augment.add_noise, coview_audio.augment.pitch_shift, coview_audio.encoders.audio_cnn\n"
        "print([name for name in ('audiomentations', 'librosa', 'numba', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
