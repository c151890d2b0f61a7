"""Plugins as strangers ship them: wheels, installed by pip.

One of them does all that a first-party plugin can, and a recipe runs on nothing but it; the others are broken, each in
its own way, and hurt nobody but the recipe that needs them.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

REGISTER = """\
import coview

@coview.hookimpl
def coview_register(registry):
    registry.loss("{loss}", "coview_of_a_stranger.parts:Pull", summary="from {{}}".format(__name__))
"""

STRANGER = """\
import json
from pathlib import Path

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    for modality in ("point", "curve"):
        registry.modality(modality, f"{__name__}.parts:Vectors", summary="vectors")
        registry.encoder("linear", f"{__name__}.parts:Linear", modality=modality, summary="a linear map")
    registry.dataset("pairs", f"{__name__}.parts:Pairs", summary="a point and a curve of one cause")
    registry.augmentation("jitter", f"{__name__}.parts:Jitter", modality="point", summary="noise")
    registry.projector("scaled", f"{__name__}.parts:Scaled", summary="a number for all")
    registry.loss("pull", f"{__name__}.parts:Pull", summary="mean squared distance, and spread", source="none")
    registry.evaluator("nearest_mean", f"{__name__}.parts:NearestMean", summary="accuracy of the nearest class mean")
    registry.family("augmentation", "stranger", f"{__name__}.parts:family", summary="any", example="stranger:shift",
                    modality="curve")


class Diary:
    path: Path


def note(line, path=None):
    with ((path or Diary.path) / "diary.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\\n")


@coview.hookimpl
def coview_run_start(context):
    Diary.path = context.path
    note(["start", context.recipe["name"], context.total_steps, context.resumed_at])


@coview.hookimpl
def coview_step_end(context):
    note(["step", context.step, context.epoch, "distance" in context.metrics])


@coview.hookimpl
def coview_epoch_end(context):
    note(["epoch", context.step, context.epoch])


@coview.hookimpl
def coview_evaluated(context):
    note(["evaluated", [[result.kind, result.metric, result.n] for result in context.results]], context.path)


@coview.hookimpl
def coview_run_end(context):
    note(["end", context.status])
