"""``coview``: the group of commands, and what becomes of errors.

Exit status: 0 done; 2 the user's mistake, as a message without a traceback; 1 a bug, with one; 3 a published number is
not reproduced; 130 interrupted.
Command modules import nothing heavy at their top, so that ``coview --help`` is quick.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType

import click
from click.shell_completion import shell_complete

from coview import __version__
from coview.cli.augment import augment
from coview.cli.compare import compare
from coview.cli.data import data
from coview.cli.doctor import doctor
from coview.cli.estimate import estimate
from coview.cli.plugins import plugins
from coview.cli.recipe import recipe
from coview.cli.reproduce import reproduce
from coview.cli.results import results
from coview.cli.run import embed, evaluate, export, run
from coview.cli.search import search
from coview.cli.waiting import wait_asleep
from coview.data.disk_error import disk_error, is_refusal
from coview.data.garbage import look_for_garbage_seldom
from coview.errors import CoviewError, Interrupted, printable

COMPLETE = "_COVIEW_COMPLETE"
"""The variable by which a shell asks, as click names it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="coview")
@click.option("--no-plugin", "disabled", multiple=True, metavar="NAME", help="Leave a plugin out; may be repeated.")
@click.option("--debug", is_flag=True, help="Show the traceback of a mistake too. May stand anywhere.")
@click.pass_context
def cli(context: click.Context, disabled: tuple[str, ...], debug: bool) -> None:
    """One self-supervised-learning question across image, text and audio."""
    context.obj = disabled


for command in (
    run,
    estimate,
    compare,
    reproduce,
    results,
    evaluate,
    embed,
    search,
    export,
    recipe,
    plugins,
    data,
    augment,
    doctor,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Exits."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    if not debug:
        warnings.formatwarning = _as_a_line
    wait_asleep()
    look_for_garbage_seldom()
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its code instead
            stream.reconfigure(errors="backslashreplace")
    if instruction := os.environ.get(COMPLETE):  # a shell asks what the words that are typed may go on with
        sys.exit(shell_complete(cli, {}, "coview", COMPLETE, instruction))
    sys.exit(_run([argument for argument in given if argument != "--debug"], debug))


def _as_a_line(message: object, category: object, filename: str, lineno: int, line: str | None = None) -> str:
    return printable(f"warning: {message}") + "\n"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(arguments: list[str], debug: bool) -> int:
    try:
        # what cli.main does, less its own opinion of a reader that went away
        with cli.make_context("coview", arguments) as context:
            cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except CoviewError as error:
        return _fail(str(error), debug)
    except click.ClickException as error:
        error.show()
        return 2
    except Interrupted as stop:
        _say(str(stop))
        return 130
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; what has been written is kept, go on with --resume")
        return 130
    except BrokenPipeError:
        # coview … | head: that is no mistake, and Python must not report it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        refused = disk_error(error)
        if refused is None or not is_refusal(refused):
            raise
        return _fail(
            f"{refused.filename or 'a file'} cannot be written: {refused.strerror}\n"
            "  make room, then go on with --resume",
            debug,
        )
    return 0


def _fail(message: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    _say(f"error: {message}")
    return 2


def _say(text: str) -> None:
    """To standard error, if anybody still reads it: Ctrl-C ends the tee that a run is piped to as well."""
    try:
        click.echo(printable(text), err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # what is left would be written at exit
