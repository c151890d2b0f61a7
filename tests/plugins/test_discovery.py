"""A broken plugin is a row with its reason, and leaves nothing of itself behind."""

import itertools
import sys

import pytest

import coview
from coview.errors import CoviewError
from coview.plugins.discovery import load_plugins

GOOD = """
import coview

@coview.hookimpl
def coview_register(registry):
    registry.loss({name!r}, "nowhere:Loss", summary="s")
"""

numbers = itertools.count()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with one plugin on the path, as an installer leaves it; its module is new each time."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("COVIEW_DISABLE_PLUGINS", raising=False)
    monkeypatch.delenv("COVIEW_PLUGIN_AUTOLOAD", raising=False)

    def install(source, *, plugin="mine", distribution=None, value=None):
        module = f"plugin_of_a_test_{next(numbers)}"
        (tmp_path / f"{module}.py").write_text(source)
        distribution = distribution or f"{plugin}-dist"
        info = tmp_path / f"{distribution}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[coview]\n{plugin} = {value or module}\n")
        return module

    yield install
    for name in [name for name in sys.modules if name.startswith("plugin_of_a_test_")]:
        del sys.modules[name]


def row(registry, name, distribution=None):
    (found,) = (p for p in registry.plugins if p.name == name and distribution in (None, p.distribution))
    return found


def test_a_good_plugin_is_a_row_with_its_distribution(install):
    module = install(GOOD.format(name="a_loss"))
    registry = load_plugins()
    found = row(registry, "mine")
    assert (found.distribution, found.version, found.module) == ("mine-dist", "1.2", module)
    assert (found.status, found.reason, found.warnings, found.components) == ("ok", "", (), 1)
    assert registry.resolve("loss", "mine/a_loss").component.target == "nowhere:Loss"


