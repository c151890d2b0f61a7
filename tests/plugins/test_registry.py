"""Names to components: qualified, ambiguous, of a modality, of a family, unknown, not installed."""

import sys
import types

import pytest

from coview.errors import CoviewError
from coview.plugins.component import Component, UnknownComponentError
from coview.plugins.discovery import load_plugins
from coview.plugins.registrar import Registrar
from coview.plugins.registry import AmbiguousNameError, Registry
from coview.plugins.status import PluginStatus


class Thing:
    """A thing.

    Args:
        size: How big.
        kind: Which.
    """

    def __init__(self, size: int = 1, kind: str = "x") -> None:
        if size > 10:
            raise ValueError(f"size {size} is too big")
        self.size, self.kind = size, kind


def family(name):
    if name == "needs":
        import a_package_that_is_not_there  # noqa: F401
    if name != "known":
        raise LookupError(f'the library has no "{name}", did you mean "known"?')
    return Thing


@pytest.fixture(autouse=True)
def targets(monkeypatch):
    module = types.ModuleType("targets")
    module.Thing, module.family, module.value = Thing, family, 3
    monkeypatch.setitem(sys.modules, "targets", module)


def status(name, state="ok", reason=""):
    return PluginStatus(name, name, "1.0", name, state, reason)


@pytest.fixture
def registry():
    registry = Registry(plugins=(status("one"), status("two"), status("bad", "broken", "ImportError: boom")))
    one, two = Registrar("one"), Registrar("two")
    for staging in (one, two):
        staging.loss("same", "targets:Thing", summary="s")
        staging.encoder("net", "targets:Thing", modality={"one": "image", "two": "text"}[staging.plugin], summary="s")
    one.loss("contrast", "targets:Thing", summary="s")
    one.augmentation("noise", "targets:Thing", modality="image", summary="s")
    one.augmentation("noise", "targets:Thing", modality="audio", summary="s")
    one.family("encoder", "lib", "targets:family", modality="image", summary="s", example="lib:known", extra="pkg[lib]")
    return registry.plus(one).plus(two)


def test_a_bare_name_and_a_qualified_one(registry):
    assert registry.resolve("loss", "contrast").component.qualified == "one/contrast"
    assert registry.resolve("loss", "one/contrast").component.plugin == "one"
    assert isinstance(registry.build("loss", "one/contrast", size=3), Thing)


def test_an_ambiguous_name_lists_what_to_write(registry):
    with pytest.raises(AmbiguousNameError, match=r'"same" is ambiguous: write "one/same" or "two/same"'):
        registry.resolve("loss", "same")
    assert registry.resolve("loss", "two/same").component.plugin == "two"


def test_a_modality_tells_components_of_one_name_apart(registry):
    assert registry.resolve("encoder", "net", modality="text").component.plugin == "two"
    assert registry.resolve("augmentation", "noise", modality="audio").component.modality == "audio"
    assert [c.modality for c in registry.of_kind("augmentation", "audio")] == ["audio"]
    with pytest.raises(UnknownComponentError, match='"net" is an encoder for image and text, not for audio'):
        registry.resolve("encoder", "net", modality="audio")


def test_a_family_serves_any_name_that_it_knows(registry):
    assert registry.build("encoder", "lib:known", size=2).size == 2
    assert registry.build("encoder", "one/lib:known", modality="image").size == 1


@pytest.mark.parametrize(
    ("kind", "use", "says"),
    [
        ("encoder", "lib:", r'"lib:" lacks a name after the colon, such as "lib:known"'),
        ("encoder", "lib", r'"lib" lacks a name after the colon, such as "lib:known"'),
        ("encoder", "one/lib", "lacks a name after the colon"),
        ("encoder", "lib:knwn", r'the library has no "knwn", did you mean "known"\?'),
        ("encoder", "lb:known", r'unknown encoder "lb:known", did you mean "lib:known"\?'),
        ("loss", "contrast:x", r'"contrast:x": "contrast" is a single loss and takes no name after a colon'),
        ("loss", "contrst", r'unknown loss "contrst", did you mean "contrast"\? \(installed: contrast, same\)'),
        ("loss", "one/contrst", r'did you mean "one/contrast"\?'),
        ("loss", "three/contrast", r'"three/contrast": no plugin "three" is installed'),
        ("loss", "tow/contrast", r'no plugin "tow" is installed, did you mean "two"\?'),
        ("loss", "bad/contrast", r'"bad/contrast": the plugin "bad" is broken: ImportError: boom'),
        ("loss", "qqq", r"Not loaded: bad \(coview plugins list says why\)"),
        ("encoder", "qqq", r"or by name from a library, such as lib:known"),
        ("loss", "", 'unknown loss ""'),
        ("loss", ":", 'unknown loss ":"'),
        ("loss", "/", 'unknown loss "/"'),
        ("dataset", "x", 'unknown dataset "x"'),
    ],
)
def test_a_name_that_means_nothing_says_what_to_write(registry, kind, use, says):
    with pytest.raises(UnknownComponentError, match=says):
        registry.resolve(kind, use).factory()


