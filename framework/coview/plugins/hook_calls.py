"""Calling the lifecycle hooks of plugins, each by itself: what one of them does wrong is said with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from coview.errors import CoviewError
from coview.plugins.component import in_one_line

if TYPE_CHECKING:
    import pluggy

    from coview.plugins.registry import Registry


class HookCalls:
    """Calls the hooks of one run.

    A hook that raises an exception is a bug of its plugin's, and no reason to lose a run: it is said once, and that
    hook of that plugin is not called again. One that raises a :class:`coview.CoviewError` refuses the run, as when it
    has nowhere to write to; one that raises ``KeyboardInterrupt`` or ``SystemExit`` asks for a stop.

    Args:
        registry: Whose plugins are called.
        say: Gets a sentence about a hook that has failed.
    """

    def __init__(self, registry: Registry, say: Callable[[str], None]) -> None:
        self._registry = registry
        self._say = say
        self._stop: Callable[[str], None] | None = None
        self._callers: dict[str, dict[str, pluggy.HookCaller]] = {}

    @contextmanager
    def stopping_by(self, stop: Callable[[str], None]) -> Iterator[None]:
        """While entered, a hook that asks for a stop has this called, with who it is; elsewhere its exception goes on.

        So there is a checkpoint first, where there is something to keep.
        """
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def __call__(self, hook: str, context: Any) -> None:
        """Calls a hook of every plugin that has it.

        Args:
            hook: Such as ``coview_step_end``.
            context: What it is given.

        Raises:
            CoviewError: If a hook raises one, with the names of plugin and hook.
        """
        if hook not in self._callers:
            self._callers[hook] = self._callers_of(hook)
        for plugin, caller in list(self._callers[hook].items()):
            try:
                caller(context=context)
            except CoviewError as error:
                raise CoviewError(f"{_of(hook, plugin)}: {error.message}", error.hint) from error
            except (KeyboardInterrupt, SystemExit) as error:
                self._stop_for(error, _of(hook, plugin))
            except Exception as error:
                del self._callers[hook][plugin]
                self._say(
                    f"warning: {_of(hook, plugin)} failed, and is not called again in this run: "
                    f"{in_one_line(error)}{where_raised(error)}"
                )

    def _stop_for(self, error: BaseException, who: str) -> None:
        """Asks for the stop that an exception stands for."""
        if self._stop is None:
            raise error
        self._stop(f"{type(error).__name__} in {who}")

    def _callers_of(self, hook: str) -> dict[str, pluggy.HookCaller]:
        manager = self._registry.manager
        implemented = getattr(manager.hook, hook).get_hookimpls()
        plugins = {implementation.plugin_name: implementation.plugin for implementation in reversed(implemented)}
        return {
            name: manager.subset_hook_caller(hook, [other for other in plugins.values() if other is not plugin])
            for name, plugin in plugins.items()
        }


def _of(hook: str, plugin: str) -> str:
    return f'the hook {hook} of plugin "{plugin}"'


def where_raised(error: BaseException) -> str:
    """The line that raised it, in brackets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
