"""Records of runs that are on disk."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coview.compare.cells import seconds_of
from coview.compare.ledger.record import Record, RecordError, make_record
from coview.compare.ledger.without_paths import shortened, without_paths
from coview.compare.tuned_by import tunings_of, with_tunings
from coview.data.json_object import read_json_object
from coview.errors import CoviewError, few
from coview.evaluate.result import Result
from coview.experiment.environment import read_environment
from coview.experiment.folders import is_finished, runs_below
from coview.experiment.start import start_record
from coview.plugins.home import expanded
from coview.recipe.place import RELATIVE_TO
from coview.recipe.snapshot import recipe_hash
from coview.track.metrics_file import read_metrics
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder

_MADE_WITH = ("coview", "python", "platform", "device", "precision", "ranks", "git", "libraries", "plugins")
"""What is taken of ``environment.json`` as it is; the command line, say, has paths in it."""

_OF_DATA = ("name", "version", "licence", "citation")


def runs_of(path: Path) -> tuple[list[RunFolder], list[RunFolder]]:
    """The runs that a path stands for, and those of them that are skipped: not finished, or without numbers.

    Args:
        path: A run's folder; that of a comparison, whose ``cells.csv`` names its runs; or a folder with runs below it,
            of which a tuning's trials, say, have no numbers.

    Raises:
        CoviewError: If there is no run with numbers.
    """
    given = expanded(path)
    if (given / "recipe.toml").is_file():
        return [RunFolder(given)], []
    if not given.is_dir():
        there = "it is a file, not the folder of a run" if given.exists() else "there is no such folder"
        raise CoviewError(f"{given}: {there}", hint="a run is a folder such as runs/NAME/STAMP-HASH")
    found = {folder.path.resolve(): folder for folder in _of_cells(given / "cells.csv") or runs_below(given)}
    measured = {folder.path: folder for folder in found.values() if _has_numbers(folder)}
    if not measured:
        without = f"none of its {len(found)} runs is finished and has numbers" if found else "there is no run in it"
        raise CoviewError(f"{given}: {without}", hint="a run is a folder such as runs/NAME/STAMP-HASH")
    return list(measured.values()), [folder for folder in found.values() if folder.path not in measured]


def _has_numbers(folder: RunFolder) -> bool:
    return is_finished(folder) and bool(read_json_object(folder.results).get("results"))


def _of_cells(path: Path) -> list[RunFolder]:
    """The runs of a comparison's cells, which may lie anywhere."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            named = [row["run"] for row in csv.DictReader(file) if row.get("run")]
    except (OSError, ValueError, csv.Error):
        return []
    return [RunFolder(path.parent / name) for name in named if (path.parent / name / "recipe.toml").is_file()]


def record_of(folder: RunFolder, who: str = "") -> Record:
    """What a ledger keeps of a finished run. No plugin is needed for it.

    Args:
        folder: The run's.
        who: Whose it is, such as the name of a lab.

    Raises:
        CoviewError: If the run is not finished, has no numbers, or its files are damaged.
    """
    if not is_finished(folder):
        raise CoviewError(f"{folder.path} is not finished", hint="coview run RECIPE --resume goes on with it")
    tables, digest = _recipe_and_hash(folder)
    found = RunResults.read(folder.results)
    if not found.results:
        raise CoviewError(f"{folder.path} has no numbers", hint="coview evaluate RUN --set … measures it")
    if found.recipe_hash not in ("", digest):
        raise CoviewError(
            f"{folder.recipe} has been changed since the numbers beside it were measured",
            hint="restore the file that the run wrote",
        )
    environment = read_environment(folder.environment) or {}
    started = environment.get("started")
    started = started if isinstance(started, str) else ""
    data = environment.get("data")
    data_version = str(data["version"]) if isinstance(data, dict) and "version" in data else ""
    start = {modality: str(of.get("version", "")) for modality, of in start_record(folder).items()}
    results = [_without_paths(result) for result in with_tunings(found.results, tunings_of(folder))]
    seconds = seconds_of(read_metrics(folder.metrics))
    code = _texts(environment.get("code"))
    fields = {
        "run": _identity(digest, started, environment.get("finished")),
        "name": tables.get("name"),
        "seed": tables.get("seed"),
        "recipe_hash": digest,
        "recipe": _recipe(tables, start, data_version),
        "modalities": _modalities(code, results),
        "started": started,
        "who": who,
        "data_version": data_version,
        "start": start,
        "code": code,
        "made_with": {key: environment[key] for key in _MADE_WITH if environment.get(key) is not None},
        "seconds": seconds if seconds is not None and math.isfinite(seconds) else None,
        "leaks": [
            {"data": str(leak["data"]), "version": str(leak["version"]), "said": said}
            for leak in found.leaks
            for said in replace(found, leaks=[leak]).leak_warnings()
        ],
        "stopped": found.stopped_in_words,
        "checkpoint": found.checkpoint,
        "encoder": found.encoder,
        "untrained": found.untrained,
        "data": [_of_data(of) for of in (found.dataset, *found.other_datasets)],
        "skipped_samples": len(found.skipped_samples),
    }
    # an infinite number, which JSON does not have, is a text
    values = json.loads(json.dumps(fields), parse_constant=str)
    try:
        return make_record(without_paths(values), results)
    except RecordError as error:
        raise CoviewError(f"{folder.path} cannot be added: {error}") from error


