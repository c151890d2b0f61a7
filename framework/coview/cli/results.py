"""``coview results``: the results of many runs and labs in one place, joined where they were measured alike."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from coview.cli.output import print_columns, print_json, say
from coview.cli.user_path import UserPath
from coview.errors import CoviewError, few, printable

if TYPE_CHECKING:
    from coview.compare.ledger.merge import Merged
    from coview.compare.ledger.runs import LedgerRun

_metric = click.option(
    "--metric",
    metavar="EVALUATOR/METRIC@LABELS",
    help="Only this number; EVALUATOR alone means all numbers of the evaluator.",
)
_name = click.option("--recipe", "name", metavar="NAME", help="Only runs of recipes of this name.")
_modality = click.option("--modality", metavar="NAME", help="Only runs of this modality.")


@click.group()
def results() -> None:
    """Keep the results of many runs in a ledger, and compare them.

    LEDGER is a folder with a small file for each run, which can be kept in git and merged by copying, or one file that
    ends in .jsonl.
    """


@results.command("add")
@click.argument("ledger", type=UserPath())
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=UserPath())
@click.option("--who", default="", metavar="NAME", help="Whose runs they are, such as the name of a lab.")
def add_results(ledger: Path, runs: tuple[Path, ...], who: str) -> None:
    """Add the numbers of finished runs.

    RUN is a run's folder, a comparison's, or a folder of runs, of which all that are finished are taken.
    """
    from coview.compare.ledger.add import add_runs

    _tell(add_runs(ledger, runs, who), ledger)


@results.command("merge")
@click.argument("ledger", type=UserPath())
@click.argument("others", metavar="OTHER...", nargs=-1, required=True, type=UserPath())
def merge_results(ledger: Path, others: tuple[Path, ...]) -> None:
    """Copy what other ledgers have into one."""
    from coview.compare.ledger.merge import merge_ledgers

    _tell(merge_ledgers(ledger, others), ledger)


@results.command("list")
@click.argument("ledger", type=UserPath())
@_metric
@_name
@_modality
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_results(ledger: Path, metric: str | None, name: str | None, modality: str | None, as_json: bool) -> None:
    """List the runs of a ledger, or one number of each."""
    from coview.compare.ledger.groups import asked_for, modality_of

    runs = _runs(ledger, name, modality)
    if as_json:
        print_json([_as_json(run, metric) for run in runs])
        return
    rows = []
    for run in runs:
        record = run.record
        numbers = [result for result in run.results if asked_for(result.name, metric)]
        if not numbers and metric is not None:
            continue
        about = [record.run, record.name, f"seed {record.seed}"]
        if metric is None:
            data = ", ".join(dict.fromkeys(result.dataset for result in numbers))
            rows.append(
                [*about, "+".join(record.modalities), data, record.started[:10], run.who, f"{len(numbers)} numbers"]
            )
            continue
        for result in numbers:
            how = [result.name, result.dataset, modality_of(result, run), result.kind, result.protocol_hash]
            rows.append([*about, *how, run.who, f"{result.value:.4g}"])
    print_columns(rows)
    found = len({row[0] for row in rows})
    say(("\n" if rows else "") + f"{found} run{'' if found == 1 else 's'}")


@results.command("show")
@click.argument("ledger", type=UserPath())
@_metric
@_name
@_modality
@click.option(
    "--by", multiple=True, metavar="KEY", help="Tell runs apart by this key, such as loss.use; may be repeated."
)
@click.option("--baseline", metavar="VARIANT", help="Test each variant against this one, instead of every pair.")
@click.option(
    "--margin",
    type=click.FloatRange(0, max=1e300),
    default=0.0,
    metavar="NUMBER",
    help="Differences up to this do not matter: variants whose interval lies within are the same.",
)
@click.option(
    "--to",
    metavar="FILE|FOLDER",
    type=UserPath(),
    help="Write instead of showing: .csv or .parquet, the numbers; .html, the report; or a folder.",
)
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "mteb", "html"]), help="What --to writes.")
def show_results(
    ledger: Path,
    metric: str | None,
    name: str | None,
    modality: str | None,
    by: tuple[str, ...],
    baseline: str | None,
    margin: float,
    to: Path | None,
    form: str | None,
) -> None:
    """Compare the runs of a ledger.

    Numbers are joined over seeds only where their protocol hashes agree; where they do not, it says which keys of the
    protocol differ.
    """
    if form is not None and to is None:
        raise CoviewError("--format says what --to writes, and there is no --to", hint="--to results.csv")
    runs = _runs(ledger, name, modality)
    form = form or _FORMS.get(to.suffix if to is not None else "")
    if to is not None and form != "html":
        refused = {"--by": by, "--baseline": baseline is not None, "--margin": margin}
        given = [flag for flag, value in refused.items() if value]
        if form is not None and given:
            raise CoviewError(
                f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for a comparison, and {form} has the "
                "numbers without a comparison",
                hint=f"leave {' and '.join(given)} out, or write the comparison: --to FILE.html",
            )
        _write(to, form, runs, metric)
        return
    from coview.compare.ledger.comparison import compare_in
    from coview.compare.ledger.pages import write_pages
    from coview.compare.ledger.text import in_words

    joined = compare_in(runs, metric=metric, by=by, baseline=baseline, margin=margin)
    if to is None:
        say(in_words(joined, ledger))
        return
    for path in write_pages(to, joined, ledger, _command(click.get_current_context())):
        say(f"report      {path}")


_FORMS = {".csv": "csv", ".parquet": "parquet", ".html": "html"}
"""What the name of a file says that is to be written."""


def _command(context: click.Context) -> str:
    """What was asked, as it would be typed."""
    words = ["coview", "results", "show"]
    for parameter in context.command.params:
        value, flag = context.params.get(parameter.name or ""), parameter.opts[0]
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif value not in (None, (), parameter.default):
            for one in value if isinstance(value, tuple) else [value]:
                words += [flag, f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)


def _runs(path: Path, name: str | None, modality: str | None) -> list[LedgerRun]:
    """The runs of a ledger that are asked for; says what in it is damaged or contradicts itself."""
    from coview.compare.ledger.ledger import read_ledger
    from coview.compare.ledger.runs import runs_in

    ledger = read_ledger(path)
    for line in ledger.passed_over:
        click.echo(printable(f"warning: skipped {line}"), err=True)
    runs = runs_in(ledger.records.values())
    chosen = [
        run
        for run in runs
        if name in (None, run.record.name) and (modality is None or modality in run.record.modalities)
    ]
    for contradiction in (found for run in chosen for found in run.contradictions):
        places = ", ".join(ledger.places[content] for content in contradiction.contents)
        told = f"warning: {contradiction}; it is left out. Remove the record that is wrong: {places}"
        click.echo(printable(told), err=True)
    if not runs:
        raise CoviewError(f"{path} has no records", hint=f"coview results add {path} RUN adds those of a run")
    if not chosen:
        raise CoviewError(
            f"{path} has no such run",
            hint=f"recipes: {_listed([run.record.name for run in runs])}; "
            f"modalities: {_listed([one for run in runs for one in run.record.modalities])}",
        )
    return chosen


def _listed(names: Sequence[str]) -> str:
    return few(sorted(set(names)))


def _write(to: Path, form: str | None, runs: list[LedgerRun], metric: str | None) -> None:
    if form is None:
        raise CoviewError(
            f"{to} does not say what to write",
            hint="FILE.csv, FILE.parquet, FILE.html, or FOLDER with --format mteb or html",
        )
    if form == "mteb":
        from coview.compare.ledger.mteb import write_mteb

        say(f"{write_mteb(to, runs, metric)} results of {_runs_in_words(runs)}: {to / 'results'}")
        return
    from coview.compare.ledger.long_table import write_long_table

    of_form: Literal["csv", "parquet"] = "parquet" if form == "parquet" else "csv"
    say(f"{write_long_table(to, runs, of_form, metric)} numbers of {_runs_in_words(runs)}: {to}")


def _runs_in_words(runs: Sequence[LedgerRun]) -> str:
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}"


def _tell(merged: Merged, ledger: Path) -> None:
    for record in merged.new:
        say(f"new         {record.content}  {record.name}, seed {record.seed}, {len(record.results)} numbers")
    for record in merged.known:
        say(f"there       {record.content}  {record.name}, seed {record.seed}")
    for line in merged.passed_over:
        say(f"skipped {line}")
    for contradiction in merged.contradictions:
        say(f"contradicts {contradiction}")
    if merged.contradictions:
        say("If records disagree about a number, every table leaves it out until the wrong record is removed.")
    say(f"{len(merged.new)} new, {len(merged.known)} there already: {ledger}")


def _as_json(run: LedgerRun, metric: str | None) -> dict[str, object]:
    from coview.compare.ledger.groups import asked_for

    record = run.record
    return {
        "run": record.run,
        "recipe": record.name,
        "seed": record.seed,
        "recipe_hash": record.recipe_hash,
        "modalities": list(record.modalities),
        "started": record.started,
        "who": run.who,
        "records": [of.content for of in run.records],
        "results": [result.as_json() for result in run.results if asked_for(result.name, metric)],
        "contradictions": [str(contradiction) for contradiction in run.contradictions],
    }
