"""What the plugin registers can be imported, and nothing is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coview
import coview_text
from coview.plugins.parameters import Parameters


def registered() -> coview.Registrar:
    registry = coview.Registrar(plugin="text")
    coview_text.coview_register(registry)
    return registry


@pytest.mark.parametrize("component", registered().components, ids=lambda c: f"{c.kind}-{c.name}")
def test_every_target_loads_and_every_parameter_is_documented(component):
    target = component.load()
    if component.kind == "resource":
        assert component.licence
        assert component.source
        return
    factory = target(component.example.partition(":")[2]) if component.is_family else target
    parameters = Parameters.of(factory, component.kind)
    assert parameters.doc
    for parameter in parameters.parameters:
        assert parameter.doc, parameter.name
    assert component.extra == ("coview[text,hub]" if component.name == "hub" else "coview[text]")


def test_declaring_imports_nothing_heavy():
    heavy = "('torch', 'numpy', 'nltk', 'nlpaug', 'tokenizers', 'transformers', 'sklearn')"
    code = (
        "import sys, coview, coview_text\n"
        "coview_text.coview_register(coview.Registrar(plugin='text'))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"


def test_deleting_words_imports_no_transformers_and_no_nltk():
    code = (
        "import sys, coview_text.augment.random_deletion, coview_text.modality\n"
        "print([name for name in ('nltk', 'nlpaug', 'transformers') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"