"""

PARTS = '''\
"""What the plugin registers; imported when a recipe needs it."""

import math
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import nn

from coview import CoviewError, Encoding, Needs, Result, Sample


class Vectors:
    """Vectors of one length.

    Args:
        scale: What they are divided by.
    """

    def __init__(self, scale: Annotated[float, Gt(0)] = 1.0):
        self.scale = scale

    def collate(self, values):
        if len({len(value) for value in values}) > 1:
            raise CoviewError("vectors of different lengths")
        return torch.from_numpy(np.stack(values)).float() / self.scale

    def describe(self, value):
        return f"{len(value)} numbers"

    def fit_raw(self, values):
        return lambda values: np.stack(values).astype(np.float32)

    def preview(self, writer, tag, rows, step):
        writer.add_text(tag, repr(rows), step)

    def to_html(self, value):
        return f"<code>{[round(float(x), 2) for x in value]}</code>"


class Pairs:
    """Two views of one of two causes.

    Args:
        size: How many.
    """

    splits = ("train", "test")
    modalities = ("point", "curve")
    classes = ("left", "right")
    citation, licence, version = "none", "CC0", "1"

    def __init__(self, split: Literal["train", "test"], size: Annotated[int, Ge(2)] = 64):
        rng = np.random.default_rng(split == "test")
        self.labels = np.arange(size) % 2
        means = self.labels[:, None] * 6.0 - 3.0
        self.points = means + rng.normal(size=(size, 3))
        self.curves = means + rng.normal(size=(size, 5))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        values = {"point": self.points[index], "curve": self.curves[index]}
        return Sample(values, id=index, label=int(self.labels[index]))


class Jitter:
    """Adds noise.

    Args:
        sigma: How much.
    """

    def __init__(self, sigma: Annotated[float, Ge(0)] = 0.1):
        self.sigma = sigma

    def __call__(self, value, rng):
        return value + rng.numpy.normal(size=value.shape) * self.sigma


def family(name):
    if name != "shift":
        raise LookupError(f'there is no "{name}", did you mean "shift"?')

    class Shift:
        def __init__(self, by: float = 0.0):
            self.by = by

        def __call__(self, value, rng):
            return value + self.by

    return Shift


class Linear(nn.Module):
    """A linear map.

    Args:
        inputs: Length of the vectors.
        width: Numbers that come out.
    """

    def __init__(self, inputs: Annotated[int, Ge(1)], width: Annotated[int, Ge(1)] = 4):
        super().__init__()
        self.width = width
        self.map = nn.Linear(inputs, width)

    def forward(self, batch):
        return Encoding(self.map(batch))


class Scaled(nn.Module):
    """Multiplies by one number, which is learnt."""

    def __init__(self, in_width: int):
        super().__init__()
        self.width = in_width
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return x * self.factor


class Pull(nn.Module):
    """Pulls the views of a sample together, and holds the spread at one.

    Args:
        strength: Of the spread.
    """

    needs = Needs(views=2, smallest_batch=2)

    def __init__(self, strength: Annotated[float, Ge(0)] = 1.0):
        super().__init__()
        self.strength = strength

    def forward(self, views):
        assert views.modalities == ("point", "point", "curve")
        distance = (views.student - views.student.mean(0)).square().mean()
        spread = (views.student.std(1) - 1).square().mean()
        return {"loss": distance + self.strength * spread, "distance": distance}


class NearestMean:
    """Accuracy of the nearest class mean."""

    splits = ("train", "test")
    labels = "class"

    def __call__(self, features, rng):
        train, test = features["train"], features["test"]
        means = torch.stack([train.x_ND[train.labels_N == c].mean(0) for c in range(len(features.classes))])
        right = torch.cdist(test.x_ND, means).argmin(1) == test.labels_N
        accuracy, n = right.double().mean().item(), len(test)
        half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / n)
        return [Result("accuracy", accuracy, accuracy - half, accuracy + half, n, "test", {"metric": "euclidean"})]
'''

RECIPE = """\
schema = 1
name = "of-a-stranger"

[data]
use = "pairs"
size = 32
views = {point = 2, curve = 1}
workers = 0

[modality.curve]
scale = 2

[[augment.point]]
use = "jitter"
sigma = 0.2

[[augment.curve]]
use = "stranger:shift"
by = 0.5

[encoder.point]
use = "stranger/linear"
inputs = 3

[encoder.curve]
use = "linear"
inputs = 5

[projector.point]
use = "scaled"

[projector.curve]
use = "identity"

[loss]
use = "pull"
strength = 0.5

[train]
epochs = 2
batch_size = 16
lr = 0.1
device = "cpu"
precision = "fp32"
log_every = 2

[[evaluate]]
use = "nearest_mean"
"""

PACKAGES = {
    # distribution: (entry point's name, module, its source)
    "coview-of-a-stranger": ("stranger", "coview_of_a_stranger", STRANGER),
    "coview-raises": ("raises", "coview_raises", "raise RuntimeError('boom')"),
    "coview-misspelt": ("misspelt", "coview_misspelt", REGISTER.format(loss="m").replace("coview_reg", "coview_rge")),
    "coview-clash-one": ("clash_one", "coview_clash_one", REGISTER.format(loss="clash")),
    "coview-clash-two": ("clash_two", "coview_clash_two", REGISTER.format(loss="clash")),
    "coview-twin-one": ("twin", "coview_twin_one", REGISTER.format(loss="twin_one")),
    "coview-twin-two": ("twin", "coview_twin_two", REGISTER.format(loss="twin_two")),
    "coview-future": ("future", "coview_future", "coview_api = 99\n" + REGISTER.format(loss="later")),
    "coview-heavy": ("heavy", "coview_heavy", "import torch\n" + REGISTER.format(loss="heavy")),
    "coview-exits": ("exits", "coview_exits", "import sys\nsys.exit(7)"),
}

BUILD = """
import os, sys
from hatchling.build import build_wheel
for folder in sys.argv[2:]:
    os.chdir(folder)
    build_wheel(sys.argv[1])
