"""One run in a ledger: all that its numbers mean, in one JSON object that knows its own hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coview.data.json_object import parse_json_object
from coview.evaluate.result import Result
from coview.recipe.snapshot import hashed_part

SCHEMA = 1
SCHEMA_KEY = "coview_record"
"""What a JSON object is told by to be a record, and its version."""

CONTENT_KEY = "content"
"""The hash of all the rest."""


class RecordError(ValueError):
    """A JSON text that is not a record, or a damaged one; the message says what is wrong, and does not name the
    file."""


@dataclass(frozen=True)
class Record:
    """What a ledger keeps of a run.

    Attributes:
        run: Which run it is, in twelve hex digits: the same for every record of it, whatever was measured of it since.
        name, seed: Of its recipe.
        recipe_hash: Of its recipe, as the run has it.
        recipe: The resolved recipe, whole paths shortened.
        modalities: Of its encoders.
        started: When it was started, as ISO 8601; empty if the run does not say.
        who: Whose it is, as far as anybody has said.
        data_version: Of what it was trained on.
        start: By modality the version of the weights that it started from.
        code: For each component its distribution, version and source hash.
        made_with: Versions, device, precision, git revision: what the run says of itself.
        seconds: How long it trained; None if it does not say.
        leaks: What test splits have of their train splits: ``data``, ``version``, and ``said``, a sentence.
        stopped: Who has stopped the training before its last step, when and why; mostly empty.
        results: Every number, controls included.
        document: The JSON object, with whatever else a later version has written into it.
    """

    run: str
    name: str
    seed: int
    recipe_hash: str
    recipe: Mapping[str, Any]
    modalities: tuple[str, ...] = ()
    started: str = ""
    who: str = ""
    data_version: str = ""
    start: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    leaks: Sequence[Mapping[str, str]] = ()
    stopped: str = ""
    results: tuple[Result, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def content(self) -> str:
        """Sixteen hex digits: the name of its file."""
        return str(self.document[CONTENT_KEY])

    def as_text(self) -> str:
        """The JSON text that :func:`parse_record` reads, with a line for each value."""
        return json.dumps(self.document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def as_line(self) -> str:
        """The same on one line."""
        return json.dumps(self.document, ensure_ascii=False, sort_keys=True) + "\n"


def make_record(fields: Mapping[str, Any], results: Sequence[Result]) -> Record:
    """A record of JSON values by the names of :class:`Record`, and results.

    Raises:
        RecordError: If something is not what it has to be.
    """
    rows = [result.as_json() for result in results]
    document: dict[str, Any] = {SCHEMA_KEY: SCHEMA, **fields, "results": rows}
    document = json.loads(json.dumps(document))  # tuples are arrays, as they are when it is read
    return _record({**document, CONTENT_KEY: content_hash(document)})


def parse_record(text: bytes | str) -> Record:
    """Reads a record, and checks that it is whole.

    Raises:
        RecordError: If it is none, is of a later version, or has been changed.
    """
    try:
        document = parse_json_object(text)
    except ValueError as error:
        raise RecordError(str(error)) from error
    version = document.get(SCHEMA_KEY)
    if version is None:
        raise RecordError("it is not a record of a ledger")
    if version != SCHEMA:
        raise RecordError(f"it is a record of version {str(version)[:20]}, and this coview reads version {SCHEMA}")
    try:
        content = content_hash({key: value for key, value in document.items() if key != CONTENT_KEY})
    except ValueError as error:
        raise RecordError(f"it holds a value that JSON does not have ({error})") from error
    if document.get(CONTENT_KEY) != content:
        raise RecordError("it has been changed or damaged: its content is not what its hash says")
    return _record(document)


def content_hash(document: Mapping[str, Any]) -> str:
    """Of the content, however it is written.

    Raises:
        ValueError: If a number is not finite.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_RUN = re.compile("[0-9a-f]{12}")

_TEXTS = ("run", "name", "recipe_hash", "started", "who", "data_version", "stopped")
_OBJECTS = ("recipe", "start", "code", "made_with")


def _record(document: Mapping[str, Any]) -> Record:
    known = {name: document.get(name) for name in (*_TEXTS, *_OBJECTS, "seed", "seconds", "modalities", "leaks")}
    for name in _TEXTS:
        if not isinstance(known[name], str):
            raise RecordError(f"{name} is not a text: {str(known[name])[:40]}")
    if not _RUN.fullmatch(str(known["run"])):  # it becomes the name of a folder, and others have written it
        raise RecordError(f"run is not twelve hex digits: {str(known['run'])[:40]}")
    for name in _OBJECTS:
        if not isinstance(known[name], dict):
            raise RecordError(f"{name} is not an object: {str(known[name])[:40]}")
    try:
        hashed_part(known["recipe"])  # type: ignore[arg-type]
    except (AttributeError, TypeError) as error:
        raise RecordError(f"recipe is not a resolved recipe ({error})") from error
    for name in ("start", "code"):
        if not all(isinstance(value, str) for value in known[name].values()):  # type: ignore[union-attr]
            raise RecordError(f"a value of {name} is not a text")
    for name, is_right in (("modalities", _is_text), ("leaks", _is_leak)):
        value = known[name]
        if not isinstance(value, list) or not all(map(is_right, value)):
            raise RecordError(f"{name} is not what coview writes: {str(value)[:40]}")
        known[name] = tuple(value)
    if type(known["seed"]) is not int:
        raise RecordError(f"seed is not a whole number: {str(known['seed'])[:40]}")
    if known["seconds"] is not None and type(known["seconds"]) not in (int, float):
        raise RecordError(f"seconds is not a number: {str(known['seconds'])[:40]}")
    return Record(**known, results=_results(document.get("results")), document=document)  # type: ignore[arg-type]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_leak(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("data", "version", "said"))


def _results(rows: Any) -> tuple[Result, ...]:
    if not isinstance(rows, list):
        raise RecordError("results is not an array")
    results = []
    for row in rows:
        try:
            result = Result.from_json(row)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RecordError(f"a result is not complete ({error}): {str(row)[:60]}") from error
        if result.groups is not None and type(result.groups) is not int:
            raise RecordError(f"groups of {result.name} is not a whole number: {str(result.groups)[:40]}")
        if result.protocol_hash != row.get("protocol_hash"):
            raise RecordError(f"the protocol of {result.name} is not what its hash says")
        results.append(result)
    return tuple(results)
