"""Ending a run once a number no longer becomes better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from coview.errors import CoviewError
from coview.plugins.callback import Callback, StepContext
from coview.plugins.nearest import did_you_mean


class EarlyStopping(Callback):
    """Stops a run when a number has not improved for some points in a row.

    A point is a step that logs if the number is a logged one, such as ``loss``, and a measurement if the number belongs
    to an evaluator that has ``every``, such as ``knn/accuracy``. NaN is never an improvement.

    Args:
        metric: The number: one that is logged, or ``EVALUATOR/METRIC``, on validation.
        patience: Points in a row without a better one, after which the run is stopped.
        min_delta: By how much a point has to be better than the best before it.
        mode: Whether the larger is better, or the smaller. "auto": the smaller of a loss, the larger of an evaluator's.
    """

    changes_run = True

    def __init__(
        self,
        *,
        metric: Annotated[str, MinLen(1)],
        patience: Annotated[int, Ge(1)] = 3,
        min_delta: Annotated[float, Ge(0)] = 0.0,
        mode: Literal["auto", "max", "min"] = "auto",
    ) -> None:
        self.metric, self.patience, self.min_delta = metric, patience, min_delta
        if metric == "samples_per_s":
            raise ValueError("metric: samples_per_s differs each time: no two runs would stop at the same step")
        of_loss = metric.endswith("loss")
        if mode == "auto" and not of_loss and "/" not in metric:
            raise ValueError(f'mode: it is not known whether a large {metric} is good: give mode = "max" or "min"')
        self._sign = 1.0 if mode == "min" or (mode == "auto" and of_loss) else -1.0
        self._best: float | None = None
        self._best_step = 0
        self._waited = 0
        self._is_known = False

    def check(self, recipe: Mapping[str, Any]) -> None:
        """Whether an evaluator measures the number while training; what is logged, the first step that logs shows."""
        evaluator, slash, _ = self.metric.partition("/")
        measuring = [table["use"] for table in recipe["evaluate"] if table.get("every") is not None]
        if slash and evaluator not in measuring:
            there = f"those that do: {', '.join(measuring)}" if measuring else "no [[evaluate]] has a key every"
            raise CoviewError(
                f'early_stopping: metric = "{self.metric}": no evaluator "{evaluator}" measures while training '
                f"({there}){did_you_mean(evaluator, measuring)}",
                hint='give its [[evaluate]] a key every, such as every = "1 epoch", or take metric = "loss"',
            )

    def step_end(self, context: StepContext) -> None:
        """Looks at what is logged."""
        if "/" not in self.metric:
            self._look(context, context.metrics)

    def curve_point(self, context: StepContext) -> None:
        """Looks at what was measured, where the number's evaluator was due."""
        evaluator = self.metric.partition("/")[0]
        if "/" in self.metric and any(name.startswith(f"{evaluator}/") for name in context.metrics):
            self._look(context, context.metrics)

    def state_dict(self) -> dict[str, Any]:
        """The best so far, and how long it is ago."""
        return {"best": self._best, "best_step": self._best_step, "waited": self._waited, "is_known": self._is_known}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on waiting where the run that is resumed was."""
        self._best, self._best_step = state["best"], int(state["best_step"])
        self._waited, self._is_known = int(state["waited"]), bool(state["is_known"])

    def _look(self, context: StepContext, metrics: Mapping[str, float]) -> None:
        if self.metric not in metrics:
            if not self._is_known:
                raise CoviewError(
                    f'metric = "{self.metric}": nothing with this name is measured{did_you_mean(self.metric, metrics)}'
                    f"; there are {', '.join(metrics)}"
                )
            return
        self._is_known = True
        value = float(metrics[self.metric])
        if not math.isnan(value) and (self._best is None or self._sign * (self._best - value) > self.min_delta):
            self._best, self._best_step, self._waited = value, context.step, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            best = "none was a number" if self._best is None else f"{self._best:.4g} at step {self._best_step:,}"
            context.stop(f"{self.metric} is {value:.4g}, no improvement for {self._waited} points; the best: {best}")
