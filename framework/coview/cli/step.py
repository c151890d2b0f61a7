"""``--step``: which checkpoint of a run."""

from __future__ import annotations

from typing import Any

import click

_MOST = 10**12


class Step(click.ParamType[Any]):
    """A number of steps, or ``best``."""

    name = "step"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or ``"best"``."""
        if value == "best" or isinstance(value, int):
            return value
        if not (value.isascii() and value.isdecimal() and int(value[:13]) <= _MOST):
            self.fail(f'has to be a number of steps or "best", got {value!r}', param, ctx)
        return int(value)


step_option = click.option(
    "--step",
    type=Step(),
    metavar="N",
    help='The checkpoint of another step than the last, or "best": the best by train.keep_best.',
)
