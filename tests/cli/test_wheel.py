"""The wheel, installed and used outside the checkout: the recipes are in it, and a run works."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import coview
from conftest import RECIPES

pytestmark = pytest.mark.slow

CHECKOUT = RECIPES.parent

BUILD = """
import os, sys
from hatchling.build import build_wheel
os.chdir(sys.argv[1])
build_wheel(sys.argv[2])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, CHECKOUT, folder], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The ``coview`` script of a new environment with the wheel in it, which sees this one's other packages."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    python = root / "venv" / "bin" / "python"
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([python, "-c", place], check=True, capture_output=True, text=True).stdout.strip())
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    # as lines of paths only, so that no .pth file in them is read: an editable coview among them stays unseen
    others = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()])
    (packages / "others.pth").write_text("".join(f"{folder}\n" for folder in others))
    return root / "venv" / "bin" / "coview"


@pytest.fixture
def run_coview(installed, tmp_path):
    """Calls the installed script in a folder outside the checkout."""
    hidden = ("PYTHONPATH", "COVIEW_DISABLE_PLUGINS", "COVIEW_PLUGIN_AUTOLOAD")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}

    def run_coview(*arguments):
        done = subprocess.run([installed, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_coview


def test_what_is_in_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    plugins = {path.name for path in (CHECKOUT / "plugins").iterdir() if (path / "__init__.py").is_file()}
    assert tops == {"coview", *plugins, f"coview-{coview.__version__}.dist-info"}
    shipped = {name.removeprefix("coview/_recipes/") for name in names if name.startswith("coview/_recipes/")}
    assert shipped == {path.relative_to(RECIPES).as_posix() for path in RECIPES.rglob("*") if path.is_file()}
    assert {"coview/py.typed", "coview/experiment/report/report.html.j2"} <= set(names)
    assert [name for name in names if name.endswith(".pyc")] == []


def test_it_is_the_wheel_that_is_used_and_it_works(run_coview, installed, tmp_path):
    plugins = json.loads(run_coview("plugins", "list", "--json"))["plugins"]
    assert {(row["status"], row["distribution"]) for row in plugins} == {("ok", "coview")}
    assert {row["name"] for row in plugins} >= {"core", "image", "losses"}
    where = installed.with_name("python")
    code = "import coview, coview_image; print(coview.__file__, coview_image.__file__)"
    done = subprocess.run([where, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path, env={})
    assert all(str(installed.parents[1]) in path for path in done.stdout.split()), done


def test_the_shipped_recipes_are_listed_and_valid(run_coview):
    listed = json.loads(run_coview("recipe", "list", "--json"))
    files = sorted(
        path for path in RECIPES.rglob("*.toml") if not path.name.startswith("_") and path.parent.name != "published"
    )
    assert len(listed) == len(files) > 3
    assert "quickstart.toml" in run_coview("recipe", "list")
    names = [path.relative_to(RECIPES).with_suffix("").as_posix() for path in files]
    checked = run_coview("recipe", "check", *names).splitlines()
    assert [line.split(" (")[0] for line in checked if not line.startswith("  ")] == [f"{name}: ok" for name in names]


def test_a_shipped_recipe_runs_by_its_name(run_coview, tmp_path):
    sets = ["train.steps=2", "train.device=cpu", "encoder.width=8", 'evaluate=[{use="knn", k=5}]']
    options = [word for text in sets for word in ("--set", text)]
    said = run_coview("run", "quickstart.toml", *options)
    assert "knn accuracy all labels" in said
    (run,) = (tmp_path / "runs" / "quickstart").iterdir()
    assert {row["kind"] for row in json.loads((run / "results.json").read_text())["results"]} == {
        "pretrained", "untrained", "raw",
    }  # fmt: skip
    assert (run / "report.html").is_file()
