"""How long a step takes, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from coview.errors import CoviewError

REACHED = (0.25, 0.8)
"""Which share of the roofline a card is assumed to reach, at least and at most."""

LINK_REACHED = (0.4, 0.8)
"""Which share of its bandwidth a link is assumed to reach."""

LAUNCH = (5e-6, 12e-6)
"""What a CPU is assumed to need to start a kernel of PyTorch, in seconds, at best and at worst."""


@dataclass(frozen=True)
class Range:
    """From the best that is assumed to the worst."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Both ends so many times."""
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True)
class StepTime:
    """Seconds of an optimiser step.

    Attributes:
        device: What the card computes.
        launches: What its CPU needs to start the kernels, which goes on meanwhile.
        link: What is sent, most of it meanwhile.
        data: What the cores need to make the batch, meanwhile; None where their number is not known.
        whole: The step: what takes longest of these.
        binds: Which one that is: ``compute``, ``memory bandwidth``, ``kernel launches``, ``link`` or ``data``.
    """

    device: Range
    launches: Range
    link: Range
    data: float | None
    whole: Range
    binds: str


def step_time(
    roofline: tuple[float, float], kernels: float, sent: float, link: float, data: float | None, reached: Range
) -> StepTime:
    """A step, by what it has to do.

    Args:
        roofline: The least seconds that the card needs: of operations that arithmetic limits, and that memory does.
        kernels: How many are started.
        sent: Bytes.
        link: Bytes a second.
        data: Seconds that the cores need for the batch.
        reached: The shares of the roofline, the lower one first.
    """
    least = sum(roofline)
    device = Range(least / reached.high, least / reached.low)
    launches = Range(*(kernels * seconds for seconds in LAUNCH))
    on_link = Range(sent / link / LINK_REACHED[1], sent / link / LINK_REACHED[0]) if sent else Range(0.0, 0.0)
    named = {
        "compute" if roofline[0] >= roofline[1] else "memory bandwidth": device,
        "kernel launches": launches,
        "link": on_link,
        **({} if data is None else {"data": Range(data, data)}),
    }
    whole = Range(max(one.low for one in named.values()), max(one.high for one in named.values()))
    binds = max(named, key=lambda name: named[name].low + named[name].high)
    return StepTime(device, launches, on_link, data, whole, binds)


def reached_by(utilisation: float | None) -> Range:
    """The range of shares of the roofline: the assumed one, or what was measured.

    Raises:
        CoviewError: If it is no share.
    """
    if utilisation is None:
        return Range(*REACHED)
    if not 0 < utilisation <= 1:
        raise CoviewError(f"utilisation: has to be more than 0 and at most 1, got {utilisation}")
    return Range(utilisation, utilisation)
