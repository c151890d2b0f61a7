"""What the plugin registers can be imported, and nothing is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coview
import coview_image
from coview.plugins.parameters import Parameters


def registered() -> coview.Registrar:
    registry = coview.Registrar(plugin="image")
    coview_image.coview_register(registry)
    return registry


@pytest.mark.parametrize("component", registered().components, ids=lambda c: f"{c.kind}-{c.name}")
def test_every_target_loads_and_every_parameter_is_documented(component):
    target = component.load()
    factory = target(component.example.partition(":")[2]) if component.is_family and component.name != "hf" else target
    if component.name == "hf":
        factory = target("owner/name")
    parameters = Parameters.of(factory, component.kind)
    assert parameters.doc
    for parameter in parameters.parameters:
        assert parameter.doc, parameter.name
    assert component.kind == "resource" or component.extra.startswith("coview[image")


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_declaring_imports_nothing_heavy():
    heavy = "('torch', 'numpy', 'cv2', 'PIL', 'albumentations', 'timm', 'transformers', 'sklearn')"
    code = (
        "import sys, coview, coview_image\n"
        "coview_image.coview_register(coview.Registrar(plugin='image'))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_what_the_libraries_of_pictures_do_when_they_are_imported():
    """albumentations does not ask for a newer version, OpenCV has one thread, a crop does not import timm, a ResNet
    not transformers: by one process, for importing torch takes longest.
    """
    code = (
        "import os; os.environ.pop('NO_ALBUMENTATIONS_UPDATE', None)\n"
        "import sys, urllib.request\n"
        "def refuse(*a, **k): raise SystemExit('network')\n"
        "urllib.request.OpenerDirector.open = refuse\n"
        "import coview_image.augment.color_jitter, cv2\n"
        "print(cv2.getNumThreads())\n"
        "import coview_image.augment.random_resized_crop, coview_image.modality\n"
        "print('timm' in sys.modules)\n"
        "import coview_image.encoders.resnet, coview_image.encoders.timm\n"
        "print('transformers' in sys.modules)"
    )
    threads, has_timm, has_transformers = run_python(code).split()
    assert threads in ("0", "1")
    assert (has_timm, has_transformers) == ("False", "False")