def _recipe_and_hash(folder: RunFolder) -> tuple[dict[str, Any], str]:
    try:
        tables = tomllib.loads(folder.recipe.read_text(encoding="utf-8"))
        return tables, recipe_hash(tables)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:  # it is TOML but not a recipe
        raise CoviewError(f"{folder.recipe} cannot be read: {error}") from error


def _recipe(tables: Mapping[str, Any], start: Mapping[str, str], data_version: str) -> dict[str, Any]:
    """The resolved recipe. Of data and weights whose version is known, where they lay says nothing more."""
    told = {"data": bool(data_version), "start": bool(start), "evaluate": True}
    recipe = {
        key: without_paths(value, told_apart=not told.get(key, False))
        for key, value in tables.items()
        if key != RELATIVE_TO
    }
    relative = tables.get(RELATIVE_TO)
    for dotted in relative if isinstance(relative, dict) else ():
        key = dotted.split(".")
        if told.get(key[0], False):
            _shorten_at(recipe, key)
    return recipe


def _shorten_at(value: Any, key: Sequence[str]) -> None:
    """Shortens the relative path that a key of a table leads to, if it is there."""
    *parents, last = key
    try:
        for name in parents:
            value = value[int(name) if isinstance(value, list) else name]
        if isinstance(value[last], str):
            value[last] = shortened(value[last])
    except (KeyError, IndexError, TypeError, ValueError):
        return


def _identity(recipe: str, *moments: Any) -> str:
    """Which run it is: its recipe, and when it was started and finished, which no copy and no evaluation changes."""
    return hashlib.sha256(json.dumps([recipe, *moments], default=str).encode()).hexdigest()[:12]


def _without_paths(result: Result) -> Result:
    """The result, with no path of a machine in its protocol, whose hash is then another.

    What an evaluator was given as data, the version of the data vouches for, wherever it lay; of any other path nothing
    says that two that end alike lead to the same.
    """
    protocol = {key: without_paths(value, told_apart=key != "data") for key, value in dict(result.protocol).items()}
    return replace(
        result, protocol=protocol, dataset=without_paths(result.dataset), warning=without_paths(result.warning)
    )


def _modalities(code: Mapping[str, str], results: Iterable[Result]) -> list[str]:
    """By the code that the run has recorded, and by what was measured of it."""
    of_code = {name.rpartition("/")[2] for name in code if name.startswith("modality ")}
    measured = {result.protocol.get("modality") for result in results}
    return sorted(of_code or {name for name in measured if isinstance(name, str)})


def _texts(value: Any) -> dict[str, str]:
    return {key: text for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _of_data(data: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(data[key]) for key in _OF_DATA if key in data}


def records_of(paths: Sequence[Path], who: str = "") -> tuple[list[Record], list[str]]:
    """A record of each run that paths stand for, and what was passed over, a line for each."""
    records, passed_over = [], []
    for path in paths:
        try:
            folders, without = runs_of(path)
        except CoviewError as error:
            passed_over.append(error.message)
            continue
        if without:
            names = few([str(folder.path) for folder in without])
            passed_over.append(f"{len(without)} runs that are not finished, or have no numbers: {names}")
        for folder in folders:
            try:
                records.append(record_of(folder, who))
            except CoviewError as error:
                passed_over.append(error.message)
    return list({record.content: record for record in records}.values()), passed_over