def test_coviews_own_plugins_come_first(install):
    install(GOOD.format(name="a_loss"), plugin="aaa", distribution="aaa")
    names = [plugin.name for plugin in load_plugins().plugins]
    assert names.index("core") < names.index("aaa")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('boom\\nbang')", "RuntimeError: boom; bang"),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
        ("class Skipped(BaseException): pass\nraise Skipped('as pytest.skip does')", "Skipped: as pytest.skip does"),
        (GOOD.format(name="x").replace('"s"', "None"), "TypeError: loss 'x': summary has to be text, got None"),
        (GOOD.format(name="x") + "\n    registry.components.append(None)", "TypeError: registry.components holds None"),
        ("import sys; sys.exit()", "SystemExit"),
        ("def f(:", "SyntaxError: "),
        ("import not_a_package_of_anybody", "ModuleNotFoundError: No module named 'not_a_package_of_anybody'"),
        ("import coview\ncoview.Nothing", "AttributeError: No coview attribute Nothing"),
        (
            GOOD.format(name="x").replace("coview_register", "coview_regster"),
            'TypeError: unknown hook coview_regster, did you mean "coview_register"?',
        ),
        (
            "import coview\n@coview.hookimpl\ndef coview_stepend(context): pass",
            'TypeError: unknown hook coview_stepend, did you mean "coview_step_end"?',
        ),
        (GOOD.format(name="x").replace("registry)", "regstry)"), "PluginValidationError: "),
        (GOOD.format(name="Not A Name"), "ValueError: loss name 'Not A Name' has to be lower-case"),
        (GOOD.format(name="x") + "\n    registry.los('y')", "AttributeError: "),
        (GOOD.format(name="x") + "\n    registry.loss('x', 'a:b', summary='')", "ValueError: loss 'x' is registered tw"),
        (GOOD.format(name="x") + "\n    registry.loss('y', 'a:b', summary='')\n    1 / 0", "ZeroDivisionError: divis"),
        (GOOD.format(name="x") + "\n    raise SystemExit(2)", "SystemExit: 2"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_a_row_and_leaves_nothing(install, source, reason):
    before = load_plugins()
    install(source)
    registry = load_plugins()
    found = row(registry, "mine")
    assert found.status == "broken"
    assert found.reason.startswith(reason)
    assert "\n" not in found.reason
    assert "Traceback" in found.traceback
    assert found.components == 0
    assert registry.components == before.components
    assert not registry.manager.has_plugin("mine")


def test_a_plugin_for_a_later_interface_is_not_asked_to_register(install):
    install(f"coview_api = {coview.API + 1}\n" + GOOD.format(name="x") + "\n    raise RuntimeError")
    found = row(load_plugins(), "mine")
    assert found.status == "incompatible"
    assert found.reason == f"it was written for interface {coview.API + 1}, this coview has {coview.API}: update coview"


def test_entry_points_that_cannot_be_read_are_a_row(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    info = tmp_path / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coview]\nno equals sign\n")
    registry = load_plugins()
    found = row(registry, "evil")
    assert (found.status, found.distribution, found.version) == ("broken", "evil", "1.0")
    assert found.reason.startswith("its entry_points.txt cannot be read: ")
    assert {plugin.status for plugin in registry.plugins if plugin.distribution == "coview"} == {"ok"}


def test_the_hooks_of_a_plugin_are_in_its_row(install):
    install("import coview\n@coview.hookimpl\ndef coview_step_end(context): pass")
    found = row(load_plugins(), "mine")
    assert (found.status, found.warnings, found.components, found.hooks) == ("ok", (), 0, ("coview_step_end",))


def test_what_was_left_out_is_kept_for_other_processes(install):
    install(GOOD.format(name="a_loss"))
    registry = load_plugins(disable=["mine"])
    assert registry.disabled == ("mine",)
    assert load_plugins(disable=registry.disabled) == registry


def test_an_entry_point_to_nothing(install):
    install("", value="not_a_module_of_anybody")
    assert row(load_plugins(), "mine").reason == "ModuleNotFoundError: No module named 'not_a_module_of_anybody'"


@pytest.mark.parametrize("name", ["my plugin", "a/b", "a:b"])
def test_a_name_that_could_not_be_written_in_a_recipe(install, name):
    install(GOOD.format(name="x"), plugin=name, distribution="odd")
    found = row(load_plugins(), name)
    assert found.status == "broken"
    assert "has to be letters, digits" in found.reason


def test_two_plugins_of_one_name_are_told_apart_by_distribution(install):
    install(GOOD.format(name="x"), plugin="twin", distribution="first")
    install(GOOD.format(name="y"), plugin="twin", distribution="second")
    registry = load_plugins()
    assert row(registry, "twin", "first").status == "ok"
    assert row(registry, "twin", "second").status == "broken"
    assert row(registry, "twin", "second").reason == (
        "the name is taken by first 1.2; --no-plugin first leaves that one out"
    )
    other = load_plugins(disable=["first"])
    assert row(other, "twin", "first").status == "disabled"
    assert row(other, "twin", "second").status == "ok"


@pytest.mark.parametrize("name", ["mine", "mine-dist"])
def test_a_plugin_is_left_out_by_its_name_or_its_distributions(install, monkeypatch, name):
    module = install("raise RuntimeError")
    assert row(load_plugins(disable=[name]), "mine").status == "disabled"
    monkeypatch.setenv("COVIEW_DISABLE_PLUGINS", f" other , {name},")
    registry = load_plugins()
    assert row(registry, "mine").status == "disabled"
    assert row(registry, "core").status == "ok"
    assert module not in sys.modules


def test_what_is_to_be_left_out_has_to_be_there():
    with pytest.raises(CoviewError, match="there is no plugin 'cor' to leave out, did you mean \"core\""):
        load_plugins(disable=["cor"])


def test_without_autoload_only_coviews_own_are_loaded(install, monkeypatch):
    module = install(GOOD.format(name="x"))
    monkeypatch.setenv("COVIEW_PLUGIN_AUTOLOAD", "0")
    registry = load_plugins()
    assert row(registry, "mine").status == "disabled"
    assert row(registry, "mine").reason == "by COVIEW_PLUGIN_AUTOLOAD=0"
    assert row(registry, "core").status == "ok"
    assert module not in sys.modules


def test_a_plugin_that_imports_something_heavy_is_told_so(install, monkeypatch):
    monkeypatch.setattr("coview.plugins.discovery._HEAVY", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    install("import colorsys\n" + GOOD.format(name="x"))
    (warning,) = row(load_plugins(), "mine").warnings
    assert "imports colorsys" in warning


@pytest.mark.parametrize(
    ("source", "warnings"),
    [
        ("", ["it registers no component and has no hook"]),
        (
            "def coview_register(registry): pass",
            ["coview_register lacks @coview.hookimpl, and is not called", "it registers no component and has no hook"],
        ),
        ("import coview\n@coview.hookimpl\ndef coview_run_end(context): pass", []),
        ("import coview\n@coview.hookimpl(specname='coview_run_end')\ndef at_the_end(context): pass", []),
    ],
)
def test_a_plugin_that_does_nothing_is_told_so(install, source, warnings):
    install(source)
    found = row(load_plugins(), "mine")
    assert (found.status, list(found.warnings)) == ("ok", warnings)


def test_what_a_plugin_prints_does_not_get_into_the_output(install, capsys):
    install("print('hello')\n" + GOOD.format(name="x") + "\n    print('world')")
    assert row(load_plugins(), "mine").status == "ok"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\nworld\n"


def test_lifecycle_hooks_are_called_through_the_manager(install):
    install("import coview\nseen = []\n@coview.hookimpl\ndef coview_epoch_end(context): seen.append(context)")
    registry = load_plugins()
    registry.manager.hook.coview_epoch_end(context="the context")
    assert registry.manager.get_plugin("mine").seen == ["the context"]


def test_a_package_that_is_found_twice_counts_once(install, tmp_path, monkeypatch):
    install(GOOD.format(name="x"))
    monkeypatch.syspath_prepend(tmp_path)
    assert row(load_plugins(), "mine").status == "ok"
