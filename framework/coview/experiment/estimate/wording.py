"""An estimate in words: rows of a name, a figure, and what it is known from."""

from __future__ import annotations

from collections.abc import Callable

from coview.experiment.estimate.estimate import Estimate
from coview.experiment.estimate.fitting import RESERVE, RESERVED_SHARE
from coview.experiment.estimate.step_time import LAUNCH, LINK_REACHED, Range

Rows = list[tuple[str, str, str]]

_COUNTED = "counted"


def sections(found: Estimate) -> dict[str, Rows]:
    """All that there is to say, by the titles of its tables."""
    card = found.card
    given = {
        "model": _model(found),
        "memory of each card": _memory(found),
        "a step of each card": _step(found),
        "data": _data(found),
        "time": _time(found),
    }
    of_recipe = f"{found.recipe} on {found.count} × {card.name}, {found.precision}"
    head = {of_recipe: _head(found)}
    if (run := found.calibration) is not None:
        given["held against a run"] = [
            ("run", run.run, run.remark),
            ("on", f"{run.device}, {run.ranks} process{'es' if run.ranks > 1 else ''}", "environment.json"),
            ("a step, measured", _seconds(run.seconds), f"{run.samples_per_s:,.0f} samples/s in metrics.jsonl"),
            ("a step, estimated", _range(run.estimated, _seconds), "with the assumed share of the roofline"),
            ("estimated to measured", _range(run.ratio, "{:.2f}".format), "1 is right"),
            ("roofline reached", f"{run.reached:.2f}", "measured; the times above are with this share"),
        ]
    return head | given


def _head(found: Estimate) -> Rows:
    card = found.card
    peaks = ", ".join(f"{value / 1e12:,.4g} TFLOP/s {dtype}" for dtype, value in card.flops.items())
    return [
        (
            "card",
            f"{card.memory / 1e9:,.4g} GB, {card.bandwidth / 1e9:,.4g} GB/s, link {card.link / 1e9:,.4g} GB/s",
            "",
        ),
        ("", peaks, card.source),
        ("run", f"{found.samples:,} samples, {found.steps:,} steps", "of the recipe and its data"),
        ("batch", f"{found.counted.samples:,} samples of each card{_accumulated(found)}", "of the recipe"),
    ]


def _accumulated(found: Estimate) -> str:
    return f", {found.counted.accumulate} times a step" if found.counted.accumulate > 1 else ""


def _model(found: Estimate) -> Rows:
    return [
        (part.name, f"{part.parameters:,} parameters", "" if part.trained else "none of them is trained")
        for part in found.counted.parts
    ]


def _memory(found: Estimate) -> Rows:
    kept, step, loss = found.counted.kept, found.counted.step, found.counted.loss
    rows = [
        ("weights", kept.weights, _COUNTED),
        ("gradients", kept.gradients, _COUNTED),
        ("gradients, to be sent", kept.buckets, "a copy that data-parallel training has"),
        ("optimiser's state", kept.optimizer, "measured of a step on a small matrix"),
        ("teacher", kept.teacher, _COUNTED),
        ("queue", kept.queue, _COUNTED),
        ("views", found.counted.inputs, "of the recipe's own batch"),
        ("activations", step.activations, _of_activations(found)),
        ("loss", 0.0 if loss is None else loss.most, "" if loss is None else f"counted {loss.how}"),
    ]
    fits = {"yes": "fits", "hardly": "may not fit", "no": "does not fit"}[found.fits]
    reserve = f"and {RESERVED_SHARE:.0%} for gaps, {_bytes(RESERVE)} for libraries: assumed"
    return [(name, _bytes(size), how) for name, size, how in rows if size] + [
        ("at the most at once", _bytes(found.memory.low), "counted over a step"),
        ("needed", _bytes(found.memory.high), f"{reserve}; {fits} in {_bytes(found.card.memory)}"),
    ]


def _of_activations(found: Estimate) -> str:
    step = found.counted.step
    how = "counted by shapes" if not step.why_few else "measured of a few samples"
    return how if step.samples == found.counted.samples else f"{how}, {step.samples:,} samples at a time"


