"""results.json: the one type that writes it and reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any

from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.evaluate.result import Result


@dataclass(frozen=True)
class RunResults:
    """What was measured of a run, and on what; what is not there is empty.

    Attributes:
        run: The recipe's name.
        recipe_hash: Of the recipe that was trained.
        checkpoint, encoder: What was evaluated, in words.
        untrained: What the untrained control is, in words.
        dataset: Name, version, licence and citation of the run's data.
        other_datasets: The same of other data that was measured on.
        results: Every number, controls included.
        skipped_samples: Samples that could not be read: split, sample and reason.
        leaks: By data set, what its test split has of its train split.
        skipped_evaluators: Evaluators that gave no number, each with the reason.
        stopped: By whom training was ended before its last step, the reason, and the step; empty if nobody did.
    """

    run: str = ""
    recipe_hash: str = ""
    checkpoint: str = ""
    encoder: str = ""
    untrained: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    other_datasets: Sequence[Mapping[str, Any]] = ()
    results: Sequence[Result] = ()
    skipped_samples: Sequence[Mapping[str, Any]] = ()
    leaks: Sequence[Mapping[str, Any]] = ()
    skipped_evaluators: Sequence[Mapping[str, Any]] = ()
    stopped: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> RunResults:
        """Reads ``results.json``; nothing is in it if there is no such file.

        Raises:
            CoviewError: If it is not what coview writes.
        """
        document = _read(path)
        known: dict[str, Any] = {
            item.name: document[item.name] for item in fields(cls) if document.get(item.name) is not None
        }
        for name, value in known.items():
            rows = value if isinstance(value, list) else []
            if not isinstance(value, _TYPES[name]) or not all(isinstance(row, dict) for row in rows):
                raise CoviewError(f"{path}: {name} is not what coview writes: {str(value)[:60]}", hint=_AGAIN)
        for name, keys in _SHOWN.items():
            for row in known.get(name, ()):
                lacks = [key for key, kind in keys.items() if not isinstance(row.get(key), kind)]
                if lacks:
                    raise CoviewError(
                        f"{path}: {name}: a row has no {' and no '.join(lacks)}: {str(row)[:100]}", hint=_AGAIN
                    )
        if "leaks" in known:
            known["leaks"] = [{"near_is": "", "examples": [], "modality": "", **leak} for leak in known["leaks"]]
        if "results" in known:
            known["results"] = tuple(_result(row, path) for row in known["results"])
        return cls(**known)

    def write(self, path: Path) -> None:
        """Writes ``results.json``, whole or not at all."""
        document = {item.name: getattr(self, item.name) for item in fields(self)}
        document |= {"dataset": dict(self.dataset), "stopped": dict(self.stopped)}
        document["results"] = [result.as_json() for result in self.results]
        write_atomically(path, json.dumps(document, indent=1, ensure_ascii=False, default=list) + "\n")

    def after(self, earlier: RunResults) -> RunResults:
        """These, with the results of an earlier evaluation that was of another protocol."""
        new = {_identity(result) for result in self.results}
        kept = [result for result in earlier.results if _identity(result) not in new]
        leaks = {(leak["data"], leak["version"], leak["modality"]): leak for leak in (*earlier.leaks, *self.leaks)}
        stopped = self.stopped or earlier.stopped  # it is said where training ends, and not by a later evaluation
        return replace(self, results=(*kept, *self.results), leaks=tuple(leaks.values()), stopped=stopped)

    @property
    def stopped_in_words(self) -> str:
        """Who has stopped the training, when and why; empty if nobody has."""
        told = {key: self.stopped.get(key) for key in ("by", "reason", "step")}
        return "" if not self.stopped else "stopped at step {step} by {by}: {reason}".format(**told)

    def leak_warnings(self, data: str | None = None, version: str | None = None) -> list[str]:
        """A sentence for each data set, or for one, whose test split has something of its train split."""
        return [
            f"Train and test of {leak['data']} overlap: {leak['said']}."
            for leak in self.leaks
            if (leak["exact"] or leak["near"] or leak["groups"])
            and (data is None or (leak["data"], leak["version"]) == (data, version))
        ]


_AGAIN = "coview evaluate RUN measures again and writes it again, after you have moved the file away"

_SHOWN: Mapping[str, Mapping[str, type | UnionType]] = {
    "skipped_samples": {"sample": str, "reason": str},
    "skipped_evaluators": {"evaluator": str, "reason": str},
    "leaks": {"data": str, "said": str, "exact": int | None, "near": int, "groups": int | None},
}
"""What a page shows of the rows that are no results."""

_TYPES: Mapping[str, type] = {
    item.name: {"str": str, "Mapping[str, Any]": dict}.get(str(item.type), list) for item in fields(RunResults)
}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CoviewError(f"{path}: not JSON: {error}", hint=_AGAIN) from error
    if not isinstance(document, dict):
        raise CoviewError(f"{path}: expected an object, got {str(document)[:60]}", hint=_AGAIN)
    return document


def _result(row: Mapping[str, Any], path: Path) -> Result:
    try:
        return Result.from_json(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CoviewError(f"{path}: a result is not complete ({error}): {str(row)[:100]}", hint=_AGAIN) from error


def _identity(result: Result) -> tuple[str, ...]:
    return result.evaluator, result.metric, result.dataset, result.split, result.kind, result.protocol_hash