"""


def write_sources(root, distribution):
    name, module, source = PACKAGES[distribution]
    package = root / distribution / module
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source)
    if distribution == "coview-of-a-stranger":
        (package / "parts.py").write_text(PARTS)
    (root / distribution / "pyproject.toml").write_text(f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "3.1"
dependencies = ["coview"]

[project.entry-points.coview]
{name} = "{module}"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
""")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed the wheels."""
    root = tmp_path_factory.mktemp("strangers")
    for distribution in PACKAGES:
        write_sources(root, distribution)
    wheels, target = root / "wheels", root / "installed"
    folders = [root / distribution for distribution in PACKAGES]
    subprocess.run([sys.executable, "-c", BUILD, wheels, *folders], check=True, capture_output=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", target, *sorted(wheels.glob("*.whl"))], check=True, capture_output=True)
    return target


@pytest.fixture
def start_coview(start, installed, monkeypatch):
    """Calls the command in a process that sees them; whatever it may say to a person is checked for tracebacks."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]))
    for name in ("COVIEW_DISABLE_PLUGINS", "COVIEW_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)

    def start_coview(*arguments):
        done = start(*arguments)
        assert "Traceback" not in done.err, done.err
        return done

    return start_coview


@pytest.fixture
def run_coview(call, installed, monkeypatch):
    """Calls the command in this process, which then sees them."""
    monkeypatch.syspath_prepend(installed)
    for name in ("COVIEW_DISABLE_PLUGINS", "COVIEW_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)

    def run_coview(*arguments):
        done = call(*arguments)
        assert "Traceback" not in done.err, done.err
        return done

    return run_coview


def test_the_list_names_each_with_what_became_of_it(start_coview):
    done = start_coview("plugins", "list", "--json")
    assert done.status == 0
    listed = json.loads(done.out)
    rows = {plugin["distribution"]: plugin for plugin in listed["plugins"] if plugin["distribution"] != "coview"}
    assert set(rows) >= set(PACKAGES)
    assert {name: (rows[name]["status"], rows[name]["reason"]) for name in PACKAGES} == {
        "coview-of-a-stranger": ("ok", ""),
        "coview-raises": ("broken", "RuntimeError: boom"),
        "coview-misspelt": ("broken", 'TypeError: unknown hook coview_rgeister, did you mean "coview_register"?'),
        "coview-clash-one": ("ok", ""),
        "coview-clash-two": ("ok", ""),
        "coview-twin-one": ("ok", ""),
        "coview-twin-two": (
            "broken",
            "the name is taken by coview-twin-one 3.1; --no-plugin coview-twin-one leaves that one out",
        ),
        "coview-future": ("incompatible", "it was written for interface 99, this coview has 1: update coview"),
        "coview-heavy": ("ok", ""),
        "coview-exits": ("broken", "SystemExit: 7"),
    }
    assert [name for name in PACKAGES if rows[name]["warnings"]] == ["coview-heavy"]
    assert "importing coview_heavy imports torch" in rows["coview-heavy"]["warnings"][0]
    assert {row["version"] for name, row in rows.items() if name in PACKAGES} == {"3.1"}
    assert {plugin["name"] for plugin in listed["plugins"] if plugin["distribution"] == "coview"} >= {"core"}


def test_the_list_is_readable(start_coview):
    lines = start_coview("plugins", "list").out.splitlines()
    at = lines.index("raises  broken  (coview-raises 3.1, coview_raises)")
    assert lines[at + 1] == "  RuntimeError: boom"
    assert "  warning: importing coview_heavy imports torch" in "\n".join(lines)


def test_showing_a_broken_plugin_shows_where_it_broke(run_coview):
    done = run_coview("plugins", "show", "raises")
    assert done.status == 0
    assert "raise RuntimeError('boom')" in done.out


def test_only_the_recipes_that_need_a_broken_one_fail(run_coview, tmp_path):
    says = {
        "raises/x": 'loss.use: "raises/x": the plugin "raises" is broken: RuntimeError: boom',
        "misspelt/m": 'the plugin "misspelt" is broken: TypeError: unknown hook coview_rgeister',
        "exits/x": 'the plugin "exits" is broken: SystemExit: 7',
        "future/later": 'the plugin "future" is incompatible: it was written for interface 99',
        "clash": '"clash" is ambiguous: write "clash_one/clash" or "clash_two/clash"',
        "twin_two": 'unknown loss "twin_two", did you mean "twin_one"?',
        "pull": "",
        "clash_two/clash": "",
    }
    paths = []
    for index, loss in enumerate(says):
        paths.append(f"{index}.toml")
        (tmp_path / paths[-1]).write_text(RECIPE.replace('"pull"', f'"{loss}"'))
    done = run_coview("recipe", "check", *paths)
    assert done.status == 2
    errors = {line.removeprefix("error: ").split(":")[0]: line for line in done.err.splitlines()}
    assert [says in errors.get(path, "") for path, says in zip(paths, says.values(), strict=True)] == [True] * len(
        paths
    )
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["6.toml", "7.toml"]


def test_a_plugin_can_be_left_out(run_coview, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    done = run_coview("--no-plugin", "stranger", "recipe", "check", "r.toml", "--set", "loss.use=stranger/pull")
    assert done.status == 2
    assert 'the plugin "stranger" is disabled: by --no-plugin' in done.err
    twin = ["recipe", "check", "r.toml", "--set", "loss.use=twin_two"]
    assert run_coview("--no-plugin", "coview-twin-one", *twin).status == 0


def test_a_stranger_can_do_all_that_coviews_own_plugins_can(start_coview, run_coview, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    done = start_coview("run", "r.toml", "--out", "runs")
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "of-a-stranger").iterdir()
    results = json.loads((run / "results.json").read_text())
    assert results["dataset"] == {"name": "pairs", "version": "1", "licence": "CC0", "citation": "none"}
    found = {row["kind"]: row for row in results["results"]}
    assert set(found) == {"pretrained", "untrained", "raw"}
    assert found["raw"]["value"] > 0.9
    assert found["pretrained"]["value"] > 0.9
    assert {row["evaluator"] for row in found.values()} == {"nearest_mean"}
    diary = [json.loads(line) for line in (run / "diary.jsonl").read_text().splitlines()]
    assert diary == [
        ["start", "of-a-stranger", 4, 0],
        ["step", 1, 0, diary[1][3]],
        ["step", 2, 0, True],
        ["epoch", 2, 0],
        ["step", 3, 1, False],
        ["step", 4, 1, True],
        ["epoch", 4, 1],
        *(["evaluated", [[kind, "accuracy", 32]]] for kind in ("pretrained", "untrained", "raw")),
        ["end", "done"],
    ]
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("distance" in row for row in metrics)
    assert "stranger" in json.loads((run / "environment.json").read_text())["plugins"]
    again = json.loads(run_coview("evaluate", str(run), "--json").out)
    assert [row["value"] for row in again] == [row["value"] for row in results["results"]]
    assert len((run / "diary.jsonl").read_text().splitlines()) == len(diary) + 3
    done = run_coview("embed", str(run), "test", "--out", "x.npy")
    assert done.status == 0, done.err
    assert done.out == "x.npy: 32 × 4\n"


def test_its_page_is_as_good_as_any(run_coview):
    page = run_coview("plugins", "show", "stranger/linear").out
    assert page.count("encoder stranger/linear: a linear map") == 2
    assert "  inputs  int ≥ 1  (required)\n      Length of the vectors.\n" in page
    schema = json.loads(run_coview("recipe", "schema").out)
    assert "stranger/linear" in json.dumps(schema["$defs"]["encoder"])
