"""Stopping when asked to: Ctrl-C, SIGTERM or a closed terminal end a run after its step, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)


class StopRequest:
    """While entered, catches SIGINT, SIGTERM and, unless it is ignored as under nohup, SIGHUP. A second SIGINT
    interrupts at once.

    Attributes:
        by: What asked, such as the name of the signal that came; None as long as nothing did.
    """

    def __init__(self) -> None:
        self.by: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def ask(self, by: str) -> None:
        """Asks the run to stop.

        Args:
            by: Who asks, for the message.
        """
        self.by = self.by or by

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python cannot catch signals
            for number in _SIGNALS:
                if number.name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.by is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.ask(signal.Signals(number).name)
