"""Makes the report."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from coview.data.atomic import write_atomically
from coview.evaluate.result import FEATURE_KINDS, FeatureKind, Result, measured_kind
from coview.experiment.report.contents import Contents, read_contents
from coview.experiment.report.curves import draw_curves
from coview.experiment.report.forest import draw_forests
from coview.pages.template import page_template
from coview.track.collapse import CollapseWatch
from coview.track.progress import duration
from coview.track.result_rows import ResultRow, result_rows, shown_kinds, warnings_of
from coview.track.run_folder import RunFolder

ALPHA = 0.05
_LISTED = 50  # skipped samples named on the page; the rest are counted


def write_report(folder: RunFolder) -> Path:
    """Writes ``report.html`` from the files in a run's folder, and returns its path.

    The page is one file that asks nothing of the network and runs no script. The same files give the same
    bytes.

    Raises:
        CoviewError: If the folder is not a run's, a file in it is broken, or jinja2 or matplotlib is missing.
    """
    contents = read_contents(folder)
    page = page_template(Path(__file__).parent / "report.html.j2").render(_page(contents))
    write_atomically(folder.report, page)
    return folder.report


def _page(contents: Contents) -> dict[str, Any]:
    """What the template shows."""
    rows = result_rows(contents.measured.results)
    training, diagnostics, on_validation = draw_curves(contents.metrics, contents.curve_points)
    return {
        "name": contents.name,
        "recipe_hash": contents.measured.recipe_hash,
        "recipe": contents.recipe,
        "facts": _facts(contents),
        "notes": _notes(contents, rows),
        "kinds": shown_kinds(contents.measured.results),
        "measured": measured_kind(result.kind for result in contents.measured.results),
        "rows": rows,
        "paired_by": list(dict.fromkeys(r.against.by for r in contents.measured.results if r.against is not None)),
        "highlights": [(row, against_controls(row)) for row in _highlights(rows)],
        "forests": draw_forests(rows),
        "protocols": [(row, *_protocol(row)) for row in rows],
        "evaluated": ", ".join(part for part in (contents.measured.encoder, contents.measured.checkpoint) if part),
        "untrained": contents.measured.untrained or "the same encoder before training",
        "trains": contents.trains,
        "training": training,
        "diagnostics": diagnostics,
        "on_validation": on_validation,
        "views": contents.views,
        "hidden": contents.hidden,
        "dataset": contents.measured.dataset,
        "skipped_samples": contents.measured.skipped_samples[:_LISTED],
        "skipped_count": len(contents.measured.skipped_samples),
        "skipped_evaluators": contents.measured.skipped_evaluators,
        "leaks": contents.measured.leaks,
        "parameters": _parameters(contents.environment.get("parameters") or []),
        "environment": _environment(contents.environment),
        "libraries": contents.environment.get("libraries") or {},
        "plugins": contents.environment.get("plugins") or {},
        "version": contents.environment.get("coview"),
        "command": _command(contents.environment),
    }


def against_controls(row: ResultRow) -> str:
    """How what is measured is to its controls, in words: by the paired test, or where there is none by intervals."""
    kind = measured_kind(row.by_kind)
    measured = row.by_kind.get(kind)
    if measured is None:
        return ""
    controls = [name for name in FEATURE_KINDS if name in row.by_kind and name != kind]
    if not controls:
        return "no control was measured"
    words = {name: _against(measured, row.by_kind[name]) for name in controls}
    if len(controls) == 2 and len(set(words.values())) == 1:
        return f"{words[controls[0]]} both controls"
    return ", ".join(f"{words[name]} {name}" for name in controls)


def _against(result: Result, control: Result) -> str:
    if control.against is not None:
        if control.against.p >= ALPHA:
            return "not told apart from"
        return "above" if control.against.difference > 0 else "below"
    if math.isnan(result.ci_low) or math.isnan(control.ci_low):
        return "beside"
    if result.ci_low > control.ci_high:
        return "above"
    return "below" if result.ci_high < control.ci_low else "overlaps"


def _highlights(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """The first metric of each evaluator, with the most labels."""
    best: dict[tuple[str, str], ResultRow] = {}
    for row in rows:
        key = row.evaluator, row.of
        if key not in best or row.metric == best[key].metric:
            best[key] = row
    return list(best.values())


def _protocol(row: ResultRow) -> tuple[dict[str, str], dict[FeatureKind, dict[str, str]]]:
    """What the kinds of features of a row have in common in their protocol, and what each has of its own."""
    protocols = {
        kind: {key: _text(value) for key, value in result.protocol.items()} for kind, result in row.by_kind.items()
    }
    first = next(iter(protocols.values()))
    shared = {
        key: value for key, value in first.items() if all(protocol.get(key) == value for protocol in protocols.values())
    }
    own = {
        kind: {key: value for key, value in protocol.items() if key not in shared}
        for kind, protocol in protocols.items()
    }
    return shared, {kind: protocol for kind, protocol in own.items() if protocol}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_text(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _facts(contents: Contents) -> dict[str, str]:
    """The line under the title."""
    environment = contents.environment
    started, finished = _moment(environment.get("started")), _moment(environment.get("finished"))
    facts = {"started": f"{started:%Y-%m-%d %H:%M} {started:%Z}".strip() if started else ""}
    if started and finished:
        facts["took"] = duration((finished - started).total_seconds())
    elif contents.metrics and contents.metrics[-1].get("time"):
        facts["trained"] = duration(float(contents.metrics[-1]["time"]))
    if contents.metrics:
        last = contents.metrics[-1]
        facts["steps"] = f"{last['step']:,}" + (f" (epoch {last['epoch'] + 1})" if "epoch" in last else "")
    facts["data"] = " ".join(str(contents.measured.dataset.get(key) or "") for key in ("name", "version")).strip()
    ranks = environment.get("ranks") or 1
    device = [environment.get("device"), f"{ranks} ranks" if ranks > 1 else "", _computed_in(contents)]
    facts["device"] = ", ".join(str(part) for part in device if part)
    return {key: value for key, value in facts.items() if value}


def _computed_in(contents: Contents) -> str:
    """The precision of training; representations are fp32 whatever it is."""
    precision = str(contents.environment.get("precision") or "")
    return f"trained in {precision}" if precision and contents.trains else ""


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _notes(contents: Contents, rows: Sequence[ResultRow]) -> list[str]:
    """What a reader has to know before believing the numbers."""
    notes = []
    notes += [f"{path.name} cannot be read: what it would show is missing here." for path in contents.damaged]
    if contents.environment and not contents.environment.get("finished"):
        notes.append("This run has not finished: its numbers, if it has any, come from an earlier moment.")
    if stopped := contents.measured.stopped_in_words:
        notes.append(f"Training was {stopped}.")
    watch = CollapseWatch()
    warnings = (watch.update(row["step"], row) for row in contents.metrics)
    notes += [f"{warning[0].upper()}{warning[1:]}" for warning in warnings if warning]
    broken = [row["step"] for row in contents.metrics if "loss" in row and not _finite(row["loss"])]
    if broken:
        notes.append(
            f"The loss was not a finite number in {len(broken)} of {len(contents.metrics)} logged steps, "
            f"first at step {broken[0]}."
        )
    notes += contents.measured.leak_warnings()
    notes += [f"{warning[0].upper()}{warning[1:]}." for warning in warnings_of(contents.measured.results)]
    if any(len(row.by_kind) == 1 for row in rows):
        notes.append("Some numbers have no control beside them; on their own they say little.")
    if (contents.environment.get("git") or {}).get("dirty"):
        notes.append(
            "The working tree had uncommitted changes: the git revision does not identify the code completely."
        )
    return notes


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _parameters(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """How parameters were trained, without the columns that say the same of none."""
    columns = [key for key in (groups[0] if groups else ()) if any(group.get(key) is not None for group in groups)]
    return [{key: _cell(group.get(key)) for key in columns} for group in groups]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _environment(environment: Mapping[str, Any]) -> dict[str, str]:
    git = environment.get("git") or {}
    revision = str(git.get("revision") or "")
    shown = {
        "coview": environment.get("coview"),
        "git revision": f"{revision}, with uncommitted changes" if revision and git.get("dirty") else revision,
        "Python": environment.get("python"),
        "platform": environment.get("platform"),
        "device": environment.get("device"),
        "ranks": environment.get("ranks"),
        "precision of training": environment.get("precision"),
        "started": environment.get("started"),
        "finished": environment.get("finished"),
    }
    return {key: str(value) for key, value in shown.items() if value not in (None, "")}


def _command(environment: Mapping[str, Any]) -> str:
    command = environment.get("command") or ""
    if isinstance(command, str):
        return command
    program, *arguments = map(str, command)
    return shlex.join([Path(program).name, *arguments])  # where it is installed is nobody's business
