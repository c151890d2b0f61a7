"""Commands that only say something of recipes and components say the same the second time, and import nothing for it."""

from __future__ import annotations

import json

import pytest

from coview.plugins.component import Component

SWEEP = """
[sweep.grid]
"loss.temperature" = [0.1, 0.5]
seed = [0, 1, 2]
"""


def test_the_second_time_torch_is_not_imported(start, write_recipe, small_recipe, tmp_path):
    path = write_recipe(small_recipe + SWEEP)
    cache = {"COVIEW_CACHE": str(tmp_path / "cache")}
    tell = "import atexit, sys\natexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))"
    first = start("recipe", "check", path, before=tell, **cache)
    assert (first.status, first.err) == (0, "True\n")
    commands = [
        ["recipe", "check", path, "--set", "train.steps=8", "--set", "optimizer.lr=0.1"],
        ["recipe", "show", path, "--resolved", "--origin"],
        ["recipe", "diff", path, path],
        ["plugins", "show", "nt_xent"],
        ["compare", path, "--dry-run"],
    ]
    # one after the other in a process: what one of them imports, the line behind it and those that follow say
    others = "".join(
        f"status = _run({[str(word) for word in command]!r}, False)\n"
        f"print({number}, status, 'torch' in sys.modules, file=sys.stderr)\n"
        for number, command in enumerate(commands)
    )
    before = f"import sys\nfrom coview.cli.main import _run\n{others}print('----', flush=True)\n{tell}"
    done = start("recipe", "check", path, before=before, **cache)
    assert (done.status, done.err) == (0, "".join(f"{n} 0 False\n" for n in range(len(commands))) + "False\n")
    assert done.out.split("----\n")[1] == first.out


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """An empty cache for commands in this process."""
    monkeypatch.setenv("COVIEW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _refuse_to_load(self):
    raise AssertionError(f"{self.qualified} is imported")


WRONG = """\
schema = 1
name = "wrong"

[data]
use = "digits"
colour = true

[[augment]]
use = "random_resized_crop"
size = 0

[[augment]]
use = "color_jitter"
on = "worker"
strength = "much"

[encoder]
use = "resnet18"
stem = "smal"

[loss]
use = "nt_xent"
temperature = -1
prefixes = [4, 4]

[optimizer]
use = "adamw"
lr = "fast"

[train]
steps = 10
batch_size = 1

[[evaluate]]
use = "knn"
k = 0

[[evaluate]]
use = "knm"
"""


def test_mistakes_read_the_same_with_and_without_the_cache(call, write_recipe, cached, monkeypatch):
    path = write_recipe(WRONG)
    anew = call("recipe", "check", path, "--no-cache")
    first = call("recipe", "check", path)
    monkeypatch.setattr(Component, "load", _refuse_to_load)
    second = call("recipe", "check", path)
    assert anew.status == 2
    assert anew.err.count("\n") == 8
    assert anew.err == first.err == second.err


def test_what_a_constructor_refuses_reads_the_same(call, write_recipe, small_recipe, cached, monkeypatch):
    path = write_recipe(small_recipe.replace("size = 8", "size = 8\nscale = [0.9, 0.1]"))
    anew = call("recipe", "check", path, "--no-cache")
    call("recipe", "check", path)
    monkeypatch.setattr(Component, "load", _refuse_to_load)
    again = call("recipe", "check", path)
    assert (anew.status, again.status) == (2, 2)
    assert "scale has to be [smallest, largest], got [0.9, 0.1]" in anew.err
    assert anew.err == again.err


def test_the_schema_is_made_once(call, cached, monkeypatch, tmp_path):
    first = call("recipe", "schema")
    monkeypatch.setattr(Component, "load", _refuse_to_load)
    assert call("recipe", "schema").out == first.out
    assert call("recipe", "schema", "--out", tmp_path / "schema.json").status == 0
    assert json.loads((tmp_path / "schema.json").read_text()) == json.loads(first.out)
