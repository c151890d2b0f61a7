"""The callbacks of a run: built before its folder is made, and called where the hooks of plugins are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from coview.errors import AlteredModelError, CoviewError, few
from coview.evaluate.result import Result
from coview.model.watched_model import WatchedModel
from coview.plugins.callback import Callback, CallbackContext, EndContext, RunContext, StepContext
from coview.plugins.component import in_one_line
from coview.plugins.hook_calls import HookCalls, where_raised
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.ending import Ended


@dataclass(frozen=True)
class NamedCallback:
    """A callback of a recipe.

    Attributes:
        name: What messages call it, and checkpoints keep its state under: its ``use``, with a number where it stands in
            the recipe more than once.
        callback: The callback.
    """

    name: str
    callback: Callback


def build_callbacks(recipe: Recipe, registry: Registry) -> list[NamedCallback]:
    """The callbacks of a recipe, each asked whether it can do its work.

    Raises:
        CoviewError: If one cannot, with the place in the recipe: its library is not installed, nobody is logged in.
    """
    built: list[NamedCallback] = []
    counted: Counter[str] = Counter()
    for index, table in enumerate(recipe.callback):
        counted[table.use] += 1
        number = f" {counted[table.use]}" if counted[table.use] > 1 else ""
        where = recipe.where("callback", index, "use")
        component = registry.resolve("callback", table.use).component
        try:
            callback: Callback = registry.build("callback", table.use, **table.parameters)
            try:
                callback.check(recipe.tables)
            except ModuleNotFoundError as error:
                with component.explaining():
                    raise error
        except CoviewError as error:
            raise CoviewError(f"{where}: {error.message}", error.hint) from error
        built.append(NamedCallback(f"{table.use}{number}", callback))
    return built


class RunCalls(HookCalls):
    """Calls the hooks of plugins and the callbacks of a recipe, at the same moments.

    A callback that only tells is called no more once it has failed, which is said; one that changes the run ends it.

    Args:
        registry: Whose plugins are called.
        callbacks: In the order in which they are called.
        say: Gets a sentence about what has failed.

    Attributes:
        ended: The callback that has asked for the end of the training; None as long as none has.
    """

    def __init__(self, registry: Registry, callbacks: Sequence[NamedCallback], say: Callable[[str], None]) -> None:
        super().__init__(registry, say)
        self._callbacks = [_Called(named) for named in callbacks]
        self._of_run = _OfRun(Path(), 0, {}, nn.Module())
        self._step = 0
        self._results: list[Result] = []
        self._refused: CoviewError | None = None
        self.ended: Ended | None = None

    def of_run(self, path: Path, total_steps: int, recipe: Mapping[str, Any], model: nn.Module) -> None:
        """Takes down what callbacks are told of the run; it is called before the first of them."""
        self._of_run = _OfRun(path, total_steps, recipe, model)
        for called in self._callbacks:
            called.watched = WatchedModel(model)

    def __call__(self, hook: str, context: Any) -> None:
        """Calls a hook of every plugin that has it, and what of each callback stands for it.

        Args:
            hook: Such as ``coview_step_end``.
            context: What the hooks are given.

        Raises:
            CoviewError: If a hook raises one, or a callback that changes the run fails.
            AlteredModelError: If a callback has written into the model.
        """
        super().__call__(hook, context)
        if hook == "coview_run_start":
            self._step = context.resumed_at
            self._call("run_start", lambda called: RunContext(*self._common(called), self._of_run.recipe))
        elif hook == "coview_step_end":
            if self._refused is not None:
                raise self._refused
            told = bool(context.metrics)
            self._tell("step_end", context.step, context.epoch, context.metrics, told=told)
        elif hook == "coview_epoch_end":
            self._tell("epoch_end", context.step, context.epoch, {})
        elif hook == "coview_curve_point":
            self._tell("curve_point", context.step, context.epoch, context.metrics)
        elif hook == "coview_evaluated":
            self._results += context.results
        elif hook == "coview_run_end":
            stopped = "" if self.ended is None else str(self.ended)
            self._call(
                "run_end",
                lambda called: EndContext(*self._common(called), context.status, stopped, tuple(self._results)),
                may_refuse=False,
            )

    def before_step(self, step: int, epoch: int, logs: bool) -> None:
        """Calls the callbacks that look at gradients. What one of them does wrong ends the run after the step."""
        try:
            self._tell("before_step", step, epoch, {}, told=logs)
        except AlteredModelError:
            raise
        except CoviewError as error:
            self._refused = error

    @property
    def looks_at_gradients(self) -> bool:
        """Whether a callback does."""
        return any(type(called.callback).before_step is not Callback.before_step for called in self._callbacks)

    def state(self) -> str:
        """What a checkpoint keeps: the states of the callbacks and who has ended the run, as JSON."""
        states = {}
        for called in self._callbacks:
            try:
                states[called.name] = json.loads(json.dumps(called.callback.state_dict()))
            except Exception as error:  # a checkpoint is worth more than what one callback remembers
                self._say(
                    f"warning: the state of callback {called.name} is not in the checkpoints: {in_one_line(error)}"
                )
        return json.dumps({"callbacks": states, "ended": None if self.ended is None else asdict(self.ended)})

    def load_state(self, text: str) -> None:
        """Takes up what a checkpoint has kept; a callback that it does not know begins anew."""
        kept = json.loads(text or "{}")
        if (ended := kept.get("ended")) is not None:
            self.ended = Ended(**ended)
        for called in self._callbacks:
            state = kept.get("callbacks", {}).get(called.name)
            if state and not called.is_silent:
                try:
                    called.callback.load_state_dict(state)
                except Exception as error:
                    self._failed(called, "load_state_dict", error, may_refuse=True)

    def _tell(self, method: str, step: int, epoch: int, metrics: Mapping[str, float], *, told: bool = True) -> None:
        self._step = step
        self._call(
            method,
            lambda called: StepContext(*self._common(called), epoch, metrics, lambda why: self._end(called, why)),
            told=told,
        )

    def _common(self, called: _Called) -> tuple[Path, int, int, Callable[[], nn.Module]]:
        return self._of_run.path, self._of_run.total_steps, self._step, called.watched.get

    def _call(
        self,
        method: str,
        context_for: Callable[[_Called], CallbackContext],
        *,
        told: bool = True,
        may_refuse: bool = True,
    ) -> None:
        for called in self._callbacks:
            if called.is_silent or not (told or called.callback.every_step):
                continue
            called.watched.begin()
            try:
                _METHODS[method](called.callback)(context_for(called))
            except (KeyboardInterrupt, SystemExit) as error:
                self._stop_for(error, f"{method} of callback {called.name}")
            except Exception as error:
                self._failed(called, method, error, may_refuse)
            self._check_model(called, method, may_refuse)

    def _check_model(self, called: _Called, method: str, may_refuse: bool) -> None:
        if written := called.watched.written():
            raise AlteredModelError(
                f"callback {called.name} has written into the model in {method} ({few(written)}), which it may only "
                "read: the run ends, without a checkpoint of it",
                hint="leave the callback out, and go on with --resume",
            )
        if modes := called.watched.put_modes_back():
            error = CoviewError(
                f"it has changed the mode of {few(modes)}, which is put back: context.model is read only"
            )
            self._failed(called, method, error, may_refuse)

    def _failed(self, called: _Called, method: str, error: Exception, may_refuse: bool) -> None:
        """What becomes of a run when one of its callbacks fails."""
        if isinstance(error, CoviewError):
            message, where = error.message, ""
        else:
            message, where = in_one_line(error), where_raised(error)
        hint = error.hint if isinstance(error, CoviewError) else None
        if called.callback.changes_run and may_refuse:
            raise CoviewError(f"callback {called.name} failed in {method}: {message}{where}", hint) from error
        called.is_silent = True
        self._say(
            f"warning: callback {called.name} failed in {method}, and is not called again in this run: {message}{where}"
            + (f"\n  {hint}" if hint else "")
        )

    def _end(self, called: _Called, reason: str) -> None:
        if not called.callback.changes_run:
            raise CoviewError("it asks for a stop, and its class does not say changes_run = True")
        self.ended = self.ended or Ended(called.name, reason, self._step)


class _Called:
    """A callback, and what is known of it in the run."""

    def __init__(self, named: NamedCallback) -> None:
        self.name, self.callback = named.name, named.callback
        self.is_silent = False
        self.watched = WatchedModel(nn.Module())


@dataclass(frozen=True)
class _OfRun:
    path: Path
    total_steps: int
    recipe: Mapping[str, Any]
    model: nn.Module


_METHODS: Mapping[str, Callable[[Callback], Callable[[Any], None]]] = {
    "run_start": lambda callback: callback.run_start,
    "before_step": lambda callback: callback.before_step,
    "step_end": lambda callback: callback.step_end,
    "epoch_end": lambda callback: callback.epoch_end,
    "curve_point": lambda callback: callback.curve_point,
    "run_end": lambda callback: callback.run_end,
}
