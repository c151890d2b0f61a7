"""Shared fixtures. Whole runs in here are small: digits, a narrow ResNet, a few steps."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import coview
from coview.cli.main import _run
from forked import Forked, run_server

# several processes share the cores: threads that wait for each other in each of them would stall all; before torch
os.environ.setdefault("OMP_NUM_THREADS", "1")
# librosa has numba compile for half a minute what the tests call once
os.environ.setdefault("NUMBA_OPT", "0")

# the first example imports what the later ones use, and CI's machines are slow: time says nothing here
settings.register_profile("coview", deadline=None, derandomize=True)
settings.load_profile("coview")

RECIPES = Path(__file__).resolve().parents[1] / "recipes"

SMALL = """\
schema = 1
name = "small"
seed = 3

[data]
use = "digits"
workers = 0

[[augment]]
use = "random_resized_crop"
size = 8

[encoder]
use = "resnet18"
stem = "small"
width = 8

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 6
batch_size = 32
precision = "fp32"
device = "cpu"
log_every = 2
checkpoint_every = 3

[[evaluate]]
use = "knn"
k = 5
"""


def pytest_configure(config):
    """What components answer to commands is kept for this session's tests alone; xdist's processes share it. What tests
    interrupt can be interrupted, also where they are run in the background, which ignores SIGINT."""
    atexit.register(gc.freeze)  # Python would take apart all that has been imported, for seconds
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="coview-answers-")
        os.environ["COVIEW_CACHE"] = folder.name
        config.add_cleanup(folder.cleanup)


@pytest.fixture(scope="session")
def registry() -> coview.Registry:
    """Every installed plugin."""
    return coview.load_plugins()


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe file into the test's folder; without text the small one."""

    def write(text: str = SMALL, name: str = "recipe.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def small_recipe() -> str:
    """A recipe whose run takes seconds."""
    return SMALL


@pytest.fixture(scope="session")
def small_run(registry, tmp_path_factory) -> coview.Run:
    """The small recipe's run, made once: who writes into its folder takes a copy."""
    folder = tmp_path_factory.mktemp("small_run")
    (folder / "recipe.toml").write_text(SMALL, encoding="utf-8")
    recipe = coview.load_recipe(folder / "recipe.toml", registry=registry)
    return coview.run(recipe, folder / "runs", registry=registry, quiet=True)


@pytest.fixture
def own_run(small_run, tmp_path) -> coview.Run:
    """A copy of the small recipe's run, links kept."""
    path = tmp_path / "runs" / "small" / small_run.path.name
    shutil.copytree(small_run.path, path, symlinks=True)
    return coview.load_run(path, registry=small_run.registry)


@dataclass
class Done:
    """What a call of the command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Calls the command in this process, in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, debug=False):
        capsys.readouterr()
        status = _run([str(argument) for argument in arguments], debug)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return call


@pytest.fixture
def start(tmp_path):
    """Calls the command in a process of its own: for exit status, streams and what gets imported."""

    def start(*arguments, before="", stdout=subprocess.PIPE, **environment):
        code = f"{before}\nfrom coview.cli.main import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Done(done.returncode, done.stdout or "", done.stderr)

    return start


@pytest.fixture(scope="session")
def forks():
    """Processes can be forked from one that has imported what commands import."""
    run_server()


@pytest.fixture
def fork_command(forks, tmp_path):
    """Like start, and quicker: calls the command in a process forked from one that has imported what commands import."""

    def fork_command(*arguments, before="", **environment):
        return Done(
            *Forked(["coview", *map(str, arguments)], tmp_path, before=before, environment=environment).finish()
        )

    return fork_command


TOPICS = {"sea": "wave ship sail storm fish harbour tide", "kitchen": "pan bread oven salt soup knife butter"}


@pytest.fixture
def two_topics(tmp_path: Path) -> Path:
    """A table of sixty texts, in the columns text and kind."""
    lines = ["text,kind"]
    for number in range(60):
        kind = ("sea", "kitchen")[number % 2]
        words = TOPICS[kind].split()
        lines.append(" ".join(words[(number * k) % 7] for k in range(1, 7)) + f" number{number},{kind}")
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    return tmp_path / "texts.csv"


def pytest_collectstart():
    """A fifth of the time to import and collect all would be spent on looking for garbage."""
    gc.disable()


def pytest_collection_finish():
    """What is imported and collected stays to the end: no collection of garbage has to look at it any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # garbage in cycles is rare: looking for it after each 700 objects took a 25th
    gc.enable()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture
def gpu():
    """The CUDA device, for what is marked gpu."""
    import torch

    return torch.device("cuda")


@pytest.fixture
def no_waiting(gpu):
    """To be called with whether what follows may start work on the device, but never wait for it."""
    import torch

    def switch(on):
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error" if on else "default")

    yield switch
    torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def answer_of_ranks(forks, tmp_path: Path) -> Callable[[Callable[..., None], int], Any]:
    """Runs ``work(rank, ranks, address, answers)`` in processes of their own, and gives what one of them answers."""

    def run(work: Callable[..., None], ranks: int) -> Any:
        import torch  # most tests need none of its processes

        answers = torch.multiprocessing.get_context("forkserver").SimpleQueue()
        arguments = (ranks, str(tmp_path / "meeting"), answers)
        running = torch.multiprocessing.start_processes(work, arguments, ranks, join=False, start_method="forkserver")
        assert running is not None
        while not running.join(timeout=0.1):
            if not answers.empty():
                break
        found = answers.get()
        while not running.join():
            pass
        return found

    return run
