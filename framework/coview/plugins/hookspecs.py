"""The hooks that a plugin can implement, and the number of the interface they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from coview.plugins.lifecycle import CurvePoint, EpochEnd, Evaluated, RunEnd, RunStart, StepEnd
    from coview.plugins.registrar import Registrar

PROJECT: Final = "coview"
"""The pluggy project name and the entry-point group."""

API: Final = 1
"""A plugin that sets ``coview_api`` to a higher number is refused as incompatible, before it registers."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """Hook specifications. All but ``coview_register`` are called on rank 0, the lifecycle hooks inside a run.

    ``coview_evaluated`` is also called where a run is evaluated again, by ``coview evaluate`` or ``evaluate_run``.
    """

    @hookspec
    def coview_register(self, registry: Registrar) -> None:
        """Name the plugin's components. Called once, when the plugin is loaded."""

    @hookspec
    def coview_run_start(self, context: RunStart) -> None:
        """Called before the first step."""

    @hookspec
    def coview_step_end(self, context: StepEnd) -> None:
        """Called after every optimiser step."""

    @hookspec
    def coview_epoch_end(self, context: EpochEnd) -> None:
        """Called after the last step of every epoch."""

    @hookspec
    def coview_curve_point(self, context: CurvePoint) -> None:
        """Called after each measurement on validation while training, before the step's own hooks."""

    @hookspec
    def coview_evaluated(self, context: Evaluated) -> None:
        """Called after each evaluator, once for each kind of features."""

    @hookspec
    def coview_run_end(self, context: RunEnd) -> None:
        """Called when the run has ended, whichever way."""


def new_manager() -> pluggy.PluginManager:
    """A pluggy manager with coview's hook specifications and no plugins."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    return manager
