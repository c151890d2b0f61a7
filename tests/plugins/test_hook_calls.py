"""What a lifecycle hook does wrong is said with the names of plugin and hook, and costs no run."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

import coview
from coview.plugins.hook_calls import HookCalls
from coview.plugins.lifecycle import EpochEnd
from coview.plugins.registry import Registry


def registry_of(**plugins):
    """A registry whose plugins have one hook each: ``coview_epoch_end``."""
    registry = Registry()
    for name, hook in plugins.items():
        plugin = ModuleType(name)
        plugin.coview_epoch_end = coview.hookimpl(hook)
        registry.manager.register(plugin, name=name)
    return registry


def test_every_plugin_is_called_and_one_that_fails_is_named_once_and_called_no_more():
    seen, said = [], []

    def good(context):
        seen.append(context.step)

    def bad(context):
        seen.append("bad")
        raise ZeroDivisionError("of the hook")

    calls = HookCalls(registry_of(first=good, wrong=bad, last=good), said.append)
    for step in (1, 2):
        calls("coview_epoch_end", EpochEnd(step, 0))
    assert [entry for entry in seen if entry != "bad"] == [1, 1, 2, 2]
    assert seen.count("bad") == 1
    (sentence,) = said
    assert sentence.startswith(
        'warning: the hook coview_epoch_end of plugin "wrong" failed, and is not called again in this run: '
        "ZeroDivisionError: of the hook"
    )
    assert "test_hook_calls.py:" in sentence


def test_one_that_refuses_is_named_in_the_error():
    def refuse(context):
        raise coview.CoviewError("nobody is logged in", hint="tracker login")

    with pytest.raises(coview.CoviewError) as found:
        HookCalls(registry_of(tracker=refuse), print)("coview_epoch_end", EpochEnd(1, 0))
    assert str(found.value) == ('the hook coview_epoch_end of plugin "tracker": nobody is logged in\n  tracker login')


@pytest.mark.parametrize("stops", [KeyboardInterrupt, SystemExit])
def test_one_that_stops_asks_where_a_stop_can_be_asked_for_and_elsewhere_goes_on(stops):
    def stop(context):
        raise stops

    calls, asked = HookCalls(registry_of(early=stop), print), []
    with calls.stopping_by(asked.append):
        calls("coview_epoch_end", EpochEnd(1, 0))
    assert asked == [f'{stops.__name__} in the hook coview_epoch_end of plugin "early"']
    with pytest.raises(stops):
        calls("coview_epoch_end", EpochEnd(1, 0))


def test_a_hook_needs_no_argument_and_no_plugin_is_needed():
    seen = []
    HookCalls(registry_of(plain=lambda: seen.append(1)), print)("coview_epoch_end", EpochEnd(1, 0))
    HookCalls(Registry(), print)("coview_epoch_end", EpochEnd(1, 0))
    assert seen == [1]


# ---- in a run ----------------------------------------------------------------------------------------------------------

PLUGIN = """
import coview

@coview.hookimpl
def coview_{hook}(context):
    if getattr(context, "step", 3) in (3, None):  # an evaluation of the latest checkpoint names no step
        raise {error}
"""


@pytest.fixture
def run_with(install, start, write_recipe, small_recipe, tmp_path):
    """Runs the small recipe in a process of its own, with a plugin that has one hook."""

    def run_with(hook, error, *more):
        path = install(PLUGIN.format(hook=hook, error=error))
        recipe = write_recipe(
            small_recipe.split("[[evaluate]]")[0].replace("checkpoint_every = 3", "checkpoint_every = 6")
        )
        done = start("run", recipe, *more, PYTHONPATH=str(path))
        return done, next((tmp_path / "runs" / "small").iterdir())

    return run_with


@pytest.fixture
def install(tmp_path):
    """Puts a plugin on the path of another process."""

    def install(source):
        path = tmp_path / "site"
        info = path / "hooked-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hooked\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[coview]\nhooked = hooked_plugin\n")
        (path / "hooked_plugin.py").write_text(source)
        return path

    return install


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["step_end", "run_start"])
def test_a_keyboard_interrupt_in_a_hook_leaves_a_checkpoint(run_with, hook):
    done, folder = run_with(hook, "KeyboardInterrupt")
    assert done.status == 130, done.err
    step = 3 if hook == "step_end" else 1
    assert f'stopped by KeyboardInterrupt in the hook coview_{hook} of plugin "hooked" after step {step}' in done.err
    assert (folder / "checkpoints" / f"step-{step}").is_dir()
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_a_hook_that_fails_ends_no_run(run_with):
    done, folder = run_with("step_end", "OSError(28, 'No space left on device')")
    assert done.status == 0, done.err
    assert done.err.count('the hook coview_step_end of plugin "hooked" failed') == 1
    assert json.loads((folder / "environment.json").read_text())["finished"]


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["step_end", "epoch_end"])
def test_a_hook_that_refuses_leaves_a_checkpoint_of_the_last_step(run_with, hook):
    done, folder = run_with(hook, "coview.CoviewError('enough')", "--set", "train.batch_size=479")
    assert done.status == 2
    assert f'error: the hook coview_{hook} of plugin "hooked": enough; a checkpoint of step 3 is written' in done.err
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best", "last", "step-3"]


@pytest.mark.slow
def test_a_hook_that_refuses_after_an_evaluator_costs_no_numbers(install, start, write_recipe, small_recipe, tmp_path):
    path = install(PLUGIN.format(hook="evaluated", error="coview.CoviewError('no tracker')"))
    done = start("run", write_recipe(small_recipe), PYTHONPATH=str(path))
    assert done.status == 2, done.err
    assert 'error: the hook coview_evaluated of plugin "hooked": no tracker' in done.err
    assert "is left out" not in done.err
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    results = json.loads((folder / "results.json").read_text())["results"]
    assert {result["kind"] for result in results} == {"pretrained", "untrained", "raw"}


CRASHING = """
import coview

@coview.hookimpl
def coview_register(registry):
    registry.evaluator("crash", "hooked_plugin:Crash", summary="raises")

class Crash:
    splits = ("test",)
    labels = None

    def __call__(self, features, rng):
        return 1 / 0
"""


@pytest.mark.slow
def test_an_evaluator_with_a_bug_is_named_and_costs_no_others_numbers(
    install, start, write_recipe, small_recipe, tmp_path
):
    path = install(CRASHING)
    recipe = write_recipe(small_recipe + '\n[[evaluate]]\nuse = "crash"\n')
    done = start("run", recipe, PYTHONPATH=str(path))
    assert done.status == 1, done.err
    assert "warning: crash failed: ZeroDivisionError: division by zero" in done.err
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    assert f"coview evaluate runs/small/{folder.name} tries all of them again" in done.err
    results = json.loads((folder / "results.json").read_text())
    assert results["results"]
    assert "crash" not in {result["evaluator"] for result in results["results"]}
