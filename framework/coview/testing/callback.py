"""What every callback promises, one check each, and all of them at once. A check yields what is wrong, in words.

A callback is told of a small training that is made up: a model of two layers takes steps, numbers first become better
and then stay as they are.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from coview.data.generators import seeded
from coview.data.same import same
from coview.evaluate.result import Result
from coview.plugins.callback import Callback, EndContext, RunContext, StepContext
from coview.plugins.lifecycle import Status
from coview.testing.conformance import Check, Problems, UnderTest, run_checks
from coview.testing.global_generators import outcomes_by_global_seed

_STEPS, _PER_EPOCH, _BETTER_UNTIL = 16, 4, 4
_LOGGED = ("loss", "lr", "spread")


@dataclass(frozen=True)
class CallbackUnderTest(UnderTest):
    """A callback, by what builds it.

    Attributes:
        factory, parameters: What builds it.
        metrics: Names of numbers that it is told besides what each run logs: with a slash as measured on validation.
    """

    metrics: Sequence[str] = ()


@dataclass
class _Training:
    """A training that is told to a callback, some steps at a time."""

    path: Path
    metrics: Sequence[str]
    model: nn.Module = field(default_factory=lambda: _model())
    step: int = 0
    stops: list[int] = field(default_factory=list)

    def tell(self, callback: Callback, until: int) -> None:
        """The steps from where it is."""
        callback.run_start(RunContext(self.path, _STEPS, self.step, self._get, _recipe(self.metrics)))
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        for step in range(self.step + 1, until + 1):
            optimizer.zero_grad()
            self.model(torch.linspace(-1, 1, 12).reshape(4, 3) * step).square().mean().backward()
            self.step = step
            callback.before_step(self._now({}))
            optimizer.step()
            value = float(min(step, _BETTER_UNTIL))
            logged = dict.fromkeys((*_LOGGED, *(name for name in self.metrics if "/" not in name)), 1 / value)
            if step % _PER_EPOCH == 0:
                callback.curve_point(self._now({name: value for name in self.metrics if "/" in name}))
            if step % 2 == 0 or callback.every_step:
                callback.step_end(self._now(logged if step % 2 == 0 else {}))
            if step % _PER_EPOCH == 0:
                callback.epoch_end(self._now({}))

    def end(self, callback: Callback, status: Status) -> None:
        """However it has ended."""
        stopped = "stopped at step 3 by somebody: for a reason" if status == "stopped" else ""
        results = [
            Result("accuracy", 0.5, 0.4, 0.6, 10, "test", {}, kind=kind, evaluator="knn")
            for kind in ("pretrained", "raw")
        ]
        callback.run_end(EndContext(self.path, _STEPS, self.step, self._get, status, stopped, results))

    def _now(self, metrics: Mapping[str, float]) -> StepContext:
        epoch = (self.step - 1) // _PER_EPOCH
        return StepContext(
            self.path, _STEPS, self.step, self._get, epoch, metrics, lambda reason: self.stops.append(self.step)
        )

    def _get(self) -> nn.Module:
        return self.model


def takes_every_context(tested: CallbackUnderTest) -> Problems:
    """It is a ``coview.Callback``, and all that a run tells it is well with it, however the run ends."""
    if not isinstance(tested.fresh(), Callback):
        yield f"it is a {type(tested.fresh()).__name__}, and not a coview.Callback"
        return
    for status in get_args(Status):
        callback = tested.fresh()
        with _training(tested) as training:
            try:
                callback.check(_recipe(tested.metrics))
                training.tell(callback, _STEPS)
                training.end(callback, status)
            except Exception as error:
                yield f"in a run that ends as {status} it raises {type(error).__name__}: {error}"
                return


def only_looks_at_the_model(tested: CallbackUnderTest) -> Problems:
    """Weights, buffers, gradients and modes are, bit for bit, those of a training that nobody looks at."""
    with _training(tested) as watched, _training(tested) as alone:
        watched.tell(tested.fresh(), _STEPS)
        alone.tell(Callback(), _STEPS)
        without = _seen_of(alone.model)
        for what, seen in _seen_of(watched.model).items():
            if not same(seen, without[what]):
                yield f"{what} of the model are different with it"
                return


def leaves_the_global_generators(tested: CallbackUnderTest) -> Problems:
    """It neither draws from nor seeds a generator that belongs to everybody, unless it says that it changes the run."""
    if tested.fresh().changes_run:
        return

    def told() -> None:
        with _training(tested) as training:
            callback = tested.fresh()
            training.tell(callback, _STEPS)
            training.end(callback, "done")

    yield from outcomes_by_global_seed(told, "what it does")


def stops_only_if_it_says_so(tested: CallbackUnderTest) -> Problems:
    """It asks for a stop only if its class says that it changes the run."""
    callback = tested.fresh()
    with _training(tested) as training:
        training.tell(callback, _STEPS)
        if training.stops and not callback.changes_run:
            yield f"it asks for a stop at step {training.stops[0]}, and its class does not say changes_run = True"


def goes_on_from_its_state(tested: CallbackUnderTest) -> Problems:
    """Told of a run in two parts, with its state of the first given to another, it asks for a stop where one would that
    was told of the whole; its state is made of JSON values."""
    whole = tested.fresh()
    with _training(tested) as training:
        training.tell(whole, _STEPS)
        expected = training.stops
    for cut in range(1, _STEPS):
        first, second = tested.fresh(), tested.fresh()
        with _training(tested) as training:
            training.tell(first, cut)
            try:
                state = json.loads(json.dumps(first.state_dict()))
            except (TypeError, ValueError) as error:
                yield f"its state is not made of JSON values: {error}"
                return
            second.load_state_dict(state)
            training.tell(second, _STEPS)
            if training.stops != expected:
                yield (
                    f"resumed at step {cut} it asks for a stop at {_listed(training.stops)}, "
                    f"and without a resume at {_listed(expected)}"
                )
                return


def _seen_of(model: nn.Module) -> dict[str, list[Any]]:
    """All of a model that a callback could change, by what it is."""
    parameters = list(model.parameters())
    return {
        "the weights": list(model.state_dict().values()),
        "the gradients": [parameter.grad for parameter in parameters],
        "the parameters that want a gradient": [parameter.requires_grad for parameter in parameters],
        "the modes": [module.training for module in model.modules()],
    }


def _listed(steps: Sequence[int]) -> str:
    return f"step {steps[0]}" if steps else "no step"


@contextmanager
def _training(tested: CallbackUnderTest) -> Iterator[_Training]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "20260101-000000-abcdef"
        path.mkdir()
        yield _Training(path, tested.metrics)


def _model() -> nn.Module:
    with seeded(0):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def _recipe(metrics: Sequence[str]) -> dict[str, Any]:
    measuring = dict.fromkeys(name.partition("/")[0] for name in metrics if "/" in name)
    evaluate = [{"use": use, "every": "1 epoch"} for use in measuring]
    return {"schema": 1, "name": "tested", "seed": 0, "train": {"steps": _STEPS}, "evaluate": evaluate}


CALLBACK_CHECKS: Mapping[str, Check[CallbackUnderTest]] = {
    check.__name__: check
    for check in (
        takes_every_context,
        only_looks_at_the_model,
        leaves_the_global_generators,
        stops_only_if_it_says_so,
        goes_on_from_its_state,
    )
}

_AFTER = {name: ("takes_every_context",) for name in CALLBACK_CHECKS if name != "takes_every_context"}


def check_callback(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = (),
    only: Collection[str] = tuple(CALLBACK_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a callback promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        parameters: What it is built with; the defaults otherwise.
        metrics: Numbers that it has to be told, such as ``knn/accuracy``, besides ``loss``, ``lr`` and ``spread``.
        only: Names of the checks to run, of ``CALLBACK_CHECKS``.
        except_for: Checks that this callback is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    tested = CallbackUnderTest(factory, parameters or {}, metrics)
    run_checks(CALLBACK_CHECKS, tested, factory, only, except_for, after=_AFTER)
