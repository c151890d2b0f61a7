"""New plugins: each is a package that works as it was written, whatever its kind."""

import importlib
import os
import re
import subprocess
import sys
import tomllib

import pytest

import coview
from coview.recipe.load import load_recipe
from coview.scaffold.kinds import scaffold_kinds
from coview.scaffold.package import new_package
from wheels import install_wheels

KINDS = [(kind, modality) for kind, of in scaffold_kinds().items() for modality in of or [""]]


def name_of(kind, modality):
    return "-".join(filter(None, ["my", kind, modality]))


def test_there_is_a_template_for_every_kind_that_a_plugin_registers():
    kinds = {name for name in vars(coview.Registrar) if not name.startswith("_")} - {"family", "components"}
    assert set(scaffold_kinds()) == kinds


@pytest.mark.parametrize(("kind", "modality"), KINDS)
def test_it_registers_what_its_recipe_names(kind, modality, registry, tmp_path, monkeypatch):
    folder, files = new_package(name_of(kind, modality), kind, tmp_path, modality=modality)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    named = re.findall(r"^\| `([^`]+)`", (folder / "README.md").read_text(), re.MULTILINE)
    assert len(named) > 2
    assert set(named) <= set(map(str, files))
    ((plugin, module),) = project["entry-points"]["coview"].items()
    monkeypatch.syspath_prepend(folder)
    registrar = coview.Registrar(plugin)
    importlib.import_module(module).coview_register(registrar)
    with_it = registry.plus(registrar)
    assert (kind, plugin) in {(component.kind, component.name) for component in with_it.components}
    if "recipe.toml" in map(str, files):
        recipe = load_recipe(folder / "recipe.toml", with_it)
        assert plugin in (folder / "recipe.toml").read_text()
        assert recipe.train.steps == 20
    else:
        assert kind == "resource"


@pytest.mark.slow
def test_its_wheel_is_installed_and_its_tests_and_recipe_run(tmp_path):
    """All at once, in a process of their own: what a stranger does with each."""
    folders = [new_package(name_of(*one), one[0], tmp_path / "src", modality=one[1])[0] for one in KINDS]
    target = install_wheels(folders, tmp_path)
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([*ruff, *command], cwd=tmp_path / "src", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def run(*command, cwd):
        return subprocess.run(
            [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True
        )

    tests = run("pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *map(str, folders), cwd=tmp_path)
    assert tests.returncode == 0, tests.stdout[-4000:]
    for folder in folders:
        if (folder / "recipe.toml").exists():
            done = run("coview", "run", "recipe.toml", "--out", str(tmp_path / "runs"), cwd=folder)
            assert done.returncode == 0, done.stderr[-2000:]
            assert "report" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hinge", "--kind", "los"], 'there is no template for a "los", did you mean "loss"?'),
        (["hinge", "--kind", "encoder"], "a new encoder is for one modality: say which by --modality"),
        (["hinge", "--kind", "encoder", "--modality", "imag"], 'did you mean "image"?'),
        (["hinge", "--kind", "loss", "--modality", "image"], "a new loss has no modality"),
        (["9lives", "--kind", "loss"], '"9lives" cannot be the name of a plugin'),
        (["class", "--kind", "loss"], '"class" cannot be the name of a plugin'),
        (["../up", "--kind", "loss"], '"../up" cannot be the name of a plugin'),
        (["Hinge", "--kind", "loss"], '"Hinge" cannot be the name of a plugin'),
        (["there", "--kind", "loss"], "is there already"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(arguments, said, call, tmp_path):
    (tmp_path / "coview-there").mkdir()
    done = call("plugins", "new", *arguments, "--out", str(tmp_path))
    assert done.status == 2
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["coview-there"]


def test_the_command_says_what_it_wrote_and_what_follows(call, tmp_path):
    done = call("plugins", "new", "coview-word-swap", "--kind", "augmentation", "--modality", "text", "--out", tmp_path)
    assert done.status == 0
    folder = tmp_path / "coview-word-swap"
    written = [line for line in done.out.splitlines() if line.startswith(str(tmp_path))]
    assert sorted(written) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert "coview run recipe.toml" in done.out
