"""What components have answered is kept: it is heard again without an import, and never believed when it may be old."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coview.errors import CoviewError
from coview.plugins import answers
from coview.plugins.component import Component, UnknownComponentError
from coview.plugins.plain_values import from_bytes, to_bytes
from coview.plugins.registrar import Registrar
from coview.plugins.registry import Registry
from coview.plugins.status import PluginStatus
from forked import Forked

SHOW = ("plugins", "show", "demo/demo", "--json")

LOSS = '''\
import os

with open(os.environ["LOG"], "a") as log:
    log.write("imported\\n")


class Demo:
    """A loss for tests.

    Args:
        heat: How much of it.
    """

    def __init__(self, *, heat: float = 1.0) -> None:
        self.heat = heat
'''

REGISTER = """\
import coview


@coview.hookimpl
def coview_register(registry):
    registry.loss("demo", "demo_plugin.loss:Demo", summary="for tests")
"""


class Installed:
    """A plugin in a folder of its own that is on the path, and what is shown of it by processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.site, self.cache, self.log = folder / "site", folder / "cache", folder / "log"
        package = self.site / "demo_plugin"
        package.mkdir(parents=True)
        self.loss = package / "loss.py"
        self.loss.write_text(LOSS)
        (package / "__init__.py").write_text(REGISTER)
        self.release("1.0")
        self.settle()

    def release(self, version: str) -> None:
        """Installs it as a version, in place of any other."""
        for old in self.site.glob("*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = self.site / f"demo_plugin-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: demo-plugin\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("[coview]\ndemo = demo_plugin\n")

    def settle(self) -> None:
        """Waits until a file that is written now has another time than those that are there."""
        time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.site), "LOG": str(self.log), "COVIEW_CACHE": str(self.cache)}

    def begin(self, *options: str) -> Forked:
        """Begins to show the loss, in a process forked from one that has imported coview and nothing of the plugin."""
        return Forked(["coview", *SHOW, *options], self.site.parent, environment=self.environment())

    def show(self, *options: str) -> dict[str, object]:
        """The defaults of its parameters by their names."""
        return self.end(self.begin(*options))

    def end(self, begun: Forked) -> dict[str, object]:
        status, out, err = begun.finish()
        assert status == 0, err
        return defaults(out)

    def show_by_a_new_python(self, **variables: str) -> dict[str, object]:
        """The same, by a Python that starts in another environment."""
        code = "from coview.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *SHOW],
            cwd=self.site.parent,
            env={**os.environ, **self.environment(), **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return defaults(done.stdout)

    def imports(self) -> int:
        """How often it has been imported since it was last asked."""
        count = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return count


def defaults(out: str) -> dict[str, object]:
    (page,) = json.loads(out)["components"]
    return {parameter["name"]: parameter["default"] for parameter in page["parameters"]}


@pytest.fixture
def installed(forks: None, tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_a_component_that_is_unchanged_is_imported_once(installed):
    assert installed.show() == {"heat": 1.0}
    assert installed.imports() == 1
    assert installed.show() == {"heat": 1.0}
    assert installed.imports() == 0


def test_a_file_that_was_edited_is_read_again_though_its_size_is_the_same(installed):
    installed.show()
    before = installed.loss.stat()
    installed.loss.write_text(LOSS.replace("heat", "cold"))
    assert installed.loss.stat().st_size == before.st_size
    # by whole seconds Python itself tells whether the code that it compiled is of the file
    os.utime(installed.loss, (before.st_atime - 10, before.st_mtime - 10))
    assert installed.show() == {"cold": 1.0}


def test_a_file_that_was_edited_is_read_again_though_its_time_is_the_same_too(installed):
    installed.show_by_a_new_python()  # another process would be of another environment, as its path is
    before = installed.loss.stat()
    installed.loss.write_text(LOSS.replace("heat", "cold"))
    os.utime(installed.loss, ns=(before.st_atime_ns, before.st_mtime_ns))
    # Python itself would take the code that it compiled before
    other = str(installed.site.parent / "other")
    assert installed.show_by_a_new_python(PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=other) == {"cold": 1.0}


def test_another_version_is_asked_anew(installed):
    installed.show()
    installed.imports()
    installed.release("1.1")
    assert installed.show() == {"heat": 1.0}
    assert installed.imports() == 1


def test_a_module_elsewhere_that_a_component_imports_is_looked_at_too(installed):
    elsewhere = installed.site.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "helper.py").write_text("HEAT = 2.0\n")
    above = f"import sys\nsys.path.append({str(elsewhere)!r})\nfrom helper import HEAT\n"
    installed.loss.write_text(above + LOSS.replace("1.0", "HEAT"))
    installed.settle()
    assert installed.show() == installed.show() == {"heat": 2.0}
    assert installed.imports() == 1
    (elsewhere / "helper.py").write_text("HEAT = 3.0\n")
    assert installed.show() == {"heat": 3.0}


def test_without_the_cache_nothing_is_read_and_nothing_is_written(installed):
    installed.show("--no-cache")
    assert not installed.cache.exists()
    installed.show()
    files = {path: path.read_bytes() for path in installed.cache.iterdir()}
    installed.imports()
    installed.show("--no-cache")
    assert installed.imports() == 1
    assert {path: path.read_bytes() for path in installed.cache.iterdir()} == files


def test_what_is_no_cache_is_passed_over(installed):
    installed.show()
    (file,) = installed.cache.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", b"garbage", whole[:-1], whole[:20] + b"X" + whole[21:], b"\x00" * 64):
        file.write_bytes(damaged)
        installed.imports()
        assert installed.show() == {"heat": 1.0}
        assert installed.imports() == 1
    file.unlink()
    file.mkdir()  # which cannot be replaced by a file
    assert installed.show() == {"heat": 1.0}


def test_a_cache_that_cannot_be_written_is_done_without(installed):
    installed.cache.write_text("a file where the folder should be")
    assert installed.show() == installed.show() == {"heat": 1.0}
    assert installed.imports() == 2
    assert installed.cache.read_text() == "a file where the folder should be"


def test_two_processes_write_at_once(installed):
    begun = [installed.begin() for _ in range(4)]
    assert [installed.end(one) for one in begun] == [{"heat": 1.0}] * 4
    assert len(list(installed.cache.iterdir())) == 1
    installed.imports()
    assert installed.show() == {"heat": 1.0}
    assert installed.imports() == 0


def test_a_file_of_somebody_else_is_not_read(installed, monkeypatch):
    installed.show()
    (file,) = installed.cache.iterdir()
    data = file.read_bytes()[answers._DIGEST :]
    _, state, _, kept = from_bytes(data)
    assert answers._read(file, state)[1] == kept
    monkeypatch.setattr(os, "getuid", lambda: file.stat().st_uid + 1)
    assert answers._read(file, state) == ({}, {})


def test_nothing_but_plain_values_is_written_or_read():
    assert from_bytes(to_bytes((1, 2.5, None, "ä", {"a": [True]}))) == (1, 2.5, None, "ä", {"a": [True]})
    assert to_bytes(Path.cwd) is None
    assert to_bytes(subprocess.Popen) is None
    assert to_bytes(Component) is None


def _refuse_to_load(self):
    raise AssertionError(f"{self.qualified} is imported")


ASKED = """\
from pathlib import Path

from coview.errors import CoviewError


class Reads:
    def __init__(self, *, name="said.txt"):
        self.said = (Path(__file__).parent / name).read_text()


class Imports:
    def __init__(self):
        import colorsys

        self.said = colorsys.__name__


class Refuses:
    def __init__(self, *, how="value"):
        if how == "value":
            raise ValueError("will not do")
        if how == "decode":
            b"\\xff".decode()
        raise CoviewError("fetch it first")


def family(name):
    if name == "none":
        raise LookupError("there is no none")
    return lambda: name
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A registry of components in a file, made anew: with what was answered before, and with the file closed to it."""
    (tmp_path / "asked_here.py").write_text(ASKED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COVIEW_CACHE", str(tmp_path / "cache"))
    time.sleep(0.1)
    components = [
        Component("loss", "reads", "asked", "asked_here:Reads", ""),
        Component("loss", "imports", "asked", "asked_here:Imports", ""),
        Component("loss", "refuses", "asked", "asked_here:Refuses", ""),
        Component("loss", "family", "asked", "asked_here:family", "", is_family=True, example="family:x"),
    ]
    registry = Registry(components, [PluginStatus("asked", "asked", "1", "asked_here", "ok")])

    def anew(*, closed):
        made = registry.remembering()
        if closed:
            monkeypatch.setattr(Component, "load", _refuse_to_load)
        return made

    yield anew
    sys.modules.pop("asked_here", None)


def test_an_answer_for_which_a_file_was_read_is_not_kept(asked, tmp_path):
    registry = asked(closed=False)
    for text in ("before", "after"):
        (tmp_path / "said.txt").write_text(text)
        use = registry.resolve("loss", "reads")
        assert registry.ask(use, "said", {}, lambda factory: factory().said) == text
    registry.answers.save()
    assert not (tmp_path / "cache").exists()


def test_an_answer_for_which_code_was_imported_is_kept(asked, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    registry = asked(closed=False)
    use = registry.resolve("loss", "imports")
    assert registry.ask(use, "said", {}, lambda factory: factory().said) == "colorsys"
    registry.answers.save()
    assert asked(closed=True).ask(use, "said", {}, lambda factory: factory().said) == "colorsys"


def _built(factory):
    return factory() is not None


@pytest.mark.parametrize(("how", "kept"), [("value", True), ("decode", False), ("mend", False)])
def test_what_somebody_can_mend_is_not_kept(asked, how, kept):
    registry = asked(closed=False)
    use = registry.resolve("loss", "refuses")
    with pytest.raises((ValueError, CoviewError)) as first:
        registry.ask(use, "built", {"how": how}, lambda factory: factory(how=how))
    registry.answers.save()
    again = asked(closed=True)
    with pytest.raises((ValueError, CoviewError) if kept else AssertionError) as second:
        again.ask(use, "built", {"how": how}, lambda factory: factory(how=how))
    if kept:
        assert (type(second.value), str(second.value)) == (type(first.value), str(first.value))


def test_a_family_is_asked_for_a_name_once_and_for_a_folder_each_time(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = asked(closed=False)
    uses = [registry.resolve("loss", f"family:{name}") for name in ("some", "other", "./some", "none")]
    for use in uses[:3]:
        assert registry.ask(use, "built", {}, lambda factory: factory()) == use.argument
    with pytest.raises(UnknownComponentError, match="there is no none"):
        registry.ask(uses[3], "built", {}, _built)
    registry.answers.save()
    (tmp_path / "other").mkdir()
    again = asked(closed=True)
    assert again.ask(uses[0], "built", {}, _built) == "some"
    with pytest.raises(UnknownComponentError, match="there is no none"):
        again.ask(uses[3], "built", {}, _built)
    for use in uses[1:3]:
        with pytest.raises(AssertionError, match="is imported"):
            again.ask(use, "built", {}, _built)


def test_a_component_that_is_added_by_hand_is_asked_each_time(asked):
    registry = asked(closed=False)
    assert registry.answers is not None
    assert registry.plus(Registrar("other")).answers is None
