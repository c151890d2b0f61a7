"""Processes forked from one that has imported what coview's commands import, which saves each of them seconds.

For what a command does. What it imports, and how Python begins and ends it, only a process of its own shows.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import traceback
import types
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = (
    "torch", "timm", "albumentations", "sklearn.linear_model", "transformers", "matplotlib.figure",
    "torch.utils.tensorboard", "coview.cli.main", "coview.experiment.run", "coview_text.encoders.text_transformer",
    "pytest",
)  # fmt: skip


def run_server() -> None:
    """Starts the process that is forked, unless it runs. Its environment is that of the first call."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(IMPORTED))
    forkserver.ensure_running()


class Forked:
    """A command in a process of its own, which ends with the command's exit status.

    Attributes:
        process: The process.
        streams: What it writes can be read from: standard output and error, or both together.

    Args:
        words: ``coview`` and its arguments; ``python``, a file, and its arguments; or ``python``, ``-c``, code, and its arguments.
        folder: Where it is called.
        before: Python to run first.
        environment: What is other in its environment than here.
        together: Whether standard error goes where standard output does, as in a terminal.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        before: str = "",
        environment: Mapping[str, str] | None = None,
        together: bool = False,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        ours, theirs = zip(*(context.Pipe(duplex=False) for _ in range(1 if together else 2)), strict=True)
        arguments = (list(words), folder, theirs, before, {**os.environ, **(environment or {})})
        self.process: BaseProcess = context.Process(target=_run, args=arguments)
        self.process.start()
        self.streams = [open(os.dup(stream.fileno()), errors="replace") for stream in ours]  # noqa: SIM115
        for stream in (*ours, *theirs):
            stream.close()

    def finish(self, seconds: float | None = None) -> tuple[int | None, str, str]:
        """Its exit status, standard output and standard error, once it has ended; after ``seconds`` it has to."""
        with ThreadPoolExecutor(len(self.streams)) as readers:
            texts = [readers.submit(stream.read) for stream in self.streams]
            self.process.join(seconds)
            if self.process.exitcode is None:
                self.process.terminate()
                self.process.join()
            found = [text.result() for text in texts]
        for stream in self.streams:
            stream.close()
        return self.process.exitcode, found[0], "".join(found[1:])


def _run(
    words: list[str], folder: Path, streams: Sequence[Connection], before: str, environment: dict[str, str]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in ((1, streams[0]), (2, streams[-1])):
        os.dup2(stream.fileno(), number)
    for stream in streams:
        stream.close()
    # as Python opens them on pipes; of both together the order of lines is kept
    sys.stdout = open(1, "w", buffering=1 if len(streams) == 1 else -1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.argv = words if words[0] == "coview" else ["-c", *words[3:]] if words[1] == "-c" else words[1:]
    sys.path[:0] = [str(folder), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    warnings.resetwarnings()
    status = 1
    try:
        exec(before, {"__name__": "__main__"})
        if words[0] == "coview":
            from coview.cli.main import main  # it is there already

            main(words[1:])
        elif words[1] == "-c":
            sys.modules["__main__"] = types.ModuleType("__main__")  # where pickle looks for what the code defines
            exec(words[2], vars(sys.modules["__main__"]))
            status = 0
        else:
            runpy.run_path(words[1], run_name="__main__")
            status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    try:
        sys.stdout.flush()
    except OSError:  # Python ends so too
        status = status or 120
    os._exit(status)