def test_a_missing_package_is_named_with_the_line_that_brings_it(registry):
    with pytest.raises(CoviewError, match="'a_package_that_is_not_there', which is not installed") as caught:
        registry.resolve("encoder", "lib:needs").factory()
    assert caught.value.hint == "pip install 'pkg[lib]'"


@pytest.mark.parametrize(
    ("source", "attribute", "says"),
    [
        ("import nowhere_to_be_found", "X", r"needs the package 'nowhere_to_be_found', which is not installed"),
        ("raise RuntimeError('first\\nsecond')", "X", "cannot be imported: RuntimeError: first; second"),
        ("def f(:", "X", "cannot be imported: SyntaxError"),
        ("import sys; sys.exit(3)", "X", "cannot be imported: SystemExit: 3"),
        ("from math import nothing", "X", "cannot be imported: ImportError: cannot import name 'nothing'"),
        ("import broken_target.inner", "X", "cannot be imported: ModuleNotFoundError: No module named"),
        ("", "X", "'broken_target' has no 'X'"),
        ("class X: pass", "X.y", r"'broken_target' has no 'X\.y'"),
        ("X = 3", "X", "cannot be called"),
    ],
)
def test_a_target_that_cannot_be_imported_is_a_message(tmp_path, monkeypatch, source, attribute, says):
    (tmp_path / "broken_target.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_target", raising=False)
    component = Component("loss", "x", "mine", f"broken_target:{attribute}", "s")
    with pytest.raises(CoviewError, match=says) as caught:
        component.load()
    assert "loss mine/x" in str(caught.value)
    sys.modules.pop("broken_target", None)


def test_a_target_whose_module_is_not_there():
    with pytest.raises(CoviewError, match="No module named 'not_here'"):
        Component("loss", "x", "mine", "not_here:X", "s").load()


def test_building_checks_as_strictly_as_a_recipe(registry):
    with pytest.raises(CoviewError, match=r'loss "contrast": size: has to be an integer, got 1.5; sise: unknown key'):
        registry.build("loss", "contrast", size=1.5, sise=1)
    with pytest.raises(CoviewError, match=r'loss "contrast": size 11 is too big'):
        registry.build("loss", "contrast", size=11)


def test_a_parameter_may_be_called_kind(registry):
    assert registry.build("loss", "contrast", kind="y").kind == "y"


@pytest.mark.parametrize(
    ("register", "says"),
    [
        (lambda r: r.loss("Bad Name", "targets:Thing", summary=""), "lower-case"),
        (lambda r: r.loss("a/b", "targets:Thing", summary=""), "lower-case"),
        (lambda r: r.loss("a:b", "targets:Thing", summary=""), "lower-case"),
        (lambda r: r.loss("", "targets:Thing", summary=""), "lower-case"),
        (lambda r: r.loss("ok", "targets.Thing", summary=""), "module:attribute"),
        (lambda r: r.loss("ok", "targets:", summary=""), "module:attribute"),
        (lambda r: r.family("los", "ok", "a:b", summary="", example=""), "unknown kind 'los'; kinds are modality, "),
        (lambda r: [r.loss("ok", "targets:Thing", summary="") for _ in range(2)], "loss 'ok' is registered twice"),
        (
            lambda r: [r.family("encoder", "ok", "a:b", summary="", example="ok:x") for _ in range(2)],
            "encoder 'ok' is registered twice",
        ),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(register, says):
    with pytest.raises(ValueError, match=says):
        register(Registrar("mine"))


def test_a_family_and_a_component_may_share_a_name():
    mine = Registrar("mine")
    mine.encoder("net", "targets:Thing", modality="image", summary="")
    mine.family("encoder", "net", "targets:family", modality="image", summary="", example="net:known")
    registry = Registry().plus(mine)
    assert not registry.resolve("encoder", "net").component.is_family
    assert registry.resolve("encoder", "net:known").component.is_family


def test_a_name_of_a_plugin_that_was_left_out_says_so():
    registry = load_plugins(disable=["losses"])
    with pytest.raises(UnknownComponentError, match=r"Disabled, by --no-plugin or the environment: losses$"):
        registry.resolve("loss", "nt_xent")
