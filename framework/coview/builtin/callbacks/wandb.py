"""Weights & Biases: the one place that knows its library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from coview.builtin.callbacks.results_by_name import results_by_name
from coview.errors import CoviewError
from coview.plugins.callback import Callback, EndContext, RunContext, StepContext


class Wandb(Callback):
    """Reports a run to Weights & Biases: its recipe, all that is logged, what is measured on validation, and the
    results.

    A resumed run continues its run there. What the library writes on this machine is in the run's folder.

    Args:
        project: Where the run goes.
        entity: The user or team; absent: the account's own.
        group: Shows runs together.
        tags: Tags to find runs by.
        mode: "online" needs an account; "offline" writes files that ``wandb sync`` sends later. Absent: as the
            environment says (``WANDB_MODE``), else online.
    """

    def __init__(
        self,
        *,
        project: str = "coview",
        entity: str | None = None,
        group: str | None = None,
        tags: tuple[str, ...] = (),
        mode: Literal["online", "offline"] | None = None,
    ) -> None:
        self.project, self.entity, self.group, self.tags = project, entity, group, tags
        self.mode = mode or os.environ.get("WANDB_MODE") or "online"
        self._run: Any = None

    def check(self, recipe: Mapping[str, Any]) -> None:
        """Whether the library is there, and somebody logged in where that is needed."""
        import wandb  # it costs seconds, and only this callback needs it

        if self.mode == "online" and not wandb.login(prompt=False, verify=False):
            raise CoviewError(
                "wandb: nobody is logged in on this machine",
                hint='type wandb login, or write mode = "offline" and send the run later by wandb sync',
            )

    def run_start(self, context: RunContext) -> None:
        """Makes the run, or goes on with it."""
        import wandb  # it costs seconds, and only this callback needs it

        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            group=self.group,
            tags=list(self.tags),
            mode=self.mode,
            id=context.path.name,
            name=f"{context.recipe['name']} {context.path.name}",
            dir=context.path,
            config=dict(context.recipe),
            resume="allow",
            settings=wandb.Settings(console="off"),  # the console is the progress's
        )

    def step_end(self, context: StepContext) -> None:
        """Logs what the run logs."""
        self._run.log({"epoch": context.epoch, **context.metrics}, step=context.step)

    def curve_point(self, context: StepContext) -> None:
        """Logs what was measured on validation."""
        self._run.log({f"validation/{name}": value for name, value in context.metrics.items()}, step=context.step)

    def run_end(self, context: EndContext) -> None:
        """Leaves the results as the run's summary."""
        self._run.summary.update({**results_by_name(context.results), "status": context.status})
        if context.stopped:
            self._run.summary["stopped"] = context.stopped
        self._run.finish(exit_code=0 if context.status in ("done", "stopped") else 1)