def _step(found: Estimate) -> Rows:
    counted, time = found.counted, found.time
    step, times = counted.step, counted.accumulate
    rows = [
        ("student, forward", step.forward.flops * times, ""),
        ("student, backward", step.backward.flops * times, ""),
        ("teacher", step.teacher.flops * times, ""),
        ("loss", 0.0 if counted.loss is None else counted.loss.work.flops * times, ""),
    ]
    arithmetic, traffic = counted.work.seconds(found.card)
    given = [(name, f"{flops / 1e12:,.3g} TFLOP", _COUNTED) for name, flops, _ in rows if flops]
    given += [
        ("read and written", _bytes(counted.work.bytes), "counted of each operation, none joined"),
        ("least on this card", _seconds(arithmetic + traffic), _roofline(arithmetic, traffic)),
        ("expected", _range(time.device, _seconds), _reached(found)),
        (
            "start of kernels",
            _range(time.launches, _seconds),
            f"{counted.kernels:,.0f} counted; {LAUNCH[0] * 1e6:.0f} to {LAUNCH[1] * 1e6:.0f} µs each: assumed",
        ),
    ]
    if found.count > 1:
        between = counted.between
        given += [
            ("gradients sent", _bytes(between.gradients), f"2 (n - 1) / n of them, n = {found.count}"),
            ("rows sent", _bytes(between.rows + between.row_gradients), "what the loss sees of all cards, and back"),
            (
                "on the link",
                _range(time.link, _seconds),
                f"{LINK_REACHED[0]} to {LINK_REACHED[1]} of its bandwidth: assumed",
            ),
        ]
    return given


def _roofline(arithmetic: float, traffic: float) -> str:
    share = arithmetic / (arithmetic + traffic) if arithmetic + traffic else 0.0
    return f"roofline: {share:.0%} arithmetic, {1 - share:.0%} memory bandwidth"


def _reached(found: Estimate) -> str:
    if found.time.device.low == found.time.device.high:
        least = sum(found.counted.work.seconds(found.card))
        return f"{least / found.time.device.low:.2f} of the roofline, as given or measured"
    return "0.8 to 0.25 of the roofline: assumed"


def _data(found: Estimate) -> Rows:
    loader = found.counted.loader
    rows = [
        (
            "views",
            f"{1 / loader.core_seconds:,.4g} samples/s a core",
            f"measured here, of {loader.samples:,} samples",
        ),
        ("cores a card needs", _range(Range(found.cores.low, found.cores.high), "{:,.1f}".format), "so as not to wait"),
    ]
    if found.disk is not None and loader.bytes_read is not None:
        if loader.bytes_read < 16:
            rows.append(("read from files", "nothing", "in memory, or mapped into it"))
        else:
            each = f"{_bytes(loader.bytes_read)} a sample, measured; all cards together"
            rows.append(("read from files", f"{_range(found.disk, _bytes)}/s", each))
    return rows


def _time(found: Estimate) -> Rows:
    time = found.time
    per_second = found.counted.samples * found.counted.accumulate * found.count
    rates = Range(per_second / time.whole.high, per_second / time.whole.low)
    rows = [("a step", _range(time.whole, _seconds), f"limited by {time.binds}")]
    if time.data is not None:
        rows.append(("making its views", _seconds(time.data), "with the cores that there are"))
    return [
        *rows,
        ("samples a second", _range(rates, "{:,.0f}".format), ""),
        ("in all", _range(found.hours, _hours), f"{found.steps:,} steps"),
    ]


def _range(of: Range, show: Callable[[float], str]) -> str:
    low, high = show(of.low), show(of.high)
    return low if low == high else f"{low} to {high}"


def _bytes(size: float) -> str:
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of:
            return f"{size / of:,.3g} {unit}" if size < 1000 * of else f"{size / of:,.0f} {unit}"
    return f"{size:,.0f} B"


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.3g} h"
    return f"{hours * 60:,.3g} min" if hours * 60 >= 1 else _seconds(hours * 3600)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.3g} s" if seconds >= 1 else f"{seconds * 1e3:,.3g} ms"
